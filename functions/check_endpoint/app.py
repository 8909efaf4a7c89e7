"""Step: look at the endpoint once."""

import os
from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.aws import sagemaker
from recommender.observability import logger
from recommender.pipeline.hosting import serving_state
from recommender.pipeline.settings import CheckEndpointSettings


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:  # noqa: ARG001
    """Say whether the endpoint serves our config; raise when it will not."""
    settings = CheckEndpointSettings.from_environ(os.environ)
    status = serving_state(
        event["endpointName"],
        sagemaker.describe_endpoint(event["endpointName"]),
        config=event["endpointConfigName"],
        requested_at=datetime.fromisoformat(event["requestedAt"]),
        limit_seconds=settings.endpoint_max_seconds,
    )
    return {"status": status}
