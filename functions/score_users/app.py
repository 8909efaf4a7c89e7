"""Step: top-N of one shard of users."""

import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.observability import logger, metrics
from recommender.pipeline.run_files import RunFiles
from recommender.pipeline.settings import ScoreUsersSettings
from recommender.steps import recommendations


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Write the shard's lists, one JSON object a user."""
    settings = ScoreUsersSettings.from_environ(os.environ)
    files = RunFiles(event["catalog"], event["runId"])
    shard = event["shard"]
    uri = recommendations.write_shard(
        settings.artifacts_bucket,
        files,
        shard["likes"],
        shard["number"],
        shard["first"],
        shard["last"],
    )
    users = shard["last"] - shard["first"]
    metrics.add_metric("UsersScored", MetricUnit.Count, users)
    return {"uri": uri, "users": users}
