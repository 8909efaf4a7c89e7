"""Step: read the bucket as it is now, and write what the run trains on."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.aws import leases
from recommender.dataset.encoding import Dataset
from recommender.errors import MalformedRatingsError, MissingRatingsError, OversizedFileError
from recommender.observability import logger, metrics
from recommender.pipeline.hyperparameters import models_of
from recommender.pipeline.runs import run_id
from recommender.pipeline.settings import EncodeRatingsSettings
from recommender.steps import inputs, outcomes, progress, snapshots, tensors
from recommender.steps.withdrawals import withdraw


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Encode the catalog's ratings, unless these very files came to an end before."""
    settings = EncodeRatingsSettings.from_environ(os.environ)
    catalog, execution = event["catalog"], event["execution"]
    # First: what arrives from here on may be missing from the listing, and asks for another run.
    leases.look_at_bucket(settings.state_table, catalog, execution)
    snapshot, refused = snapshots.take(
        settings.ratings_bucket, settings.artifacts_bucket, catalog, execution
    )
    if not snapshot.rating_files():
        withdraw(settings.artifacts_bucket, snapshot, refused, ())
    if not snapshot.files:
        raise MissingRatingsError(catalog)
    stack = settings.stack_hyperparameters()
    if outcomes.waits_for_ratings(settings.artifacts_bucket, snapshot, refused):
        inputs.read_catalog(settings.ratings_bucket, snapshot, stack)
        return {"outcome": "waiting"}
    plan = {"image": settings.training_image, "models": stack}
    files, ended = outcomes.open_run(
        settings.artifacts_bucket, catalog, run_id(snapshot, plan), execution
    )
    leases.note_run(settings.state_table, catalog, execution, files.run_id)
    if ended:
        metrics.add_metric("RunsUnchanged", MetricUnit.Count, 1)
        return {"outcome": "unchanged", "runId": files.run_id}

    logger.info("reading", extra={"run": files.run_id, "files": len(snapshot.files)})
    report = progress.reporter(settings.state_table, catalog, execution, files.run_id)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        try:
            read = inputs.read(
                settings.ratings_bucket,
                settings.artifacts_bucket,
                snapshot,
                execution,
                stack,
                threads,
                report,
            )
        except (MalformedRatingsError, OversizedFileError) as error:
            if error.leaves_others:  # which nobody has to upload again: they train next
                leases.mark_dirty(settings.state_table, catalog, execution)
            raise
        report("settling", {"rows": read.rows.spool.rows})
        with read.rows.spool.within_room():
            dataset = Dataset(catalog, read.rows, read.config, threads, read.side_tables)
            gone = withdraw(
                settings.artifacts_bucket,
                snapshot,
                refused,
                dataset.vocabulary.users,
                read.config,
            )
            key = f"catalogs/{catalog}/config.json"
            models = models_of(key, stack, read.config, dataset)
            sizes = tensors.write(
                settings.artifacts_bucket, files, read, dataset, models, report, threads
            )
    counts = tensors.write_plan(
        settings.artifacts_bucket,
        files,
        execution=execution,
        changed=outcomes.changed_settings(settings.artifacts_bucket, catalog, read.config),
        snapshot=snapshot,
        refused=refused,
        inputs=read,
        dataset=dataset,
        sizes=sizes,
        image=settings.training_image,
        models=models,
        withdrawn=gone,
    )
    metrics.add_metric("UsersWithdrawn", MetricUnit.Count, gone)
    metrics.add_metric("RatingsEncoded", MetricUnit.Count, dataset.rows)
    metrics.add_metric("RowsRejected", MetricUnit.Count, read.rows.rejects.count)
    logger.info("encoded", extra={"run": files.run_id, "counts": counts})
    return {
        "outcome": "encoded",
        "runId": files.run_id,
        "models": list(models),
        "counts": counts,
    }
