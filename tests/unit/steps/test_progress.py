"""How far encoding has come: where people can look it up, and what it costs when they cannot."""

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError
from recommender.aws import leases, storage
from recommender.errors import LeaseLostError
from recommender.steps import progress

from functions.encode_ratings import app
from functions.start_training import app as start_training
from testbed.runs import admit, upload_films
from testbed.stage import Stage


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock finds it two seconds later."""
    clock = itertools.count(0, 2)
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "CHUNK_BYTES", 50)


def told(stage: Stage) -> dict[str, Any]:
    """What the table says of the catalog's progress, as plain values."""
    kept = stage.lease().get("progress", {})
    values = {name: next(iter(value.items())) for name, value in kept.items()}
    return {name: float(text) if kind == "N" else text for name, (kind, text) in values.items()}


def encode(stage: Stage, execution: str) -> dict[str, Any]:
    event = {"catalog": "films", "execution": execution}
    return stage.run("EncodeRatings", app.lambda_handler, event)


def watched(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Encode, and look at the table after each report."""
    seen: list[dict[str, Any]] = []
    note = leases.note_progress

    def note_and_look(*arguments: Any) -> None:
        note(*arguments)
        seen.append(told(stage))

    monkeypatch.setattr(leases, "note_progress", note_and_look)
    upload_films(stage)
    encode(stage, admit(stage)["execution"])
    return seen


@pytest.mark.usefixtures("seconds", "small_chunks")
def test_the_table_tells_how_far_encoding_has_come(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watched(stage, monkeypatch)
    run_id = stage.lease()["run_id"]
    assert {one["run"] for one in seen} == {run_id}
    reading = [one for one in seen if one["phase"] == "reading"]
    shares = [one["share"] for one in reading]
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert shares == [round(one["bytes"] / one["of_bytes"], 3) for one in reading]
    assert 0 < shares[0] < shares[-1] <= 1
    assert all(one["rows"] <= one["of_rows"] for one in seen if one["phase"] == "writing")
    # Three looks at the clock lie between two reports at least: those that it was too early for.
    times = [one["seconds"] for one in seen]
    assert all(later - earlier >= 5 for earlier, later in itertools.pairwise(times))


def test_who_is_done_in_a_few_seconds_reports_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watched(stage, monkeypatch) == []
    assert told(stage) == {}


@pytest.mark.usefixtures("seconds", "small_chunks")
def test_progress_is_gone_once_training_begins(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watched(stage, monkeypatch)
    lease = stage.lease()
    event = {"catalog": "films", "execution": lease["owner"], "runId": lease["run_id"]}
    assert told(stage)
    event |= {"pollSeconds": 30, "model": "like"}
    stage.run("StartTraining", start_training.lambda_handler, event)
    assert told(stage) == {}


def test_progress_is_gone_with_the_lease(stage: Stage) -> None:
    owner = leases.take(stage.table, leases.read(stage.table, "films"))
    assert owner is not None
    leases.note_progress(stage.table, "films", owner, {"phase": "reading", "share": 0.5})
    assert told(stage) == {"phase": "reading", "share": 0.5}
    leases.give_back(stage.table, "films", owner)
    assert told(stage) == {}


@pytest.mark.usefixtures("seconds", "small_chunks")
def test_a_run_that_lost_its_lease_stops_encoding(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_films(stage)
    execution = admit(stage)["execution"]
    note_run = leases.note_run

    def lose(table: str, catalog: str, owner: str, run_id: str) -> None:
        note_run(table, catalog, owner, run_id)
        stage.end(execution, "ABORTED")
        admit(stage)

    monkeypatch.setattr(leases, "note_run", lose)
    with pytest.raises(LeaseLostError):
        encode(stage, execution)
    assert stage.listing("runs/") == []
    assert told(stage) == {}


@pytest.mark.usefixtures("seconds", "small_chunks")
def test_a_table_that_is_too_busy_for_reports_does_not_stop_a_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")

    upload_films(stage)
    execution = admit(stage)["execution"]
    note_run = leases.note_run

    def then_busy(table: str, catalog: str, owner: str, run_id: str) -> None:
        note_run(table, catalog, owner, run_id)
        monkeypatch.setattr(leases.dynamodb(), "update_item", busy)

    monkeypatch.setattr(leases, "note_run", then_busy)
    assert encode(stage, execution)["outcome"] == "encoded"
    assert told(stage) == {}
