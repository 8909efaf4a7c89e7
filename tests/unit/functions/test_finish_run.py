"""The last step of every run: record, pointer, lease and notice, however the run ended."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from recommender.aws import notices
from recommender.errors import LeaseLostError, ServiceUnavailableError

from functions.admit_upload import app as admit_upload
from functions.finish_run import app
from testbed import films
from testbed.events import execution_ended
from testbed.machine import Execution, State
from testbed.runs import ENDPOINT, Outside, admit, promoted, run, upload_films
from testbed.stage import Stage


def finish(stage: Stage, execution: str, outcome: str, state: State | None = None) -> State:
    event = {
        "catalog": "films",
        "execution": execution,
        "stateMachineArn": stage.machine,
        "startedAt": "2026-11-22T10:00:00.000Z",
        "outcome": outcome,
        "state": {"catalog": "films", **(state or {})},
    }
    return stage.run("FinishRun", app.lambda_handler, event)


def again(stage: Stage, outside: Outside | None = None) -> Execution:
    """One more upload, and its run to the end."""
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    return run(stage, admit(stage)["execution"], outside)


def manifest_of(stage: Stage, execution: Execution) -> dict[str, Any]:
    return stage.kept_json(f"runs/films/{execution.data['finish']['runId']}/manifest.json")


def pointer(stage: Stage) -> dict[str, Any]:
    return stage.kept_json("current/films.json")


def break_notices(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    """Let the next notices not be sent."""
    left, publish = list(errors), notices.publish

    def break_or_publish(topic: str, subject: str, facts: Mapping[str, object]) -> None:
        if left:
            raise left.pop(0)
        publish(topic, subject, facts)

    monkeypatch.setattr(notices, "publish", break_or_publish)


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
    assert manifest["training"]["trainingJobName"] in stage.sagemaker.jobs
    assert "error" not in manifest

    assert pointer(stage) == {
        "catalog": "films",
        "runId": run_id,
        "endpointName": ENDPOINT,
        "endpointConfigName": stage.sagemaker.endpoints[ENDPOINT]["EndpointConfigName"],
        "promotedAt": manifest["finishedAt"],
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
            if looks[what] == 3:
                then(data)

        return during

    outside.trains = slowly("train", outside.train)
    outside.deploys = slowly("deploy", outside.deploy)
    done = run(stage, admit(stage)["execution"], outside)
    assert done.status == "SUCCEEDED"
    assert done.visited.count("Check training") == done.visited.count("Check endpoint") == 3


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


def test_a_failed_run_is_followed_by_another_try_at_the_same_files(stage: Stage) -> None:
    upload_films(stage)

    def train(data: State) -> None:
        stage.sagemaker.end(data["training"]["trainingJobName"], "Failed", "Failed", "bad luck")

    failed = run(stage, admit(stage)["execution"], Outside(stage, trains=train))
    done = run(stage, admit(stage)["execution"])
    assert done.status == "SUCCEEDED"
    assert pointer(stage)["runId"] == f"{failed.data['encoding']['runId']}-2"
    assert manifest_of(stage, failed)["outcome"] == "failed"


def test_what_arrived_during_a_run_is_run_next(stage: Stage) -> None:
    upload_films(stage)

    def upload_and_train(data: State) -> None:
        stage.upload("ratings/films/late.csv", "user,item,rating\nanna,242,5\n")
        admit(stage)
        Outside(stage).train(data)

    done = run(stage, admit(stage)["execution"], Outside(stage, trains=upload_and_train))
    following = done.data["finish"]["next"]
    assert stage.executions()[following][0] == "RUNNING"
    assert stage.lease()["owner"] == following
    assert run(stage, following, Outside(stage)).data["encoding"]["counts"]["files"] == 3


def test_what_arrived_while_a_run_settled_needs_no_run_of_its_own(stage: Stage) -> None:
    upload_films(stage)

    def upload(_: State) -> None:
        stage.upload("ratings/films/late.csv", "user,item,rating\nanna,242,5\n")
        admit(stage)

    done = run(stage, admit(stage)["execution"], Outside(stage, settles=upload))
    assert done.data["encoding"]["counts"]["files"] == 3
    assert done.data["finish"]["next"] is None


def test_a_run_that_lost_its_lease_does_not_move_the_pointer(stage: Stage) -> None:
    champion = promoted(stage)
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")

    def be_taken_over(data: State) -> None:
        stage.sagemaker.settle(data["endpoint"]["endpointName"])
        stage.end(execution, "ABORTED")
        admit(stage)

    execution = admit(stage)["execution"]
    done = run(stage, execution, Outside(stage, deploys=be_taken_over))
    assert done.error["Error"] == "LeaseLostError"
    assert pointer(stage)["runId"] == champion.data["encoding"]["runId"]
    assert manifest_of(stage, done)["outcome"] == "failed"
    assert stage.lease()["owner"] not in (None, execution)


def test_finishing_again_finds_everything_done(stage: Stage) -> None:
    upload_films(stage)
    done = run(stage, admit(stage)["execution"])
    before = pointer(stage), stage.lease(), stage.executions()
    assert finish(stage, done.name, "promoted", done.data) == done.data["finish"]
    assert (pointer(stage), stage.lease(), stage.executions()) == before


def test_finishing_again_names_the_next_run_again(stage: Stage) -> None:
    upload_films(stage)
    execution = admit(stage)["execution"]
    admit(stage)
    answer = finish(stage, execution, "failed")
    assert answer["next"] is not None
    before = stage.lease(), stage.executions()
    assert finish(stage, execution, "failed") == answer
    assert (stage.lease(), stage.executions()) == before


def test_finishing_again_does_not_touch_the_job_of_the_next_run(stage: Stage) -> None:
    upload_films(stage)
    execution = admit(stage)["execution"]
    admit(stage)
    following = finish(stage, execution, "failed")["next"]

    def finish_again_and_train(data: State) -> None:
        assert finish(stage, execution, "failed")["next"] == following
        Outside(stage).train(data)

    done = run(stage, following, Outside(stage, trains=finish_again_and_train))
    assert done.status == "SUCCEEDED"


@pytest.mark.parametrize("outcome", ["failed", "refused"])
def test_a_notice_that_comes_through_at_the_second_try_tells_of_the_same_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    # Refused while encoding: only the lease knows the run's name.
    stage.upload("ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    if outcome == "failed":
        stage.upload("ratings/films/bad.csv", "user,item,rating\nanna,242,5\n")
    break_notices(monkeypatch, ServiceUnavailableError("sns:Publish", "Throttling"))
    done = run(stage, admit(stage)["execution"])
    manifests = [key for key in stage.listing("runs/") if key.endswith("manifest.json")]
    run_id = done.data["finish"]["runId"]
    assert run_id not in ("", done.name)
    assert manifests == [f"runs/films/{run_id}/manifest.json"]
    assert [notice.facts["runId"] for notice in stage.notices()] == [run_id]


def test_a_run_that_serves_did_not_fail_although_nobody_could_be_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_films(stage)
    gone = ClientError({"Error": {"Code": "NotFound", "Message": "no such topic"}}, "Publish")
    break_notices(monkeypatch, gone)
    done = run(stage, admit(stage)["execution"])
    assert (done.status, done.error["Error"]) == ("FAILED", "ClientError")  # the alarm hears of it
    assert pointer(stage)["runId"] == done.data["encoding"]["runId"]
    assert manifest_of(stage, done)["outcome"] == "promoted"
    assert [notice.facts["outcome"] for notice in stage.notices()] == ["promoted"]


def test_an_aborted_run_is_done_anew_when_the_same_files_are_told_of_again(stage: Stage) -> None:
    upload_films(stage)
    execution = admit(stage)["execution"]

    def abort(_: State) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stage, execution, Outside(stage, trains=abort))
    stage.end(execution, "ABORTED")
    done = run(stage, admit(stage)["execution"])
    assert done.status == "SUCCEEDED", done.error
    assert len(stage.sagemaker.jobs) == 2


def test_the_end_of_every_run_is_counted_by_its_outcome(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    promoted(stage)
    run(stage, admit(stage)["execution"])
    ended = [
        line
        for line in map(json.loads, capsys.readouterr().out.splitlines())
        if "RunsEnded" in line
    ]
    assert [(one["outcome"], one["service"]) for one in ended] == [
        ("promoted", "matinee"),
        ("unchanged", "matinee"),
    ]


def test_the_event_of_a_failed_execution_finds_nothing_left_to_do(stage: Stage) -> None:
    upload_films(stage)

    def train(data: State) -> None:
        stage.sagemaker.end(data["training"]["trainingJobName"], "Failed", "Failed")

    done = run(stage, admit(stage)["execution"], Outside(stage, trains=train))
    stage.notices()
    event = execution_ended(stage.machine, done.name, "films", done.status)
    assert stage.run("AdmitUpload", admit_upload.lambda_handler, event)["freed"] is False
    assert stage.notices() == []


def test_a_pointer_is_not_moved_by_a_run_that_never_held_the_catalog(stage: Stage) -> None:
    done = promoted(stage)
    before = pointer(stage)
    stage.keep("current/films.json", {**before, "runId": "another"})
    with pytest.raises(LeaseLostError):
        finish(stage, done.name, "promoted", done.data)
    assert pointer(stage)["runId"] == "another"
