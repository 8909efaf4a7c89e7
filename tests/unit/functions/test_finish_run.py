"""The last step of every run: record, pointer, lease and notice, however the run ended."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from testbed import films
from testbed.machine import State
from testbed.runs import (
    ENDPOINT,
    Outside,
    admit,
    again,
    manifest_of,
    pointer,
    promoted,
    run,
    upload_films,
)
from testbed.stage import Stage


def test_a_promoted_run_is_recorded_pointed_at_told_of_and_frees_its_catalog(
    stage: Stage,
) -> None:
    upload_films(stage)
    done = run(stage, admit(stage)["execution"])
    run_id = done.data["encoding"]["runId"]
    assert (done.status, done.visited[-1]) == ("SUCCEEDED", "Finish run")
    assert done.data["finish"] == {"runId": run_id, "outcome": "promoted", "next": None}

    manifest = manifest_of(stage, done)
    assert manifest["outcome"] == "promoted"
    assert manifest["execution"] == done.name
    assert manifest["counts"]["train_rows"] == len(list(films.pairs("train")))
    assert manifest["evaluation"]["challenger"]["accuracy"] == 1.0
    assert manifest["evaluation"]["championRunId"] is None
    assert set(manifest["trainings"]) == {"like", "ranking"}
    jobs = {one["trainingJobName"] for one in manifest["trainings"].values()}
    assert jobs == set(stage.sagemaker.jobs)
    assert "error" not in manifest

    assert pointer(stage) == {
        "catalog": "films",
        "runId": run_id,
        "endpointName": ENDPOINT,
        "endpointConfigName": stage.sagemaker.endpoints[ENDPOINT]["EndpointConfigName"],
        "promotedAt": manifest["finishedAt"],
        "models": {"like": run_id, "ranking": run_id},
    }
    assert b"films: promoted" in stage.kept(f"runs/films/{run_id}/report.html")
    assert "owner" not in stage.lease()
    (notice,) = stage.notices()
    assert notice.subject.startswith(
        "films: new model serving (accuracy 1.0000, auc 1.0000, cross entropy 0.0181"
    )
    assert (notice.facts["outcome"], notice.facts["runId"]) == ("promoted", run_id)
    assert "snapshot" not in notice.facts


def test_a_worse_challenger_changes_nothing_that_serves_and_says_why(stage: Stage) -> None:
    champion = promoted(stage)
    before = pointer(stage), dict(stage.sagemaker.endpoints[ENDPOINT])
    done = again(stage, Outside(stage, sign=-1))
    assert (done.status, done.visited[-1]) == ("SUCCEEDED", "Keep the old model")
    assert (pointer(stage), stage.sagemaker.endpoints[ENDPOINT]) == before

    manifest = manifest_of(stage, done)
    assert manifest["outcome"] == "rejected"
    assert manifest["evaluation"]["championRunId"] == champion.data["encoding"]["runId"]
    assert "endpoint" not in manifest
    (notice,) = stage.notices()
    reasons = manifest["evaluation"]["reasons"]
    assert notice.facts["summary"] == (
        f"films: challenger rejected, nothing changed: {'; '.join(reasons)}"
    )


def test_a_model_that_cannot_be_read_is_rejected(stage: Stage) -> None:
    promoted(stage)
    before = pointer(stage)

    def train(data: State) -> None:
        stage.sagemaker.complete(data["training"]["trainingJobName"], b"no archive")

    done = again(stage, Outside(stage, trains=train))
    assert done.visited[-1] == "Keep the old model"
    assert pointer(stage) == before
    (notice,) = stage.notices()
    assert "The new model cannot be used" in notice.facts["summary"]


def test_a_model_of_another_size_is_rejected(stage: Stage) -> None:
    promoted(stage)
    before = pointer(stage)

    def train(data: State) -> None:
        model = films.model(films.USERS[:-1], films.ITEMS)
        stage.sagemaker.complete(data["training"]["trainingJobName"], model)

    done = again(stage, Outside(stage, trains=train))
    assert done.visited[-1] == "Keep the old model"
    assert pointer(stage) == before
    assert "expected 12 users + 10 items, found 21" in stage.notices()[0].facts["summary"]


def test_files_that_are_served_already_are_left_alone_in_silence(stage: Stage) -> None:
    done = promoted(stage)
    before = manifest_of(stage, done), pointer(stage)
    same = run(stage, admit(stage)["execution"])
    assert (same.status, same.visited[-1]) == ("SUCCEEDED", "Leave as it is")
    assert same.data["finish"]["outcome"] == "unchanged"
    assert (manifest_of(stage, done), pointer(stage)) == before
    assert stage.notices() == []
    assert "owner" not in stage.lease()


def test_refused_input_is_told_to_the_uploader_and_what_serves_keeps_serving(
    stage: Stage,
) -> None:
    promoted(stage)
    before = pointer(stage)
    stage.upload("ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    done = run(stage, admit(stage)["execution"])
    assert done.status == "FAILED"
    assert done.visited[-2:] == ["Refuse input", "Run failed"]
    assert done.error["Error"] == "MalformedRatingsError"

    manifest = manifest_of(stage, done)
    assert (manifest["outcome"], manifest["error"]["type"]) == ("refused", "MalformedRatingsError")
    assert manifest["error"]["message"].startswith("ratings/films/bad.csv, line 2: ")
    assert pointer(stage) == before
    # The other files are looked at once more, and are what serves.
    same = run(stage, done.data["finish"]["next"])
    assert same.data["finish"]["outcome"] == "unchanged"
    assert "owner" not in stage.lease()
    (notice,) = stage.notices()
    assert notice.facts["summary"] == (
        "films: upload refused, the model that served keeps serving. "
        f"MalformedRatingsError: {manifest['error']['message']}"
    )


def test_a_run_refused_before_it_had_files_is_known_by_its_execution(stage: Stage) -> None:
    done = run(stage, admit(stage)["execution"])
    assert done.data["finish"]["runId"] == done.name
    assert manifest_of(stage, done)["error"]["type"] == "MissingRatingsError"


@pytest.mark.parametrize(
    ("status", "secondary", "error"),
    [
        ("Failed", "Failed", "TrainingFailedError"),
        ("Stopped", "Stopped", "TrainingStoppedError"),
        ("Stopped", "MaxRuntimeExceeded", "TrainingOverdueError"),
    ],
)
def test_a_training_job_that_ends_badly_ends_its_run(
    stage: Stage, status: str, secondary: str, error: str
) -> None:
    upload_films(stage)

    def train(data: State) -> None:
        job = data["training"]["trainingJobName"]
        stage.sagemaker.end(job, status, secondary, "AlgorithmError: no memory")

    done = run(stage, admit(stage)["execution"], Outside(stage, trains=train))
    assert (done.status, done.error["Error"]) == ("FAILED", error)
    manifest = manifest_of(stage, done)
    assert (manifest["outcome"], manifest["error"]["type"]) == ("failed", error)
    assert "current/films.json" not in stage.listing()
    assert "owner" not in stage.lease()
    assert stage.notices()[0].facts["error"] == manifest["error"]


def test_an_overdue_training_job_is_stopped(stage: Stage) -> None:
    upload_films(stage)

    def train(data: State) -> None:
        job = stage.sagemaker.jobs[data["training"]["trainingJobName"]]
        job["CreationTime"] -= timedelta(hours=3)

    done = run(stage, admit(stage)["execution"], Outside(stage, trains=train))
    assert done.error["Error"] == "TrainingOverdueError"
    (job,) = stage.sagemaker.jobs.values()
    assert job["TrainingJobStatus"] == "Stopping"


def test_a_run_that_fails_while_its_job_trains_stops_the_job(stage: Stage) -> None:
    upload_films(stage)

    def lose_sight(data: State) -> None:
        data["training"] = {**data["training"], "trainingJobName": "another"}

    done = run(stage, admit(stage)["execution"], Outside(stage, trains=lose_sight))
    assert (done.status, done.visited[-2]) == ("FAILED", "Give up")
    (job,) = stage.sagemaker.jobs.values()
    assert job["TrainingJobStatus"] == "Stopping"


def test_a_failed_update_leaves_the_champion_serving_and_pointed_at(stage: Stage) -> None:
    champion = promoted(stage)
    before = pointer(stage)

    def deploy(data: State) -> None:
        stage.sagemaker.break_off(data["endpoint"]["endpointName"], "no capacity")

    done = again(stage, Outside(stage, deploys=deploy))
    assert done.error["Error"] == "EndpointFailedError"
    assert "no capacity" in manifest_of(stage, done)["error"]["message"]
    assert pointer(stage) == before
    serving = stage.sagemaker.endpoints[ENDPOINT]
    assert serving["EndpointConfigName"] == champion.data["endpoint"]["endpointConfigName"]


def test_an_endpoint_that_does_not_come_into_service_ends_its_run(stage: Stage) -> None:
    upload_films(stage)

    def deploy(data: State) -> None:
        asked = datetime.fromisoformat(data["endpoint"]["requestedAt"]) - timedelta(hours=1)
        data["endpoint"]["requestedAt"] = asked.isoformat()

    done = run(stage, admit(stage)["execution"], Outside(stage, deploys=deploy))
    assert done.error["Error"] == "EndpointOverdueError"
    assert done.visited.count("Check endpoint") == 1
    assert "current/films.json" not in stage.listing()


def test_a_job_and_an_endpoint_at_work_are_looked_at_again(stage: Stage) -> None:
    upload_films(stage)
    outside = Outside(stage)
    looks = {"train": 0, "deploy": 0}

    def slowly(what: str, then: Callable[[State], None]) -> Callable[[State], None]:
        def during(data: State) -> None:
            looks[what] += 1
            if looks[what] % 3 == 0:
                then(data)

        return during

    outside.trains = slowly("train", outside.train)
    outside.deploys = slowly("deploy", outside.deploy)
    done = run(stage, admit(stage)["execution"], outside)
    assert done.status == "SUCCEEDED"
    assert done.visited.count("Check training") == 3 + 3
    assert done.visited.count("Check endpoint") == 3


def test_settings_that_utf8_cannot_quote_are_refused_in_words_all_the_same(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", '{"\\ud800": 1}')
    done = run(stage, admit(stage)["execution"])
    assert done.visited[-2:] == ["Refuse input", "Run failed"]
    (notice,) = stage.notices()
    assert 'unknown field "\ud800"' in notice.facts["summary"]
    assert "owner" not in stage.lease()


def test_a_title_that_utf8_cannot_hold_does_not_stop_a_run(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/items.jsonl", '{"item": "242", "title": "\\ud800"}\n')
    done = run(stage, admit(stage)["execution"])
    assert done.status == "SUCCEEDED", done.error
