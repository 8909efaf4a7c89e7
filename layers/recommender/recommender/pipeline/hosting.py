"""What an endpoint's description means for the run that asked for it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recommender.errors import EndpointFailedError, EndpointOverdueError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import DescribeEndpointOutputTypeDef

_WILL_NOT_SERVE = frozenset({"Failed", "OutOfService", "Deleting", "UpdateRollbackFailed"})


def serving_state(
    name: str,
    endpoint: "DescribeEndpointOutputTypeDef | None",
    *,
    config: str,
    requested_at: datetime,
    limit_seconds: float,
    now: datetime | None = None,
) -> str:
    """Read an endpoint's description.

    SageMaker goes back to ``InService`` when an update fails, so only ``InService`` with the
    config that was asked for is success.

    Returns:
        ``InService`` when our config serves, else the status of an endpoint still at work.
    Raises:
        EndpointFailedError: it serves another config, or nothing.
        EndpointOverdueError: it is still at work after ``limit_seconds``.
    """
    if endpoint is None:
        raise EndpointFailedError(name, "it does not exist any more")
    status = endpoint["EndpointStatus"]
    reason = endpoint.get("FailureReason", "no reason was given")
    if status == "InService":
        if endpoint.get("EndpointConfigName") == config:
            return status
        raise EndpointFailedError(name, f"the update failed: {reason}")
    if status in _WILL_NOT_SERVE:
        raise EndpointFailedError(name, f"it is {status}: {reason}")
    if ((now or datetime.now(UTC)) - requested_at).total_seconds() > limit_seconds:
        raise EndpointOverdueError(name, limit_seconds)
    return status
