"""CreateTrainingJob and its companions."""

from typing import TYPE_CHECKING, ClassVar

from local.sagemaker.account.registry import Caller, Registry
from local.sagemaker.account.tags import tags_of
from local.sagemaker.jobs.operations import JobOperations
from local.sagemaker.jobs.run import Runner
from local.sagemaker.training.job import TrainingJob
from local.sagemaker.training.requests import check

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import CreateTrainingJobRequestTypeDef


class TrainingJobs(JobOperations[TrainingJob, "CreateTrainingJobRequestTypeDef"]):
    """What the API does with training jobs."""

    taken: ClassVar[str] = (
        "Training job names must be unique within an AWS account and region, and a training job "
        "with this name already exists ({arn})"
    )
    absent: ClassVar[str] = "Requested resource not found."
    newest_first: ClassVar[bool] = False

    def __init__(self, registry: Registry, runner: Runner[TrainingJob]) -> None:
        super().__init__(registry, TrainingJob, runner)

    def new_job(self, request: "CreateTrainingJobRequestTypeDef", caller: Caller) -> TrainingJob:
        """The job that a request describes, at the beginning of its story."""
        check(request)
        name = request["TrainingJobName"]
        arn = caller.arn("training-job", name)
        job = TrainingJob(name, arn, request, caller, tags=tags_of(request.get("Tags", ())))
        job.enter("Starting", "Preparing the instances for training")
        return job
