"""What a training job's description means for its run."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from recommender.errors import TrainingFailedError, TrainingOverdueError, TrainingStoppedError
from recommender.pipeline.training import QUEUE_SECONDS, TrainingState, outcome, poll_seconds

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import DescribeTrainingJobResponseTypeDef

CREATED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
LIMIT = 600


def look(status: str, secondary: str = "", after: float = 60, **facts: object) -> TrainingState:
    job: dict[str, Any] = {
        "TrainingJobName": "matinee-run",
        "TrainingJobStatus": status,
        "SecondaryStatus": secondary or status,
        "CreationTime": CREATED,
        **facts,
    }
    now = CREATED + timedelta(seconds=after)
    return outcome(cast("DescribeTrainingJobResponseTypeDef", job), LIMIT, now)


def test_a_completed_job_names_its_model_and_its_figures() -> None:
    state = look(
        "Completed",
        ModelArtifacts={"S3ModelArtifacts": "s3://bucket/model.tar.gz"},
        FinalMetricDataList=[
            {"MetricName": "test:binary_classification_accuracy", "Value": 0.71},
            {"MetricName": "train:binary_classification_cross_entropy", "Value": 0.5},
        ],
    )
    state.raise_if_bad()
    assert state.to_dict() == {
        "status": "Completed",
        "secondaryStatus": "Completed",
        "modelUri": "s3://bucket/model.tar.gz",
        "metrics": {
            "test:binary_classification_accuracy": 0.71,
            "train:binary_classification_cross_entropy": 0.5,
        },
    }


@pytest.mark.parametrize("secondary", ["Starting", "Downloading", "Training", "Uploading"])
def test_a_job_at_work_is_no_error_and_has_no_model_yet(secondary: str) -> None:
    state = look("InProgress", secondary)
    state.raise_if_bad()
    assert state.to_dict() == {
        "status": "InProgress",
        "secondaryStatus": secondary,
        "modelUri": None,
        "metrics": {},
    }


def test_a_failed_job_says_why() -> None:
    with pytest.raises(TrainingFailedError) as caught:
        look("Failed", FailureReason="ClientError: epochs must be 1 or more").raise_if_bad()
    assert str(caught.value) == (
        "training job matinee-run failed: ClientError: epochs must be 1 or more"
    )


def test_a_failed_job_without_a_reason_says_that() -> None:
    with pytest.raises(TrainingFailedError, match="no reason was given"):
        look("Failed").raise_if_bad()


def test_a_job_that_was_stopped_is_an_error() -> None:
    with pytest.raises(TrainingStoppedError, match="Stopped"):
        look("Stopped").raise_if_bad()


def test_a_job_that_stops_is_at_work_until_its_end_tells_why() -> None:
    state = look("Stopping")
    state.raise_if_bad()
    assert state.status == "Stopping"


def test_a_job_stopped_by_its_own_limit_is_overdue_and_not_stopped() -> None:
    with pytest.raises(TrainingOverdueError, match="within 600 s"):
        look("Stopped", "MaxRuntimeExceeded").raise_if_bad()


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_a_job_may_wait_for_a_machine_and_then_train_for_its_limit(status: str) -> None:
    look(status, "Training", after=LIMIT + QUEUE_SECONDS).raise_if_bad()
    overdue = look(status, "Training", after=LIMIT + QUEUE_SECONDS + 1)
    assert overdue.overdue
    with pytest.raises(TrainingOverdueError):
        overdue.raise_if_bad()


def test_a_job_that_completed_late_is_as_good_as_any() -> None:
    state = look("Completed", after=10 * (LIMIT + QUEUE_SECONDS))
    state.raise_if_bad()
    assert not state.overdue


def test_without_a_time_to_judge_by_the_clock_counts() -> None:
    job = {
        "TrainingJobName": "matinee-run",
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Training",
        "CreationTime": datetime.now(UTC) - timedelta(days=1),
    }
    assert outcome(cast("DescribeTrainingJobResponseTypeDef", job), LIMIT).overdue


@pytest.mark.parametrize("limit", [60, 3_600, 86_400, 432_000])
@pytest.mark.parametrize("wanted", [1, 30, 300])
def test_the_longest_job_fits_an_executions_history(wanted: int, limit: int) -> None:
    seconds = poll_seconds(wanted, limit)
    assert seconds >= wanted
    assert 10 * (limit + QUEUE_SECONDS) / seconds <= 24_500  # of 25,000 events


def test_a_job_that_fits_is_looked_at_as_often_as_wanted() -> None:
    assert poll_seconds(30, 3_600) == 30
