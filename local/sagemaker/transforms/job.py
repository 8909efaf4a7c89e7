"""A batch transform job as the API describes it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from local.sagemaker.account.answers import present, said_back
from local.sagemaker.hosting.models import Model
from local.sagemaker.jobs.job import Job

if TYPE_CHECKING:
    from typing import Self

    from mypy_boto3_sagemaker.type_defs import CreateTransformJobRequestTypeDef

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
class TransformJob(Job):
    """A batch transform job. Change it in the registry's ``changing``, with its methods."""

    kind: ClassVar[str] = "transform"

    request: "CreateTransformJobRequestTypeDef"
    model: Model

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> "Self":
        """The job whose kept fields these are."""
        return cls(**{**kept, "model": Model.restored(kept["model"])})

    def give_up(self, reason: str) -> None:
        """End ``Stopped`` if that was asked, else ``Failed``."""
        if self.status == "Stopping":
            self.end("Stopped")
        else:
            self.end("Failed", reason)

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
