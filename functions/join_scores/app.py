"""Step: join the scores of a part of a pair list to its ids."""

import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.observability import logger, metrics
from recommender.pipeline.settings import JoinScoresSettings
from recommender.pipeline.snapshots import SnapshotFile
from recommender.steps.scoring import joining


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Write the part's scores, one JSON object a pair."""
    settings = JoinScoresSettings.from_environ(os.environ)
    number = event["part"]["number"]
    file = SnapshotFile(**event["file"])
    rows = joining.join(settings.artifacts_bucket, event["catalog"], file, number)
    metrics.add_metric("PairsScored", MetricUnit.Count, rows)
    return {"number": number, "rows": rows}
