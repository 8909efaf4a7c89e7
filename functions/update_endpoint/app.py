"""Step: give the endpoint the new model."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.aws import leases, sagemaker
from recommender.observability import logger
from recommender.pipeline import jobs
from recommender.pipeline.run_files import RunFiles
from recommender.pipeline.settings import UpdateEndpointSettings
from recommender.steps.plans import read_plan


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Make the model and a config of its own, then create or update the endpoint."""
    settings = UpdateEndpointSettings.from_environ(os.environ)
    files = RunFiles(event["catalog"], event["runId"])
    plan = read_plan(settings.artifacts_bucket, files)
    name = jobs.resource_name(settings.resource_prefix, files.run_id)
    endpoint = jobs.endpoint_name(settings.resource_prefix, files.catalog)
    sagemaker.ensure_model(
        jobs.model(
            name=name,
            image=plan.image,
            role_arn=settings.sagemaker_role_arn,
            model_uri=event["modelUri"],
        )
    )
    sagemaker.ensure_endpoint_config(
        jobs.endpoint_config(
            name=name,
            model_name=name,
            variant=jobs.variant_name(files.run_id),
            instance_type=settings.endpoint_instance_type,
            instance_count=settings.endpoint_instance_count,
        )
    )
    leases.check_held(settings.state_table, files.catalog, event["execution"])
    sagemaker.ensure_endpoint(endpoint, name)
    # If another run took over meanwhile, its last step finds the endpoint moved and sets it right.
    leases.check_held(settings.state_table, files.catalog, event["execution"])
    return {
        "endpointName": endpoint,
        "endpointConfigName": name,
        "requestedAt": datetime.now(UTC).isoformat(timespec="seconds"),
    }
