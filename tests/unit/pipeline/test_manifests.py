"""What is kept and told of a run's end."""

import json
from typing import Any

import pytest
from recommender.pipeline.manifests import FINAL, RunError, manifest, notice, summary

EVALUATION = {
    "challenger": {"accuracy": 0.7159, "cross_entropy": 0.5731},
    "reasons": ["It is worse.", "It is late."],
}


def record(outcome: str, **facts: Any) -> dict[str, object]:
    given: dict[str, Any] = {
        "catalog": "films",
        "run_id": "20261122t100000-0123456789",
        "execution": "films-000001",
        "outcome": outcome,
        "started_at": "2026-11-22T10:00:00Z",
        "finished_at": "2026-11-22T10:05:00Z",
        "plan": None,
        "state": {},
        "evaluation": None,
        "error": None,
    }
    return manifest(**{**given, **facts})


def test_a_record_holds_the_plan_and_what_each_step_came_to() -> None:
    found = record(
        "promoted",
        plan={"counts": {"rows": 3}, "image": "image"},
        state={
            "catalog": "films",
            "pollSeconds": 30,
            "trainings": {"like": {"trainingJobName": "job", "status": "Completed"}},
            "endpoint": {"endpointName": "endpoint"},
            "scoring": [{"uri": "s3://bucket/part"}],
        },
        evaluation=EVALUATION,
    )
    assert found == {
        "catalog": "films",
        "runId": "20261122t100000-0123456789",
        "execution": "films-000001",
        "outcome": "promoted",
        "startedAt": "2026-11-22T10:00:00Z",
        "finishedAt": "2026-11-22T10:05:00Z",
        "counts": {"rows": 3},
        "image": "image",
        "trainings": {"like": {"trainingJobName": "job", "status": "Completed"}},
        "endpoint": {"endpointName": "endpoint"},
        "evaluation": EVALUATION,
    }


def test_a_run_that_did_not_come_far_has_a_short_record() -> None:
    error = RunError("MissingRatingsError", "no file")
    assert record("refused", error=error) == {
        "catalog": "films",
        "runId": "20261122t100000-0123456789",
        "execution": "films-000001",
        "outcome": "refused",
        "startedAt": "2026-11-22T10:00:00Z",
        "finishedAt": "2026-11-22T10:05:00Z",
        "error": {"type": "MissingRatingsError", "message": "no file"},
    }


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (json.dumps({"errorMessage": "no file", "errorType": "E", "stackTrace": []}), "no file"),
        (json.dumps({"other": 1}), '{"other": 1}'),
        ("2026 Task timed out after 900.00 seconds", "2026 Task timed out after 900.00 seconds"),
        ('"text"', '"text"'),
        ("[1]", "[1]"),
        ("7", "7"),
        ("", ""),
        (json.dumps({"errorMessage": None}), "None"),
    ],
)
def test_an_error_is_told_in_its_own_words(cause: str, message: str) -> None:
    assert RunError.from_state({"Error": "E", "Cause": cause}) == RunError("E", message)


def test_no_error_is_no_error() -> None:
    assert RunError.from_state(None) is None


def test_an_error_without_facts_is_still_one() -> None:
    assert RunError.from_state({}) == RunError("Unknown", "")


@pytest.mark.parametrize(
    ("outcome", "facts", "line"),
    [
        (
            "promoted",
            {"evaluation": EVALUATION},
            "films: new model serving (accuracy 0.7159, cross entropy 0.5731)",
        ),
        (
            "rejected",
            {"evaluation": EVALUATION},
            "films: challenger rejected, nothing changed: It is worse.; It is late.",
        ),
        ("unchanged", {}, "films: nothing new to train on"),
        (
            "refused",
            {"error": RunError("InvalidConfigError", "config.json, at $: no")},
            (
                "films: upload refused, the model that served keeps serving. "
                "InvalidConfigError: config.json, at $: no"
            ),
        ),
        (
            "failed",
            {"error": RunError("States.Timeout", "")},
            "films: run failed, the model that served keeps serving. States.Timeout: ",
        ),
        (
            "failed",
            {},
            "films: run failed, the model that served keeps serving. no reason known",
        ),
    ],
)
def test_one_line_says_how_it_ended(outcome: str, facts: dict[str, Any], line: str) -> None:
    assert summary(record(outcome, **facts)) == line


def test_a_notice_stays_small_however_many_files_a_run_read() -> None:
    plan = {
        "snapshot": [{"key": f"ratings/films/{number}.csv"} for number in range(20_000)],
        "refusedFiles": [{"key": f"ratings/films/{number}.png"} for number in range(20_000)],
        "hyperparameters": {"epochs": "40"},
        "counts": {"rows": 3},
    }
    told = notice(record("promoted", plan=plan, evaluation=EVALUATION))
    assert len(json.dumps(told)) < 2_000
    assert told["counts"] == {"rows": 3}
    assert told["evaluation"] == EVALUATION


def test_a_failed_run_is_the_only_one_worth_another_attempt() -> None:
    assert frozenset({"promoted", "rejected", "refused"}) == FINAL
