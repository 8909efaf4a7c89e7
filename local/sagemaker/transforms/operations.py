"""Batch transform jobs: what the API says about them. ``run`` does the work."""

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
from local.sagemaker.hosting.models import Model, Models
from local.sagemaker.storage.s3 import Location

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import CreateTransformJobRequestTypeDef

    from local.sagemaker.transforms.run import TransformRunner

_SAID_BACK = (
    "ModelName",
    "MaxConcurrentTransforms",
    "ModelClientConfig",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformInput",
    "TransformOutput",
    "TransformResources",
    "DataProcessing",
    "ExperimentConfig",
)


@dataclass
class TransformJob(Record):
    """A batch transform job. Change it under the registry's lock."""

    request: "CreateTransformJobRequestTypeDef"
    model: Model
    status: str = "InProgress"
    failure_reason: str | None = None
    started: float | None = None
    ended: float | None = None
    stop_asked: threading.Event = field(default_factory=threading.Event)

    def end(self, status: str, reason: str | None = None) -> None:
        """Reach a terminal status."""
        self.status, self.failure_reason = status, reason
        self.ended = self.modified = time.time()

    def description(self) -> dict[str, object]:
        """The answer of DescribeTransformJob."""
        return {
            "TransformJobName": self.name,
            "TransformJobArn": self.arn,
            "TransformJobStatus": self.status,
            "CreationTime": self.created,
            **said_back(self.request, _SAID_BACK),
            **present(
                FailureReason=self.failure_reason,
                TransformStartTime=self.started,
                TransformEndTime=self.ended,
            ),
        }

    def summary(self) -> dict[str, object]:
        """The job in a list."""
        return {
            "TransformJobName": self.name,
            "TransformJobArn": self.arn,
            "TransformJobStatus": self.status,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            **present(FailureReason=self.failure_reason, TransformEndTime=self.ended),
        }


class TransformJobs:
    """CreateTransformJob and its companions."""

    def __init__(self, registry: Registry, models: Models, runner: "TransformRunner") -> None:
        self._lock = registry.lock
        self._jobs = registry.table(TransformJob)
        self._models, self._runner = models, runner

    def create(
        self, request: "CreateTransformJobRequestTypeDef", caller: Caller
    ) -> dict[str, object]:
        """Start a job.

        Raises:
            ResourceInUseError: there was a job of that name.
            ValidationError: the model is missing, or a laptop cannot serve the request.
        """
        _check(request)
        name = request["TransformJobName"]
        model = self._models.find(request["ModelName"], caller)
        tags = tags_of(request.get("Tags", ()))
        job = TransformJob(name, caller.arn("transform-job", name), request, model, tags=tags)
        if not self._jobs.add(job):
            raise ResourceInUseError(
                "Job name must be unique within an AWS account and region, and a job with this "
                f"name already exists ({job.arn})"
            )
        self._runner.start(job)
        return {"TransformJobArn": job.arn}

    def describe(self, request: Mapping[str, str], _: Caller) -> dict[str, object]:
        """Say everything about a job."""
        with self._lock:
            return self._find(request).description()

    def list(self, request: Mapping[str, object], _: Caller) -> dict[str, object]:
        """List jobs, the newest first unless asked otherwise."""
        with self._lock:
            found = page(self._jobs.all(), request, status=lambda job: job.status)
            return found.answer("TransformJobSummaries", TransformJob.summary)

    def stop(self, request: Mapping[str, str], _: Caller) -> dict[str, object]:
        """Ask a running job to stop.

        Raises:
            ValidationError: there is no such job, or it has ended.
        """
        with self._lock:
            job = self._find(request)
            if job.status == "InProgress":
                job.status, job.modified = "Stopping", time.time()
                job.stop_asked.set()
            elif job.status != "Stopping":
                raise ValidationError(
                    f"The request was rejected because the transform job is in status {job.status}."
                )
        return {}

    def _find(self, request: Mapping[str, str]) -> TransformJob:
        name = request["TransformJobName"]
        job = self._jobs.get(name)
        if job is None:
            raise ValidationError(f"Could not find requested job with name: {name}")
        return job


def _check(request: "CreateTransformJobRequestTypeDef") -> None:
    """Refuse what a laptop has not got.

    Raises:
        ValidationError: naming every problem at once.
    """
    source = request["TransformInput"]
    Location.parse(request["TransformOutput"]["S3OutputPath"])
    Location.parse(source["DataSource"]["S3DataSource"]["S3Uri"])
    problems: list[str] = []
    if source["DataSource"]["S3DataSource"]["S3DataType"] != "S3Prefix":
        problems.append("S3DataType must be S3Prefix")
    if source.get("SplitType") == "TFRecord":
        problems.append("SplitType TFRecord")
    if source.get("CompressionType", "None") != "None":
        problems.append("CompressionType Gzip")
    processing = request.get("DataProcessing", {})
    if (
        processing.get("JoinSource", "None") != "None"
        or processing.get("InputFilter", "$") != "$"
        or processing.get("OutputFilter", "$") != "$"
    ):
        problems.append("DataProcessing")
    if problems:
        raise ValidationError(f"The local SageMaker has no: {'; '.join(problems)}")
