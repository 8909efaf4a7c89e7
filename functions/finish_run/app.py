"""Step: end a run, whatever became of it."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.aws import leases, notices, sagemaker
from recommender.observability import logger, metrics
from recommender.pipeline.manifests import WITHOUT_RECORD, RunError, may_pass, notice, summary
from recommender.pipeline.run_files import RunFiles
from recommender.pipeline.settings import FinishRunSettings
from recommender.steps import admission, outcomes, recommendations, reconciling


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001
    """Stop what still trains, write the record, move the pointer, free the catalog, tell."""
    settings = FinishRunSettings.from_environ(os.environ)
    catalog, execution, outcome = event["catalog"], event["execution"], event["outcome"]
    state = event["state"]
    lease = leases.read(settings.state_table, catalog)
    mine = lease.owner == execution
    # A run that fails before it has a name of its own is known by its execution's.
    run_id = state.get("encoding", {}).get("runId") or lease.run_of(execution) or execution
    files = RunFiles(catalog, run_id)
    error = RunError.from_state(state.get("error"))

    for job in lease.training_jobs if mine and outcome in ("failed", "refused") else ():
        sagemaker.stop_training_job(job)
    if mine and outcome != "promoted":
        outcome = reconciling.settled(
            settings.artifacts_bucket, settings.resource_prefix, files, outcome
        )
    record: dict[str, object] | None = {"catalog": catalog, "runId": run_id, "outcome": outcome}
    if outcome == "unchanged":
        # After a run that failed: that one may have ended without a word.
        record = outcomes.record_of(settings.artifacts_bucket, files) if lease.failures else None
    elif outcome == "promoted" and event["outcome"] != outcome:
        record = outcomes.record_of(settings.artifacts_bucket, files)
    elif outcome not in WITHOUT_RECORD:
        record = outcomes.record_outcome(
            settings.artifacts_bucket,
            files,
            execution=execution,
            outcome=outcome,
            started_at=event["startedAt"],
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            state=state,
            error=error,
        )
    if outcome == "promoted" and "scoring" in state:
        recommendations.close_lists(settings.artifacts_bucket, files)
    if record is not None and outcome == "promoted":
        outcomes.move_pointer(settings.artifacts_bucket, settings.state_table, execution, record)
    if mine and outcome == "promoted":
        reconciling.reconcile(settings.artifacts_bucket, settings.resource_prefix, catalog)
    # Before the notice: people may wait, the catalog may not.
    following = admission.hand_on(
        catalog,
        execution,
        event["stateMachineArn"],
        settings,
        try_again=outcome == "failed" and may_pass(error),
    )
    if record is not None:
        notices.publish(settings.notice_topic_arn, summary(record), notice(record))
    metrics.add_dimension("outcome", outcome)
    metrics.add_metric("RunsEnded", MetricUnit.Count, 1)
    told = summary(record) if record else f"{catalog}: nothing new to train on"
    logger.info(told, extra={"run": files.run_id, "outcome": outcome})
    return {"runId": files.run_id, "outcome": outcome, "next": following}
