"""Step: look at the training job once."""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.aws import sagemaker
from recommender.observability import logger
from recommender.pipeline.settings import CheckTrainingSettings
from recommender.pipeline.training import outcome


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Say whether the job still trains; raise when it failed, was stopped or is overdue."""
    settings = CheckTrainingSettings.from_environ(os.environ)
    name = event["trainingJobName"]
    limit = min(event["maxSeconds"], settings.training_max_seconds)
    job = sagemaker.describe_training_job(name)
    state = outcome(job, limit)
    if state.overdue:
        sagemaker.stop_training_job(name)
    state.raise_if_bad()
    return state.to_dict()
