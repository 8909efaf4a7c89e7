"""Pair lists that come too early, are none, break off, or are scored twice at once."""

import time
from datetime import timedelta
from typing import Any

import pytest
from recommender.catalog.config import CatalogConfig
from recommender.model_names import RANKING
from recommender.pipeline.scoring.files import ScoringFiles
from recommender.pipeline.scoring.plans import ScoringPlan
from recommender.pipeline.snapshots import SnapshotFile
from recommender.steps.scoring import encoding

from functions.admit_pairs import app as admit_pairs
from testbed.events import scoring_ended
from testbed.machine import SCORING_STEPS, KilledError, State
from testbed.runs import promoted
from testbed.sagemaker import RefusalError
from testbed.scoring import KEY, Scores, admit, score, scored
from testbed.stage import Stage

LIST = "user,item\nanna,242\nk,z\n"


def given_to(stage: Stage, execution: str) -> State:
    return stage.executions(stage.scoring_machine)[execution][1]


def test_a_list_that_comes_before_the_first_model_waits_and_is_scored_then(stage: Stage) -> None:
    stage.upload(KEY, LIST)
    execution = admit(stage)["execution"]
    (notice,) = stage.notices()
    assert (notice.facts["level"], notice.facts["outcome"]) == ("information", "waiting")
    assert "waits for the catalog's first model" in notice.facts["summary"]
    waits: list[State] = []

    def wait(data: State) -> None:
        waits.append(data["encoding"])
        if len(waits) == 2:
            promoted(stage)

    done = score(stage, execution, waits=wait)
    assert done.status == "SUCCEEDED"
    assert [one["outcome"] for one in waits] == ["waiting", "waiting"]
    assert [row["user"] for row in Scores(stage, done).rows] == ["anna", "k"]


@pytest.mark.parametrize(
    ("waited", "pause"), [(0, 30), (120, 30), (1000, 250), (10_000, 2500), (10**6, 3600)]
)
def test_a_list_waits_the_longer_the_longer_it_has_waited(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, waited: int, pause: int
) -> None:
    stage.upload(KEY, LIST)
    given = given_to(stage, admit(stage)["execution"])
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + waited)
    told = stage.run("EncodePairs", SCORING_STEPS["EncodePairs"], given)
    assert told["outcome"] == "waiting"
    assert told["waitSeconds"] == pytest.approx(pause, abs=2)


def test_a_month_of_waiting_fits_into_the_history_of_an_execution() -> None:
    waited, looks = 0.0, 0
    while waited < encoding._MOST_SECONDS_OF_WAITING:
        waited += min(max(waited / 4, 1), encoding._LONGEST_WAIT)
        looks += 1
    events_of_a_look = 9  # Wait 2, Task 5, Choice 2
    assert looks * events_of_a_look < 25_000 / 2


def test_after_a_month_of_waiting_a_list_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.upload(KEY, LIST)
    execution = admit(stage)["execution"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31 * 24 * 3600)
    stage.notices()
    done = score(stage, execution)
    assert done.error["Error"] == "UnknownCatalogError"
    (notice,) = stage.notices()
    assert notice.facts["outcome"] == "refused"
    assert "no serving model" in notice.facts["summary"]


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ("\x89PNG\r\n\x1a\n" + "x" * 100, "MalformedRatingsError", "not a table"),
        ("user,item\n", "MalformedRatingsError", "no rows"),
        ("user,item\n,1\n", "MalformedRatingsError", "the only row is unusable"),
        ("", "MalformedRatingsError", "the file is empty"),
    ],
)
def test_a_file_that_is_no_pair_list_is_refused_and_told_of(
    stage: Stage, data: str, error: str, words: str
) -> None:
    promoted(stage)
    found = scored(stage, data)
    assert (found.execution.status, found.execution.error["Error"]) == ("FAILED", error)
    assert found.manifest["outcome"] == "refused"
    assert found.manifest["error"]["type"] == error
    (notice,) = stage.notices()
    assert words in notice.facts["summary"]
    assert KEY in notice.facts["summary"]


def test_settings_that_cannot_be_used_refuse_the_list(stage: Stage) -> None:
    promoted(stage)
    stage.upload("catalogs/films/config.json", '{"top_n": "many"}')
    found = scored(stage, LIST)
    assert found.execution.error["Error"] == "InvalidConfigError"
    assert found.manifest["outcome"] == "refused"


def end_badly(stage: Stage, status: str, **more: Any) -> Any:
    return lambda job: stage.sagemaker.transforms[job].update(TransformJobStatus=status, **more)


@pytest.mark.parametrize(
    ("status", "error"), [("Failed", "TransformFailedError"), ("Stopped", "TransformStoppedError")]
)
def test_a_job_that_ends_badly_fails_the_scoring(stage: Stage, status: str, error: str) -> None:
    promoted(stage)
    stage.upload(KEY, LIST)
    works = end_badly(stage, status, FailureReason="AlgorithmError: no")
    done = score(stage, admit(stage)["execution"], works=works)
    assert done.error["Error"] == error
    manifest = Scores(stage, done).manifest
    assert (manifest["outcome"], manifest["error"]["type"]) == ("failed", error)
    assert ("AlgorithmError" in manifest["error"]["message"]) == (status == "Failed")


def test_an_overdue_job_is_stopped(stage: Stage) -> None:
    promoted(stage)
    stage.upload(KEY, LIST)

    def dawdle(job: str) -> None:
        stage.sagemaker.transforms[job]["CreationTime"] -= timedelta(days=9)

    done = score(stage, admit(stage)["execution"], works=dawdle)
    assert done.error["Error"] == "TransformOverdueError"
    (job,) = stage.sagemaker.transforms.values()
    assert job["TransformJobStatus"] == "Stopping"


def test_a_quota_that_is_used_up_is_waited_for(stage: Stage) -> None:
    promoted(stage)
    full = [RefusalError("ResourceLimitExceeded", "instances")] * 30
    stage.sagemaker.troubles["CreateTransformJob"] = full
    assert scored(stage, LIST).execution.status == "SUCCEEDED"


@pytest.mark.parametrize("when", ["before", "after"])
def test_steps_that_die_at_any_call_leave_the_same_scores(stage: Stage, when: str) -> None:
    promoted(stage)
    stage.upload(KEY, LIST + "nobody,242\n,1\n")
    execution = admit(stage)["execution"]
    undisturbed = Scores(stage, score(stage, execution))
    wanted = without_times(undisturbed.objects)
    at = 0
    while True:
        for key in undisturbed.objects:
            stage.s3.delete_object(Bucket=stage.artifacts, Key=key)
        stage.sagemaker.transforms.clear()
        calls = iter(range(10**6))

        def disturb(now: str, at: int = at, calls: Any = calls) -> None:
            if now == when and next(calls) == at:
                raise KilledError

        stage.disturb = disturb
        done = score(stage, execution)
        stage.disturb = None
        assert done.status == "SUCCEEDED"
        assert without_times(Scores(stage, done).objects) == wanted
        if next(calls) <= at:
            break
        at += 1
    assert at > 15


def without_times(objects: dict[str, bytes]) -> dict[str, bytes]:
    return {key: data for key, data in objects.items() if not key.endswith("manifest.json")}


def test_a_late_step_does_not_take_back_what_is_scored(stage: Stage) -> None:
    promoted(stage)
    found = scored(stage, LIST)
    before = found.objects
    event = {
        "catalog": "films",
        "file": found.execution.data["file"],
        "execution": found.execution.name,
        "startedAt": "2026-11-22T10:00:00.000Z",
        "outcome": "failed",
        "state": {"error": {"Error": "Late", "Cause": "{}"}},
    }
    stage.run("FinishScoring", SCORING_STEPS["FinishScoring"], event)
    assert found.objects == before


def test_of_two_that_decide_at_once_the_first_ones_word_stands(stage: Stage) -> None:
    done = promoted(stage)
    stage.upload(KEY, LIST)
    given = given_to(stage, admit(stage)["execution"])
    files = ScoringFiles.of("films", SnapshotFile(**given["file"]))

    def another_decides(now: str) -> None:
        if now == "after" and stage.calls[-1].parameters.get("Key") == files.plan:
            stage.disturb = None
            other = ScoringPlan(SnapshotFile(**given["file"]), run_id, RANKING, CatalogConfig())
            stage.keep(files.plan, other.to_dict())

    run_id = done.data["encoding"]["runId"]
    stage.disturb = another_decides
    told = stage.run("EncodePairs", SCORING_STEPS["EncodePairs"], given)
    assert stage.kept_json(files.plan)["scoredBy"] == RANKING
    assert told["counts"]["by_factors"] == 2


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_a_scoring_that_breaks_off_leaves_no_job_behind_and_is_told_of(
    stage: Stage, status: str
) -> None:
    promoted(stage)
    stage.upload(KEY, LIST)
    execution = admit(stage)["execution"]
    given = given_to(stage, execution)
    encoded = stage.run("EncodePairs", SCORING_STEPS["EncodePairs"], given)
    event = {**given, "execution": execution, "runId": encoded["runId"]}
    stage.run("StartTransform", SCORING_STEPS["StartTransform"], event)
    ended = scoring_ended(stage.scoring_machine, execution, given, status)
    stage.run("AdmitPairs", admit_pairs.lambda_handler, ended)
    (job,) = stage.sagemaker.transforms.values()
    assert job["TransformJobStatus"] == "Stopping"
    (notice,) = stage.notices()
    assert f"broke off ({status})" in notice.facts["summary"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("scoring/films/_SUCCESS", "by-product"),
        ("scoring/films/folder/", "folder"),
        ("scoring/No Name/pairs.csv", "not a catalog name"),
        ("scoring/pairs.csv", "not a catalog name"),
        ("scoring/films/gone.csv", "gone again"),
    ],
)
def test_what_is_no_pair_list_starts_nothing(stage: Stage, key: str, words: str) -> None:
    if not key.endswith("gone.csv"):
        stage.upload(key, LIST)
    assert words in admit(stage, key)["ignored"]
    assert stage.executions(stage.scoring_machine) == {}
    assert stage.notices() == []


def test_a_list_may_lie_anywhere_below_its_catalog_and_be_called_anything(stage: Stage) -> None:
    promoted(stage)
    keys = ["scoring/films/é 100%+a.v2.csv.gz", "scoring/films/a/b/pairs", "scoring/films/日本.csv"]
    names = []
    for key in keys:
        found = scored(stage, LIST, key)
        assert found.execution.status == "SUCCEEDED"
        assert len(found.rows) == 2
        names.append(found.root.split("/")[2].rpartition("-")[0])
    assert names == ["100-a.v2", "pairs", "pairs"]
