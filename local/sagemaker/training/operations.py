"""Training jobs: what the API says about them. ``run`` does the work."""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.sagemaker.account.answers import present, said_back
from local.sagemaker.account.listing import page
from local.sagemaker.account.registry import Caller, Record, Registry
from local.sagemaker.account.tags import tags_of
from local.sagemaker.faults import ResourceInUseError, ValidationError
from local.sagemaker.storage.s3 import Location
from local.sagemaker.training.metrics import Metric

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import CreateTrainingJobRequestTypeDef

    from local.sagemaker.training.run import TrainingRunner

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
class TrainingJob(Record):
    """A training job. Change it under the registry's lock, with the methods below."""

    request: "CreateTrainingJobRequestTypeDef"
    caller: Caller
    status: str = "InProgress"
    secondary: str = "Starting"
    failure_reason: str | None = None
    started: float | None = None
    ended: float | None = None
    transitions: list[Transition] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    stop_asked: threading.Event = field(default_factory=threading.Event)

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


class TrainingJobs:
    """CreateTrainingJob and its companions."""

    def __init__(self, registry: Registry, runner: "TrainingRunner") -> None:
        self._lock = registry.lock
        self._jobs = registry.table(TrainingJob)
        self._runner = runner

    def create(
        self, request: "CreateTrainingJobRequestTypeDef", caller: Caller
    ) -> dict[str, object]:
        """Start a job.

        Raises:
            ResourceInUseError: there was a job of that name.
            ValidationError: the service would refuse the request, or a laptop cannot serve it.
        """
        _check(request)
        name = request["TrainingJobName"]
        job = TrainingJob(
            name,
            caller.arn("training-job", name),
            request,
            caller,
            tags=tags_of(request.get("Tags", ())),
        )
        job.enter("Starting", "Preparing the instances for training")
        if not self._jobs.add(job):
            raise ResourceInUseError(
                "Training job names must be unique within an AWS account and region, and a "
                f"training job with this name already exists ({job.arn})"
            )
        self._runner.start(job)
        return {"TrainingJobArn": job.arn}

    def describe(self, request: Mapping[str, str], _: Caller) -> dict[str, object]:
        """Say everything about a job."""
        with self._lock:
            return self._find(request).description()

    def list(self, request: Mapping[str, object], _: Caller) -> dict[str, object]:
        """List jobs, the oldest first unless asked otherwise."""
        with self._lock:
            shown = page(
                self._jobs.all(), request, status=lambda job: job.status, newest_first=False
            )
            return shown.answer("TrainingJobSummaries", TrainingJob.summary)

    def stop(self, request: Mapping[str, str], _: Caller) -> dict[str, object]:
        """Ask a running job to stop.

        Raises:
            ValidationError: there is no such job, or it has ended.
        """
        with self._lock:
            job = self._find(request)
            if job.status == "InProgress":
                job.status = "Stopping"
                job.enter("Stopping", "Stopping the training job")
                job.stop_asked.set()
            elif job.status != "Stopping":
                raise ValidationError(
                    f"The request was rejected because the training job is in status {job.status}."
                )
        return {}

    def _find(self, request: Mapping[str, str]) -> TrainingJob:
        job = self._jobs.get(request["TrainingJobName"])
        if job is None:
            raise ValidationError("Requested resource not found.")
        return job


def _check(request: "CreateTrainingJobRequestTypeDef") -> None:
    """What the service checks beyond its model, and what a laptop has not got.

    Raises:
        ValidationError: naming every problem at once.
    """
    problems: list[str] = []
    algorithm = request.get("AlgorithmSpecification")
    if algorithm is None or "TrainingImage" not in algorithm:
        problems.append("AlgorithmSpecification.TrainingImage is required")
    else:
        if algorithm["TrainingInputMode"] == "Pipe":
            problems.append(f"{_LOCAL} gives channels as files: TrainingInputMode Pipe")
        for definition in algorithm.get("MetricDefinitions", ()):
            try:
                re.compile(definition["Regex"])
            except re.error as error:
                problems.append(f"MetricDefinitions {definition['Name']}: {error}")
    problems.extend(
        f"{required} is required"
        for required in ("ResourceConfig", "StoppingCondition")
        if required not in request
    )
    condition = request.get("StoppingCondition", {})
    runtime = condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME)
    if request.get("EnableManagedSpotTraining") and condition.get("MaxWaitTimeInSeconds", 0) < (
        runtime
    ):
        problems.append(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
            "MaxRuntimeInSeconds"
        )
    problems.extend(_channel_problems(request))
    output = request["OutputDataConfig"]
    Location.parse(output["S3OutputPath"])
    if output.get("CompressionType", "GZIP") != "GZIP":
        problems.append(f"{_LOCAL} has no OutputDataConfig.CompressionType NONE")
    if problems:
        raise ValidationError("; ".join(problems))


_LOCAL = "the local SageMaker"


def _channel_problems(request: "CreateTrainingJobRequestTypeDef") -> list[str]:
    problems: list[str] = []
    seen: set[str] = set()
    for channel in request.get("InputDataConfig", ()):
        name = channel["ChannelName"]
        if name in seen:
            problems.append(f"channel {name} is given twice")
        seen.add(name)
        source = channel["DataSource"].get("S3DataSource")
        if source is None or source["S3DataType"] != "S3Prefix":
            problems.append(f"channel {name}: {_LOCAL} reads S3DataType S3Prefix only")
        else:
            Location.parse(source["S3Uri"])
        if channel.get("CompressionType", "None") != "None":
            problems.append(f"channel {name}: {_LOCAL} has no CompressionType Gzip")
        if channel.get("RecordWrapperType", "None") != "None":
            problems.append(f"channel {name}: {_LOCAL} has no RecordWrapperType RecordIO")
        if channel.get("InputMode") == "Pipe":
            problems.append(f"channel {name}: {_LOCAL} gives channels as files, not Pipe")
    return problems
