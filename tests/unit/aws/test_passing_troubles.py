"""AWS's passing troubles told from its refusals."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from recommender.aws.clients import passing_troubles
from recommender.errors import ServiceUnavailableError

NAME = "sagemaker:CreateModel"
URL = "https://sagemaker.us-east-1.amazonaws.com"


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "words"},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "CreateModel",
    )


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException"),
        client_error("Throttling"),
        client_error("SlowDown", 503),
        client_error("ProvisionedThroughputExceededException"),
        client_error("ResourceLimitExceeded"),
        client_error("RequestLimitExceeded"),
        client_error("AnythingAtAll", 429),
        client_error("AnythingAtAll", 500),
        client_error("", 503),
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
    ],
    ids=repr,
)
def test_what_may_succeed_later_is_to_be_tried_again(error: Exception) -> None:
    with pytest.raises(ServiceUnavailableError) as caught, passing_troubles(NAME):
        raise error
    assert caught.value.operation == NAME
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        client_error("AccessDeniedException", 403),
        client_error("ValidationException"),
        client_error("NoSuchKey", 404),
        client_error("ConditionalCheckFailedException"),
        ParamValidationError(report="Missing required parameter"),
        ValueError("ours"),
    ],
    ids=repr,
)
def test_what_would_only_fail_again_is_let_through(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, passing_troubles(NAME):
        raise error
    assert caught.value is error


def test_what_goes_well_is_left_alone() -> None:
    with passing_troubles(NAME):
        done = True
    assert done
