"""Step: end the scoring of a pair list, whatever became of it."""

import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.aws import notices, transforms
from recommender.observability import logger, metrics
from recommender.pipeline import jobs
from recommender.pipeline.scoring.records import SCORED, notice, summary
from recommender.pipeline.settings import FinishScoringSettings
from recommender.pipeline.snapshots import SnapshotFile
from recommender.steps.scoring import ending


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Stop what still works, write the record, tell."""
    settings = FinishScoringSettings.from_environ(os.environ)
    execution, outcome = event["execution"], event["outcome"]
    if outcome != SCORED:
        transforms.stop_transform_job(jobs.transform_job_name(settings.resource_prefix, execution))
    record = ending.record(
        settings.artifacts_bucket,
        event["catalog"],
        SnapshotFile(**event["file"]),
        execution=execution,
        outcome=outcome,
        started_at=event["startedAt"],
        state=event["state"],
    )
    notices.publish(settings.notice_topic_arn, summary(record), notice(record))
    metrics.add_dimension("outcome", str(record["outcome"]))
    metrics.add_metric("ScoringsEnded", MetricUnit.Count, 1)
    logger.info(summary(record), extra={"outcome": record["outcome"]})
    return {"name": record["name"], "outcome": record["outcome"]}
