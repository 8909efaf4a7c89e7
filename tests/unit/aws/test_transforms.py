"""Batch transform jobs: "already exists" is success only when it is what was asked for."""

from typing import TYPE_CHECKING

import pytest
from recommender.aws import transforms
from recommender.errors import ConflictingResourceError, ServiceUnavailableError
from recommender.pipeline import jobs

from testbed.sagemaker import RefusalError
from testbed.stage import Stage

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import CreateTransformJobRequestTypeDef


def request(**changes: str) -> "CreateTransformJobRequestTypeDef":
    given = {
        "name": "matinee-films-0",
        "model_name": "matinee-run",
        "input_uri": "s3://bucket/scores/films/pairs/_work/rows/",
        "output_uri": "s3://bucket/scores/films/pairs/_work/answers/",
        "instance_type": "ml.m5.large",
    }
    return jobs.transform_job(**{**given, **changes}, tags={"matinee:catalog": "films"})


@pytest.fixture(autouse=True)
def models(stage: Stage) -> None:
    stage.sagemaker.models |= {"matinee-run": {}, "matinee-other": {}}


def test_a_job_that_is_asked_for_twice_is_started_once(stage: Stage) -> None:
    for _ in range(2):
        transforms.ensure_transform_job(request())
    assert list(stage.sagemaker.transforms) == ["matinee-films-0"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_name": "matinee-other"}, "ModelName is"),
        ({"input_uri": "s3://bucket/else/"}, "input is"),
        ({"output_uri": "s3://bucket/else/"}, "output is"),
    ],
)
def test_a_job_of_that_name_that_does_something_else_is_a_conflict(
    stage: Stage, change: dict[str, str], words: str
) -> None:
    transforms.ensure_transform_job(request())
    with pytest.raises(ConflictingResourceError, match=words):
        transforms.ensure_transform_job(request(**change))
    assert len(stage.sagemaker.transforms) == 1


def test_another_machine_is_no_conflict(stage: Stage) -> None:
    """An operator may have changed the parameter between two attempts."""
    transforms.ensure_transform_job(request())
    transforms.ensure_transform_job(request(instance_type="ml.m5.xlarge"))
    assert len(stage.sagemaker.transforms) == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "ResourceLimitExceeded"])
def test_throttling_and_quotas_pass(stage: Stage, code: str) -> None:
    stage.sagemaker.troubles["CreateTransformJob"] = [RefusalError(code, "slow")]
    with pytest.raises(ServiceUnavailableError):
        transforms.ensure_transform_job(request())


def test_stopping_what_ended_or_never_was_is_as_good(stage: Stage) -> None:
    transforms.stop_transform_job("never-was")
    transforms.ensure_transform_job(request())
    job = stage.sagemaker.transforms["matinee-films-0"]
    job["TransformJobStatus"] = "Completed"
    transforms.stop_transform_job("matinee-films-0")
    assert job["TransformJobStatus"] == "Completed"
