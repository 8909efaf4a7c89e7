"""Step: start the training job of one of the run's models."""

import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.aws import leases, sagemaker
from recommender.aws.storage import uri
from recommender.errors import LeaseLostError
from recommender.observability import logger, metrics
from recommender.pipeline import jobs
from recommender.pipeline.run_files import RunFiles
from recommender.pipeline.settings import StartTrainingSettings
from recommender.pipeline.training import poll_seconds
from recommender.steps.plans import read_plan


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Start a model's job, or find that an earlier attempt of this run did."""
    settings = StartTrainingSettings.from_environ(os.environ)
    files = RunFiles(event["catalog"], event["runId"])
    plan = read_plan(settings.artifacts_bucket, files)
    model = event["model"]
    name = jobs.training_job_name(settings.resource_prefix, files.run_id, model)
    max_seconds = min(plan.config.max_training_seconds, settings.training_max_seconds)
    # Noted first: should this run die now, the next one knows what to stop.
    leases.note_training_job(settings.state_table, files.catalog, event["execution"], name)
    sagemaker.ensure_training_job(
        jobs.training_job(
            name=name,
            image=plan.image,
            role_arn=settings.sagemaker_role_arn,
            hyperparameters=plan.models[model],
            channels={
                channel: uri(settings.artifacts_bucket, prefix)
                for channel, prefix in files.channels(model).items()
            },
            output_uri=uri(settings.artifacts_bucket, files.model),
            instance_type=settings.training_instance_type,
            max_seconds=max_seconds,
            tags={
                "matinee:catalog": files.catalog,
                "matinee:run": files.run_id,
                "matinee:model": model,
            },
        )
    )
    try:
        # Another run may have taken over since: it cannot have seen this job.
        leases.check_held(settings.state_table, files.catalog, event["execution"])
    except LeaseLostError:
        sagemaker.stop_training_job(name)
        raise
    metrics.add_metric("TrainingJobsStarted", MetricUnit.Count, 1)
    return {
        "trainingJobName": name,
        "maxSeconds": max_seconds,
        "pollSeconds": poll_seconds(event["pollSeconds"], max_seconds),
    }
