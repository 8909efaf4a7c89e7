"""Step: read a pair list and write what is asked of the model."""

import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.observability import logger, metrics
from recommender.pipeline.settings import EncodePairsSettings
from recommender.pipeline.snapshots import SnapshotFile
from recommender.steps.scoring import encoding


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Encode the pairs with the vocabulary of the run that serves; wait if none does."""
    settings = EncodePairsSettings.from_environ(os.environ)
    encoded = encoding.encode(
        settings.ratings_bucket,
        settings.artifacts_bucket,
        event["catalog"],
        SnapshotFile(**event["file"]),
        event["pollSeconds"],
    )
    logger.info("pairs read", extra={"outcome": encoded.outcome, "counts": encoded.counts})
    metrics.add_metric("PairsRead", MetricUnit.Count, encoded.counts.get("rows", 0))
    return encoded.to_dict()
