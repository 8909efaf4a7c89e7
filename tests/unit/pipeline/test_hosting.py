"""What an endpoint's description means for the run that asked for it."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import botocore.session
import pytest
from recommender.errors import EndpointFailedError, EndpointOverdueError
from recommender.pipeline.hosting import serving_state

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import DescribeEndpointOutputTypeDef

ASKED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
LIMIT = 600
AT_WORK = ["Creating", "Updating", "SystemUpdating", "RollingBack"]


def look(endpoint: dict[str, str] | None, after: float = 60) -> str:
    return serving_state(
        "matinee-films",
        cast("DescribeEndpointOutputTypeDef | None", endpoint),
        config="matinee-new",
        requested_at=ASKED,
        limit_seconds=LIMIT,
        now=ASKED + timedelta(seconds=after),
    )


def test_in_service_with_our_config_is_success() -> None:
    assert look({"EndpointStatus": "InService", "EndpointConfigName": "matinee-new"}) == "InService"


def test_in_service_with_our_config_is_success_however_late() -> None:
    endpoint = {"EndpointStatus": "InService", "EndpointConfigName": "matinee-new"}
    assert look(endpoint, after=100 * LIMIT) == "InService"


def test_in_service_with_another_config_is_a_failed_update() -> None:
    endpoint = {
        "EndpointStatus": "InService",
        "EndpointConfigName": "matinee-old",
        "FailureReason": "Unable to provision",
    }
    with pytest.raises(EndpointFailedError) as caught:
        look(endpoint)
    assert str(caught.value) == ("endpoint matinee-films: the update failed: Unable to provision")


@pytest.mark.parametrize("config", ["matinee-old", "matinee-new"])
@pytest.mark.parametrize("status", AT_WORK)
def test_an_endpoint_at_work_is_waited_for(status: str, config: str) -> None:
    assert look({"EndpointStatus": status, "EndpointConfigName": config}) == status


@pytest.mark.parametrize("status", ["Failed", "OutOfService", "Deleting", "UpdateRollbackFailed"])
def test_an_endpoint_that_will_not_serve_is_a_failure(status: str) -> None:
    with pytest.raises(EndpointFailedError, match=f"it is {status}: no reason was given"):
        look({"EndpointStatus": status, "EndpointConfigName": "matinee-new"})


def test_an_endpoint_that_is_gone_is_a_failure() -> None:
    with pytest.raises(EndpointFailedError, match="does not exist any more"):
        look(None)


@pytest.mark.parametrize("status", AT_WORK)
def test_an_endpoint_at_work_has_a_deadline(status: str) -> None:
    assert look({"EndpointStatus": status}, after=LIMIT) == status
    with pytest.raises(EndpointOverdueError, match="within 600 s"):
        look({"EndpointStatus": status}, after=LIMIT + 1)


def test_every_status_that_sagemaker_knows_has_a_meaning() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    for status in model.shape_for("EndpointStatus").enum:  # type: ignore[attr-defined]
        if status in ("InService", *AT_WORK):
            continue
        with pytest.raises(EndpointFailedError):
            look({"EndpointStatus": status})
