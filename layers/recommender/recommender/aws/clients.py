"""boto3 clients, made on first use, and AWS's passing troubles told from its refusals."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as NoConnectionError

from recommender.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

_PASSING = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ResourceLimitExceeded",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5)

# A caller waits for an endpoint, and API Gateway for 29 s at most: after two tries there must be
# time left to answer without it.
_WHILE_SOMEBODY_WAITS = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=8
)


@cache
def s3() -> "S3Client":
    """S3."""
    return boto3.client("s3", config=_CONFIG)


@cache
def dynamodb() -> "DynamoDBClient":
    """DynamoDB."""
    return boto3.client("dynamodb", config=_CONFIG)


@cache
def sagemaker() -> "SageMakerClient":
    """SageMaker's control plane."""
    return boto3.client("sagemaker", config=_CONFIG)


@cache
def sagemaker_runtime() -> "SageMakerRuntimeClient":
    """SageMaker's endpoints."""
    return boto3.client("sagemaker-runtime", config=_WHILE_SOMEBODY_WAITS)


@cache
def stepfunctions() -> "SFNClient":
    """Step Functions."""
    return boto3.client("stepfunctions", config=_CONFIG)


@cache
def sns() -> "SNSClient":
    """SNS."""
    return boto3.client("sns", config=_CONFIG)


def error_code(error: ClientError) -> str:
    """The service's own name of an error."""
    return error.response.get("Error", {}).get("Code", "")


def error_message(error: ClientError) -> str:
    """The service's own words."""
    return error.response.get("Error", {}).get("Message", "")


@contextmanager
def passing_troubles(operation: str) -> Iterator[None]:
    """Turn throttling, broken connections and 5xx into ``ServiceUnavailableError``, nothing else.

    Raises:
        ServiceUnavailableError: the same call may succeed later.
    """
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if error_code(error) in _PASSING or status == 429 or status >= 500:
            raise ServiceUnavailableError(operation, error_code(error)) from error
        raise
    except (NoConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise ServiceUnavailableError(operation, type(error).__name__) from error
