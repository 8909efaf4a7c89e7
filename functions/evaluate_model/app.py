"""Step: open the model, score the test set, judge."""

import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.observability import logger, metrics
from recommender.pipeline.run_files import RunFiles
from recommender.pipeline.settings import EvaluateModelSettings
from recommender.steps import evaluations
from recommender.steps.plans import read_plan


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Judge the challenger; a model that cannot be trusted is rejected, not an accident."""
    settings = EvaluateModelSettings.from_environ(os.environ)
    files = RunFiles(event["catalog"], event["runId"])
    plan = read_plan(settings.artifacts_bucket, files)
    result = evaluations.evaluate(settings.artifacts_bucket, files, plan, event["trainings"])
    for name, value in result.metrics.items():
        metrics.add_metric(f"Challenger.{name}", MetricUnit.NoUnit, value)
    logger.info(result.verdict, extra={"run": files.run_id, "reasons": result.reasons})
    return result.to_dict()
