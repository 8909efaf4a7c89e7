"""EventBridge: a file came or went, a run ended without its last step, or it is time to look."""

import json
import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.catalog.keys import catalog_of_key, is_pair_list_key
from recommender.errors import InvalidCatalogNameError
from recommender.observability import logger, metrics
from recommender.pipeline.settings import AdmitUploadSettings
from recommender.steps import admission


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Admit an upload or a deletion to a run, or see to catalogs whose runs failed."""
    settings = AdmitUploadSettings.from_environ(os.environ)
    if event["source"] == "aws.events":
        seen_to = admission.look_after(settings)
        metrics.add_metric("RunsTriedAgain", MetricUnit.Count, len(seen_to))
        return {"seenTo": seen_to}
    if event["source"] == "aws.states":
        detail = event["detail"]
        catalog = json.loads(detail["input"]).get("catalog")
        if catalog is None:
            return {"ignored": "an execution that no upload started"}
        broke_off = detail["status"] != "FAILED"
        freed = admission.free_abandoned(catalog, detail["name"], settings, broke_off=broke_off)
        metrics.add_metric("RunsAbandoned", MetricUnit.Count, int(freed))
        return {"catalog": catalog, "freed": freed}

    # EventBridge passes keys as they are; decoding them would damage "+" and "%".
    key = event["detail"]["object"]["key"]
    if key.endswith("/"):
        return {"ignored": "a folder"}
    if admission.is_of_an_old_version(event["detail"]):
        return {"ignored": "a version that nobody sees any more"}
    try:
        catalog = catalog_of_key(key)
    except InvalidCatalogNameError as error:
        # The uploader would otherwise wait for a run that never comes.
        logger.warning("upload names no catalog", extra={"key": key})
        metrics.add_metric("UploadsIgnored", MetricUnit.Count, 1)
        if event["detail-type"] == "Object Created":
            admission.tell_of_stray(key, str(error), settings)
        return {"ignored": str(error)}
    if is_pair_list_key(key):
        return {"ignored": "a list of pairs to score, which trains nothing"}
    execution, started = admission.admit(catalog, settings)
    metrics.add_metric("RunsStarted" if started else "UploadsQueued", MetricUnit.Count, 1)
    logger.info("upload admitted", extra={"key": key, "execution": execution, "started": started})
    return {"catalog": catalog, "execution": execution, "started": started}
