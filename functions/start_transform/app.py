"""Step: start the batch transform job of a pair list."""

import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.aws import transforms
from recommender.aws.storage import uri
from recommender.observability import logger, metrics
from recommender.pipeline import jobs
from recommender.pipeline.scoring.files import ScoringFiles
from recommender.pipeline.settings import StartTransformSettings
from recommender.pipeline.snapshots import SnapshotFile
from recommender.pipeline.training import poll_seconds


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Start the job with the model of the run that scores, or find that an earlier attempt did."""
    settings = StartTransformSettings.from_environ(os.environ)
    files = ScoringFiles.of(event["catalog"], SnapshotFile(**event["file"]))
    name = jobs.transform_job_name(settings.resource_prefix, event["execution"])
    transforms.ensure_transform_job(
        jobs.transform_job(
            name=name,
            model_name=jobs.resource_name(settings.resource_prefix, event["runId"]),
            input_uri=uri(settings.artifacts_bucket, files.all_rows),
            output_uri=uri(settings.artifacts_bucket, files.all_answers),
            instance_type=settings.transform_instance_type,
            tags={"matinee:catalog": files.catalog, "matinee:run": event["runId"]},
        )
    )
    metrics.add_metric("TransformJobsStarted", MetricUnit.Count, 1)
    return {
        "transformJobName": name,
        "pollSeconds": poll_seconds(event["pollSeconds"], settings.transform_max_seconds),
    }
