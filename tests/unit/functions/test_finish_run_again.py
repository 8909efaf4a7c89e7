"""Runs that follow each other, and a last step that comes twice, late or after an abortion."""

import json
from collections.abc import Mapping

import pytest
from botocore.exceptions import ClientError
from recommender.aws import notices
from recommender.errors import LeaseLostError, ServiceUnavailableError

from functions.admit_upload import app as admit_upload
from testbed.events import execution_ended
from testbed.machine import State
from testbed.runs import (
    Outside,
    admit,
    finish,
    manifest_of,
    pointer,
    promoted,
    run,
    upload_films,
)
from testbed.stage import Stage


def break_notices(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    """Let the next notices not be sent."""
    left, publish = list(errors), notices.publish

    def break_or_publish(topic: str, subject: str, facts: Mapping[str, object]) -> None:
        if left:
            raise left.pop(0)
        publish(topic, subject, facts)

    monkeypatch.setattr(notices, "publish", break_or_publish)


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
    break_notices(monkeypatch, *[gone] * 6)  # every try of the last step
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
    assert len(stage.sagemaker.jobs) == 1 + 2


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
