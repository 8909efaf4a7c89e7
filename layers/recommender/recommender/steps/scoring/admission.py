"""Which pair lists are scored: one execution for each version of a file."""

from collections.abc import Mapping
from typing import cast

from recommender.aws import notices, states, storage, transforms
from recommender.catalog.keys import by_product_of, catalog_of_key
from recommender.errors import InvalidCatalogNameError
from recommender.pipeline import jobs
from recommender.pipeline.run_files import pointer_key
from recommender.pipeline.scoring.files import execution_name
from recommender.pipeline.scoring.records import abandoned_notice, waiting_notice
from recommender.pipeline.settings import AdmitPairsSettings


def admit(key: str, settings: AdmitPairsSettings) -> dict[str, object]:
    """See to it that the newest version of a pair list is scored.

    An event that comes late or again finds the same version, whose execution there is already.

    Args:
        key: the uploaded object's.
        settings: where it lies, and what to start.

    Returns:
        What was started; or why nothing was, under "ignored".
    """
    try:
        catalog = catalog_of_key(key)
    except InvalidCatalogNameError as error:
        return {"ignored": str(error)}  # the function that admits ratings tells of it
    why = by_product_of(key)
    if why is not None:
        return {"ignored": why}
    listed = storage.list_latest(settings.ratings_bucket, key)
    file = next((one for one in listed if one.key == key), None)
    if file is None:
        return {"ignored": "it is gone again"}
    execution = execution_name(catalog, file)
    given = {"catalog": catalog, "file": vars(file), "pollSeconds": settings.poll_seconds}
    states.ensure_execution(settings.state_machine_arn, execution, given)
    if storage.read_json_if_there(settings.artifacts_bucket, pointer_key(catalog)) is None:
        notices.publish(settings.notice_topic_arn, *waiting_notice(catalog, key))
    return {"catalog": catalog, "execution": execution}


def clear_up(
    detail: Mapping[str, str], given: Mapping[str, object], settings: AdmitPairsSettings
) -> None:
    """Stop what an execution left behind that was aborted or ran out of time, and tell of it.

    Args:
        detail: what EventBridge tells of the execution.
        given: the execution's input.
        settings: who is told.
    """
    execution, catalog = detail["name"], str(given["catalog"])
    transforms.stop_transform_job(jobs.transform_job_name(settings.resource_prefix, execution))
    key = str(cast("Mapping[str, object]", given["file"])["key"])
    told = abandoned_notice(catalog, key, detail["status"])
    notices.publish(settings.notice_topic_arn, *told)
