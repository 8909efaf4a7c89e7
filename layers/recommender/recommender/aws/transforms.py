"""SageMaker's batch transform jobs: start one once, look at it, stop it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from recommender.aws.clients import error_code, passing_troubles, sagemaker
from recommender.errors import ConflictingResourceError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import (
        CreateTransformJobRequestTypeDef,
        DescribeTransformJobResponseTypeDef,
    )

_ABSENT = frozenset({"ValidationException", "ResourceNotFound"})


def ensure_transform_job(request: "CreateTransformJobRequestTypeDef") -> None:
    """Start the job, or find that an earlier attempt did.

    Raises:
        ConflictingResourceError: a job of that name does something else.
    """
    name = request["TransformJobName"]
    with passing_troubles("sagemaker:CreateTransformJob"):
        try:
            sagemaker().create_transform_job(**request)
        except ClientError as error:
            if error_code(error) != "ResourceInUse":
                raise
            found = sagemaker().describe_transform_job(TransformJobName=name)
            wanted, has = _facts(request), _facts(found)
            for key, value in wanted.items():
                if has[key] != value:
                    difference = f"{key} is {has[key]!r}, not {value!r}"
                    raise ConflictingResourceError("transform job", name, difference) from None


def describe_transform_job(name: str) -> "DescribeTransformJobResponseTypeDef":
    """Look at a transform job."""
    with passing_troubles("sagemaker:DescribeTransformJob"):
        return sagemaker().describe_transform_job(TransformJobName=name)


def stop_transform_job(name: str) -> None:
    """Stop a job if it runs; one that ended, or never was, is as good."""
    with passing_troubles("sagemaker:StopTransformJob"):
        try:
            sagemaker().stop_transform_job(TransformJobName=name)
        except ClientError as error:
            if error_code(error) not in _ABSENT:
                raise


def _facts(job: Mapping[str, object]) -> dict[str, object]:
    source, target = job["TransformInput"], job["TransformOutput"]
    assert isinstance(source, dict)  # noqa: S101  # both the request's and the answer's model
    assert isinstance(target, dict)  # noqa: S101  # say so
    return {
        "ModelName": job["ModelName"],
        "input": source["DataSource"]["S3DataSource"]["S3Uri"],
        "output": target["S3OutputPath"],
    }
