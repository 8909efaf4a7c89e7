"""CreateTransformJob and its companions."""

from typing import TYPE_CHECKING, ClassVar

from local.sagemaker.account.registry import Caller, Registry
from local.sagemaker.account.tags import tags_of
from local.sagemaker.hosting.models import Models
from local.sagemaker.jobs.operations import JobOperations
from local.sagemaker.jobs.run import Runner
from local.sagemaker.transforms.job import TransformJob
from local.sagemaker.transforms.requests import check

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import CreateTransformJobRequestTypeDef


class TransformJobs(JobOperations[TransformJob, "CreateTransformJobRequestTypeDef"]):
    """What the API does with batch transform jobs."""

    taken: ClassVar[str] = (
        "Job name must be unique within an AWS account and region, and a job with this name "
        "already exists ({arn})"
    )
    absent: ClassVar[str] = "Could not find requested job with name: {name}"
    newest_first: ClassVar[bool] = True

    def __init__(self, registry: Registry, models: Models, runner: Runner[TransformJob]) -> None:
        super().__init__(registry, TransformJob, runner)
        self._models = models

    def new_job(self, request: "CreateTransformJobRequestTypeDef", caller: Caller) -> TransformJob:
        """The job that a request describes, with the model as it is now."""
        check(request)
        name = request["TransformJobName"]
        model = self._models.find(request["ModelName"], caller)
        arn = caller.arn("transform-job", name)
        return TransformJob(name, arn, request, model, tags=tags_of(request.get("Tags", ())))
