"""What a batch transform job's description and its answers mean."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from recommender.errors import (
    MismatchedScoresError,
    TransformFailedError,
    TransformOverdueError,
    TransformStoppedError,
)
from recommender.features import Float64s
from recommender.pipeline.training import QUEUE_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import DescribeTransformJobResponseTypeDef


@dataclass(frozen=True)
class TransformState:
    """One look at a batch transform job."""

    job: str
    status: str
    reason: str
    limit_seconds: float
    overdue: bool

    def raise_if_bad(self) -> None:
        """Raise unless the job is done well or still at work.

        Raises:
            TransformFailedError, TransformStoppedError, TransformOverdueError: by how it ended.
        """
        if self.status == "Failed":
            raise TransformFailedError(self.job, self.reason or "no reason was given")
        if self.overdue:
            raise TransformOverdueError(self.job, self.limit_seconds)
        if self.status == "Stopped":
            raise TransformStoppedError(self.job)


def outcome(
    job: "DescribeTransformJobResponseTypeDef", limit_seconds: float, now: datetime | None = None
) -> TransformState:
    """Read a job's description. SageMaker itself sets no limit to it.

    Args:
        limit_seconds: how long the job itself may take, beside waiting for a machine.
        now: the time to judge by; the clock's when None.
    """
    age = ((now or datetime.now(UTC)) - job["CreationTime"]).total_seconds()
    status = job["TransformJobStatus"]
    return TransformState(
        job=job["TransformJobName"],
        status=status,
        reason=job.get("FailureReason", ""),
        limit_seconds=limit_seconds,
        overdue=status in ("InProgress", "Stopping") and age > limit_seconds + QUEUE_SECONDS,
    )


def scores_in(answers: bytes | None, rows: int, where: str) -> Float64s:
    """Read what a job answered of one object.

    Args:
        answers: JSON Lines with a ``score`` each; None if there are none.
        rows: how many rows the object holds.
        where: the answers' name, for messages.

    Returns:
        ``(rows,)`` scores, in the order of the rows.

    Raises:
        MismatchedScoresError: they are not one finite number for each row.
    """
    if answers is None:
        raise MismatchedScoresError(where, rows, "no answer at all")
    lines = [line for line in answers.split(b"\n") if line.strip()]
    if len(lines) != rows:
        raise MismatchedScoresError(where, rows, f"{len(lines):,}")
    try:
        told = json.loads(b"[%s]" % b",".join(lines))  # one text is read faster than many
        scores = np.array([one["score"] for one in told], np.float64)
    except (ValueError, TypeError, KeyError) as error:
        found = f"an answer that is none ({type(error).__name__}: {str(error)[:100]})"
        raise MismatchedScoresError(where, rows, found) from error
    if scores.size != rows:
        raise MismatchedScoresError(where, rows, f"{scores.size:,}")
    if not np.isfinite(scores).all():
        raise MismatchedScoresError(where, rows, "some that are no finite numbers")
    return scores
