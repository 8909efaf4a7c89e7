"""The steps that look once at what SageMaker makes of a run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from recommender.errors import EndpointFailedError, EndpointOverdueError, TrainingOverdueError
from recommender.pipeline.training import QUEUE_SECONDS

from functions.check_endpoint import app as check_endpoint
from functions.check_training import app as check_training
from testbed import template
from testbed.machine import STEPS
from testbed.runs import ENDPOINT, Kept, admit, upload_films
from testbed.stage import Stage

STACK_LIMIT = int(template.environment("CheckTraining")["TRAINING_MAX_SECONDS"])


@pytest.fixture
def job(stage: Stage) -> str:
    """A training job at work."""
    upload_films(stage)
    step = {"catalog": "films", "execution": admit(stage)["execution"], "pollSeconds": 30}
    step["runId"] = stage.run("EncodeRatings", STEPS["EncodeRatings"], step)["runId"]
    step["model"] = "like"
    return str(stage.run("StartTraining", STEPS["StartTraining"], step)["trainingJobName"])


def look_at_job(stage: Stage, job: str, max_seconds: int = STACK_LIMIT) -> dict[str, Any]:
    event = {"trainingJobName": job, "maxSeconds": max_seconds}
    return stage.run("CheckTraining", check_training.lambda_handler, event)


def age(stage: Stage, job: str, seconds: int) -> None:
    stage.sagemaker.jobs[job]["CreationTime"] -= timedelta(seconds=seconds)


def test_a_job_at_work_is_told_of_and_left_alone(stage: Stage, job: str) -> None:
    assert look_at_job(stage, job)["status"] == "InProgress"
    assert stage.sagemaker.jobs[job]["TrainingJobStatus"] == "InProgress"


@pytest.mark.parametrize("catalogs", [60, 10 * STACK_LIMIT], ids=["catalog's", "stack's"])
def test_a_job_is_stopped_when_the_shorter_of_two_limits_is_over(
    stage: Stage, job: str, catalogs: int
) -> None:
    age(stage, job, min(catalogs, STACK_LIMIT) + QUEUE_SECONDS - 10)
    look_at_job(stage, job, catalogs)
    age(stage, job, 20)
    with pytest.raises(TrainingOverdueError):
        look_at_job(stage, job, catalogs)
    assert stage.sagemaker.jobs[job]["TrainingJobStatus"] == "Stopping"


def look_at_endpoint(stage: Stage, config: str, seconds_ago: int = 0) -> str:
    asked = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    event = {
        "endpointName": ENDPOINT,
        "endpointConfigName": config,
        "requestedAt": asked.isoformat(timespec="seconds"),
    }
    return str(stage.run("CheckEndpoint", check_endpoint.lambda_handler, event)["status"])


def test_an_endpoint_with_our_config_serves(stage: Stage, promoted_run: Kept) -> None:
    promoted_run.put(stage)
    assert look_at_endpoint(stage, promoted_run.run_id) == "InService"
    with pytest.raises(EndpointFailedError):
        look_at_endpoint(stage, "another")


def test_an_endpoint_at_work_is_waited_for_until_the_stacks_limit(
    stage: Stage, promoted_run: Kept
) -> None:
    promoted_run.put(stage)
    stage.sagemaker.endpoints[ENDPOINT]["EndpointStatus"] = "Updating"
    limit = int(template.environment("CheckEndpoint")["ENDPOINT_MAX_SECONDS"])
    assert look_at_endpoint(stage, "ours", limit - 30) == "Updating"
    with pytest.raises(EndpointOverdueError):
        look_at_endpoint(stage, "ours", limit + 30)


def test_an_endpoint_that_is_gone_is_a_failure(stage: Stage) -> None:
    with pytest.raises(EndpointFailedError, match="does not exist any more"):
        look_at_endpoint(stage, "ours")
