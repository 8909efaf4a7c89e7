"""What a training job's description means for its run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recommender.errors import TrainingFailedError, TrainingOverdueError, TrainingStoppedError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import DescribeTrainingJobResponseTypeDef

QUEUE_SECONDS = 1800
"""How long a job may wait for a machine before its run gives up, on top of its own limit."""

_MOST_LOOKS = 2_400
"""An execution's history ends at 25,000 events, and one look at the job takes ten."""

_AT_WORK = frozenset({"InProgress", "Stopping"})


@dataclass(frozen=True)
class TrainingState:
    """One look at a training job."""

    job: str
    status: str
    secondary_status: str
    model_uri: str | None
    reason: str
    metrics: Mapping[str, float]
    limit_seconds: float
    overdue: bool

    def raise_if_bad(self) -> None:
        """Raise unless the job is done well or still at work.

        A job that is stopping is still at work: only its end tells why it stopped.

        Raises:
            TrainingFailedError, TrainingStoppedError, TrainingOverdueError: by how it ended.
        """
        if self.status == "Failed":
            raise TrainingFailedError(self.job, self.reason or "no reason was given")
        if self.overdue or self.secondary_status == "MaxRuntimeExceeded":
            raise TrainingOverdueError(self.job, self.limit_seconds)
        if self.status == "Stopped":
            raise TrainingStoppedError(self.job, self.secondary_status)

    def to_dict(self) -> dict[str, object]:
        """For the state machine."""
        return {
            "status": self.status,
            "secondaryStatus": self.secondary_status,
            "modelUri": self.model_uri,
            "metrics": dict(self.metrics),
        }


def poll_seconds(wanted: int, limit_seconds: int) -> int:
    """Stretch the time between two looks at a job, so that its longest life fits the history."""
    return max(wanted, math.ceil((limit_seconds + QUEUE_SECONDS) / _MOST_LOOKS))


def outcome(
    job: "DescribeTrainingJobResponseTypeDef", limit_seconds: float, now: datetime | None = None
) -> TrainingState:
    """Read a job's description.

    Args:
        limit_seconds: how long the job itself may train.
        now: the time to judge by; the clock's when None.
    """
    age = ((now or datetime.now(UTC)) - job["CreationTime"]).total_seconds()
    status = job["TrainingJobStatus"]
    return TrainingState(
        job=job["TrainingJobName"],
        status=status,
        secondary_status=job.get("SecondaryStatus", ""),
        model_uri=job.get("ModelArtifacts", {}).get("S3ModelArtifacts"),
        reason=job.get("FailureReason", ""),
        metrics={
            metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList", [])
        },
        limit_seconds=limit_seconds,
        overdue=status in _AT_WORK and age > limit_seconds + QUEUE_SECONDS,
    )
