"""Step: look at the batch transform job once."""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.aws import transforms
from recommender.observability import logger
from recommender.pipeline.scoring.transforms import outcome
from recommender.pipeline.settings import CheckTransformSettings


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Say whether the job is still at work; raise when it failed, was stopped or is overdue."""
    settings = CheckTransformSettings.from_environ(os.environ)
    name = event["transformJobName"]
    job = transforms.describe_transform_job(name)
    state = outcome(job, settings.transform_max_seconds)
    if state.overdue:
        transforms.stop_transform_job(name)
    state.raise_if_bad()
    return {"status": state.status}
