"""Which runs serve a catalog, and how that changes with what a run brings."""

from typing import Any

from recommender.pipeline.pointers import Pointer

BEFORE = Pointer("films", "old", "then", "old", "older", "endpoint", "config")
ENDPOINT = {"endpointName": "endpoint", "endpointConfigName": "new-config", "requestedAt": "now"}


def record(like: str, ranking: str, **more: object) -> dict[str, Any]:
    models = {"like": {"verdict": like}, "ranking": {"verdict": ranking}}
    return {
        "catalog": "films",
        "runId": "new",
        "finishedAt": "now",
        "evaluation": {"models": models},
        **more,
    }


def test_a_run_whose_models_both_serve_is_pointed_at_for_both() -> None:
    moved = Pointer.moved(record("promoted", "promoted", endpoint=ENDPOINT), BEFORE)
    assert moved == Pointer("films", "new", "now", "new", "new", "endpoint", "new-config")


def test_lists_alone_leave_the_endpoint_and_its_run_as_they_were() -> None:
    moved = Pointer.moved(record("rejected", "promoted"), BEFORE)
    assert moved == Pointer("films", "new", "now", "old", "new", "endpoint", "config")
    assert moved.lists == "new"


def test_a_like_model_alone_leaves_the_lists_as_they_were() -> None:
    moved = Pointer.moved(record("promoted", "rejected", endpoint=ENDPOINT), BEFORE)
    assert moved == Pointer("films", "new", "now", "new", "older", "endpoint", "new-config")
    assert moved.lists == "older"


def test_a_first_run_may_bring_lists_alone() -> None:
    moved = Pointer.moved(record("rejected", "promoted"), None)
    assert (moved.like, moved.ranking, moved.endpoint_name) == (None, "new", None)
    assert "endpointName" not in moved.to_dict()


def test_without_a_ranking_model_lists_are_of_the_like_models_run() -> None:
    moved = Pointer.moved(record("promoted", "rejected", endpoint=ENDPOINT), None)
    assert moved.lists == "new"


def test_a_pointer_is_read_back() -> None:
    assert Pointer.from_dict(BEFORE.to_dict()) == BEFORE


def test_a_pointer_from_before_there_were_two_models_is_of_a_like_model() -> None:
    found = Pointer.from_dict(
        {"catalog": "films", "runId": "old", "promotedAt": "then", "endpointName": "endpoint"}
    )
    assert (found.like, found.ranking, found.lists) == ("old", None, "old")
