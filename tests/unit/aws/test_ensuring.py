"""SageMaker's control plane: "already exists" is success only when it is what was asked for."""

from typing import TYPE_CHECKING, Any

import pytest
from recommender.aws import sagemaker
from recommender.errors import (
    ConflictingResourceError,
    EndpointBusyError,
    ServiceUnavailableError,
)
from recommender.pipeline import jobs

from testbed.sagemaker import RefusalError
from testbed.stage import Stage

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import (
        CreateEndpointConfigInputTypeDef,
        CreateModelInputTypeDef,
        CreateTrainingJobRequestTypeDef,
    )

ROLE = "arn:aws:iam::123456789012:role/matinee"
IMAGE = "382416733822.dkr.ecr.us-east-1.amazonaws.com/factorization-machines:1"


def job_request(**changes: Any) -> "CreateTrainingJobRequestTypeDef":
    given: dict[str, Any] = {
        "name": "matinee-run",
        "image": IMAGE,
        "role_arn": ROLE,
        "hyperparameters": {"epochs": "40"},
        "channels": {"train": "s3://bucket/run/train/", "test": "s3://bucket/run/test/"},
        "output_uri": "s3://bucket/run/model/",
        "instance_type": "ml.m5.large",
        "max_seconds": 3600,
        "tags": {"matinee:catalog": "films"},
    }
    return jobs.training_job(**{**given, **changes})


def model_request(**changes: str) -> "CreateModelInputTypeDef":
    given = {
        "name": "matinee-run",
        "image": IMAGE,
        "role_arn": ROLE,
        "model_uri": "s3://bucket/model.tar.gz",
    }
    return jobs.model(**{**given, **changes})


def config_request(**changes: Any) -> "CreateEndpointConfigInputTypeDef":
    given: dict[str, Any] = {
        "name": "matinee-run",
        "model_name": "matinee-run",
        "variant": "run",
        "instance_type": "ml.t2.medium",
        "instance_count": 1,
    }
    return jobs.endpoint_config(**{**given, **changes})


@pytest.fixture
def configs(stage: Stage) -> list[str]:
    """Two endpoint configs, old and new."""
    for name in ("old", "new"):
        sagemaker.ensure_model(model_request(name=name))
        sagemaker.ensure_endpoint_config(config_request(name=name, model_name=name, variant=name))
    return ["old", "new"]


def test_a_training_job_starts_once(stage: Stage) -> None:
    sagemaker.ensure_training_job(job_request())
    before = dict(stage.sagemaker.jobs["matinee-run"])
    sagemaker.ensure_training_job(job_request())
    assert stage.sagemaker.jobs == {"matinee-run": before}
    assert sagemaker.describe_training_job("matinee-run")["TrainingJobStatus"] == "InProgress"


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"hyperparameters": {"epochs": "41"}}, "HyperParameters"),
        ({"channels": {"train": "s3://bucket/other/train/"}}, "channels"),
        ({"channels": {"train": "s3://bucket/run/train/", "test": "s3://other/"}}, "channels"),
    ],
)
def test_another_job_of_that_name_is_a_conflict(
    stage: Stage, changes: dict[str, Any], difference: str
) -> None:
    sagemaker.ensure_training_job(job_request())
    with pytest.raises(ConflictingResourceError, match=difference):
        sagemaker.ensure_training_job(job_request(**changes))


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "Completed", "Failed", None])
def test_stopping_a_job_that_ended_or_never_was_is_as_good(
    stage: Stage, status: str | None
) -> None:
    if status is not None:
        sagemaker.ensure_training_job(job_request())
        stage.sagemaker.end("matinee-run", status, status)
    sagemaker.stop_training_job("matinee-run")
    found = {name: job["TrainingJobStatus"] for name, job in stage.sagemaker.jobs.items()}
    at_work = status in ("InProgress", "Stopping")
    assert found == ({} if status is None else {"matinee-run": "Stopping" if at_work else status})


def test_a_model_is_made_once(stage: Stage) -> None:
    sagemaker.ensure_model(model_request())
    sagemaker.ensure_model(model_request())
    assert list(stage.sagemaker.models) == ["matinee-run"]


@pytest.mark.parametrize("change", [{"image": "another"}, {"model_uri": "s3://bucket/other"}])
def test_another_model_of_that_name_is_a_conflict(stage: Stage, change: dict[str, str]) -> None:
    sagemaker.ensure_model(model_request())
    with pytest.raises(ConflictingResourceError, match="model matinee-run exists already"):
        sagemaker.ensure_model(model_request(**change))


def test_a_config_is_made_once(stage: Stage, configs: list[str]) -> None:
    for name in configs:
        sagemaker.ensure_endpoint_config(config_request(name=name, model_name=name, variant=name))
    assert list(stage.sagemaker.configs) == configs


@pytest.mark.parametrize(
    "change",
    [{"instance_type": "ml.m5.large"}, {"instance_count": 2}, {"variant": "x"}],
    ids=str,
)
def test_another_config_of_that_name_is_a_conflict(
    stage: Stage, configs: list[str], change: dict[str, Any]
) -> None:
    given = {"name": "new", "model_name": "new", "variant": "new", **change}
    with pytest.raises(ConflictingResourceError, match="endpoint config new exists already"):
        sagemaker.ensure_endpoint_config(config_request(**given))


def test_an_endpoint_that_is_not_there_is_made(stage: Stage, configs: list[str]) -> None:
    sagemaker.ensure_endpoint("matinee-films", "new")
    found = stage.sagemaker.endpoints["matinee-films"]
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("Creating", "new")


def test_making_an_endpoint_again_finds_it_under_way(stage: Stage, configs: list[str]) -> None:
    for _ in range(2):
        sagemaker.ensure_endpoint("matinee-films", "new")
    assert stage.sagemaker.endpoints["matinee-films"]["EndpointStatus"] == "Creating"


def test_an_endpoint_in_service_is_moved_to_the_new_config(
    stage: Stage, configs: list[str]
) -> None:
    sagemaker.ensure_endpoint("matinee-films", "old")
    stage.sagemaker.settle("matinee-films")
    for _ in range(2):
        sagemaker.ensure_endpoint("matinee-films", "new")
    found = stage.sagemaker.endpoints["matinee-films"]
    assert found["EndpointStatus"] == "Updating"
    assert found["PendingDeploymentSummary"] == {"EndpointConfigName": "new"}


def test_an_endpoint_that_serves_the_config_is_left_alone(stage: Stage, configs: list[str]) -> None:
    sagemaker.ensure_endpoint("matinee-films", "new")
    stage.sagemaker.settle("matinee-films")
    before = dict(stage.sagemaker.endpoints["matinee-films"])
    sagemaker.ensure_endpoint("matinee-films", "new")
    assert stage.sagemaker.endpoints["matinee-films"] == before


def test_an_endpoint_at_work_for_another_run_is_busy(stage: Stage, configs: list[str]) -> None:
    sagemaker.ensure_endpoint("matinee-films", "old")
    with pytest.raises(EndpointBusyError, match="matinee-films is Creating"):
        sagemaker.ensure_endpoint("matinee-films", "new")


@pytest.mark.parametrize("config", ["old", "new"])
def test_an_endpoint_that_never_served_is_made_anew(
    stage: Stage, configs: list[str], config: str
) -> None:
    sagemaker.ensure_endpoint("matinee-films", "old")
    stage.sagemaker.break_off("matinee-films", "no capacity")
    for _ in range(2):  # to be deleted, and being deleted
        with pytest.raises(EndpointBusyError):
            sagemaker.ensure_endpoint("matinee-films", config)
        assert stage.sagemaker.endpoints["matinee-films"]["EndpointStatus"] == "Deleting"
    del stage.sagemaker.endpoints["matinee-films"]
    sagemaker.ensure_endpoint("matinee-films", config)
    found = stage.sagemaker.endpoints["matinee-films"]
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("Creating", config)


def test_an_endpoint_that_is_not_there_is_none(stage: Stage) -> None:
    assert sagemaker.describe_endpoint("matinee-films") is None


@pytest.mark.parametrize(
    ("operation", "act"),
    [
        ("CreateTrainingJob", lambda: sagemaker.ensure_training_job(job_request())),
        ("DescribeTrainingJob", lambda: sagemaker.describe_training_job("matinee-run")),
        ("StopTrainingJob", lambda: sagemaker.stop_training_job("matinee-run")),
        ("CreateModel", lambda: sagemaker.ensure_model(model_request())),
        ("CreateEndpointConfig", lambda: sagemaker.ensure_endpoint_config(config_request())),
        ("DescribeEndpoint", lambda: sagemaker.ensure_endpoint("matinee-films", "new")),
        ("CreateEndpoint", lambda: sagemaker.ensure_endpoint("matinee-films", "new")),
    ],
)
def test_a_throttled_call_is_to_be_tried_again(stage: Stage, operation: str, act: Any) -> None:
    stage.sagemaker.troubles[operation] = [RefusalError("ThrottlingException", "Rate exceeded")]
    with pytest.raises(ServiceUnavailableError, match=f"sagemaker:{operation}"):
        act()


def test_a_refusal_is_not_taken_for_an_existing_resource(stage: Stage) -> None:
    refusal = RefusalError("ValidationException", "Could not access model data")
    stage.sagemaker.troubles["CreateModel"] = [refusal]
    with pytest.raises(Exception, match="Could not access model data"):
        sagemaker.ensure_model(model_request())
