"""EventBridge: a pair list was uploaded, or its scoring ended without its last step."""

import json
import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.observability import logger, metrics
from recommender.pipeline.settings import AdmitPairsSettings
from recommender.steps.scoring import admission


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Start the scoring of a pair list, or clear up behind one that broke off."""
    settings = AdmitPairsSettings.from_environ(os.environ)
    if event["source"] == "aws.states":
        detail = event["detail"]
        admission.clear_up(detail, json.loads(detail["input"]), settings)
        metrics.add_metric("ScoringsAbandoned", MetricUnit.Count, 1)
        return {"execution": detail["name"], "cleared": True}
    # EventBridge passes keys as they are; decoding them would damage "+" and "%".
    key = event["detail"]["object"]["key"]
    told = admission.admit(key, settings)
    metrics.add_metric("PairListsAdmitted", MetricUnit.Count, int("execution" in told))
    logger.info("pair list looked at", extra={"key": key, **told})
    return told
