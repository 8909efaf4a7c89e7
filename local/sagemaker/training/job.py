"""A training job as the API describes it: its status, its story, its metrics."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from local.sagemaker.account.answers import present, said_back
from local.sagemaker.account.registry import Caller
from local.sagemaker.jobs.job import Job
from local.sagemaker.storage.s3 import Location
from local.sagemaker.training.metrics import Metric

if TYPE_CHECKING:
    from typing import Self

    from mypy_boto3_sagemaker.type_defs import CreateTrainingJobRequestTypeDef

DEFAULT_MAX_RUNTIME = 86_400
"""Seconds, when StoppingCondition does not say."""

_SAID_BACK = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "ExperimentConfig",
    "Environment",
    "RetryStrategy",
)


@dataclass
class Transition:
    """A stretch of time in one secondary status; ``ended`` is ``None`` while it lasts."""

    status: str
    message: str
    started: float
    ended: float | None = None


@dataclass
class TrainingJob(Job):
    """A training job. Change it in the registry's ``changing``, with its methods."""

    kind: ClassVar[str] = "training"

    request: "CreateTrainingJobRequestTypeDef"
    caller: Caller
    secondary: str = "Starting"
    transitions: list[Transition] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> "Self":
        """The job whose kept fields these are."""
        parts = {
            "caller": Caller(**kept["caller"]),
            "transitions": [Transition(**one) for one in kept["transitions"]],
            "metrics": [Metric(**one) for one in kept["metrics"]],
        }
        return cls(**{**kept, **parts})

    @property
    def artifact(self) -> Location:
        """Where the model goes: ``<S3OutputPath>/<job>/output/model.tar.gz``."""
        output = Location.parse(self.request["OutputDataConfig"]["S3OutputPath"])
        return output.below(self.name, "output", "model.tar.gz")

    @property
    def max_runtime(self) -> float:
        """Seconds that the job may run."""
        condition = self.request.get("StoppingCondition", {})
        return condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME)

    def enter(self, secondary: str, message: str) -> None:
        """Go on to a secondary status."""
        self.modified = time.time()
        self.secondary = secondary
        if self.transitions:
            self.transitions[-1].ended = self.modified
        self.transitions.append(Transition(secondary, message, self.modified))

    def begin_stopping(self) -> None:
        """Go into the status ``Stopping``, the secondary one too."""
        super().begin_stopping()
        self.enter("Stopping", "Stopping the training job")

    def give_up(self, reason: str) -> None:
        """End ``Stopped`` if that was asked, else ``Failed``."""
        if self.status == "Stopping":
            self.end("Stopped", "Stopped", "Training job stopped")
        else:
            self.failure_reason = reason
            self.end("Failed", "Failed", "Training job failed")

    def end(self, status: str, secondary: str, message: str) -> None:
        """Reach a terminal status."""
        self.enter(secondary, message)
        self.transitions[-1].ended = self.ended = self.modified
        self.status = status

    def description(self) -> dict[str, object]:
        """The answer of DescribeTrainingJob."""
        answer: dict[str, object] = {
            "TrainingJobName": self.name,
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary,
            "ModelArtifacts": {"S3ModelArtifacts": self.artifact.uri},
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "SecondaryStatusTransitions": [
                present(
                    Status=transition.status,
                    StartTime=transition.started,
                    EndTime=transition.ended,
                    StatusMessage=transition.message,
                )
                for transition in self.transitions
            ],
            **present(
                FailureReason=self.failure_reason,
                TrainingStartTime=self.started,
                TrainingEndTime=self.ended,
            ),
        }
        answer.update(said_back(self.request, _SAID_BACK))
        if self.metrics and self.ended is not None:
            answer["FinalMetricDataList"] = [
                {"MetricName": metric.name, "Value": metric.value, "Timestamp": self.ended}
                for metric in self.metrics
            ]
        if self.started is not None and self.ended is not None:
            seconds = max(1, round(self.ended - self.started))
            answer["TrainingTimeInSeconds"] = answer["BillableTimeInSeconds"] = seconds
        return answer

    def summary(self) -> dict[str, object]:
        """The job in a list."""
        return {
            "TrainingJobName": self.name,
            "TrainingJobArn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary,
            **present(TrainingEndTime=self.ended),
        }
