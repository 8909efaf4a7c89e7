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
from recommender.steps import admission, outcomes
from recommender.steps.reconciling import reconcile


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

    if outcome in ("failed", "refused"):
        for job in lease.training_jobs if mine else ():
            sagemaker.stop_training_job(job)
    if mine and outcome != "promoted":
        recovered = reconcile(settings.artifacts_bucket, settings.resource_prefix, catalog)
        if recovered == files.run_id:  # its model serves: what failed came after that
            outcome = "promoted"
    record = {"catalog": catalog, "runId": files.run_id, "outcome": outcome}
    if outcome == "promoted" and event["outcome"] != outcome:
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
    if outcome == "promoted":
        outcomes.move_pointer(settings.artifacts_bucket, settings.state_table, execution, record)
        if mine:
            reconcile(settings.artifacts_bucket, settings.resource_prefix, catalog)
    # Before the notice: people may wait, the catalog may not.
    following = admission.hand_on(
        catalog,
        execution,
        event["stateMachineArn"],
        settings,
        try_again=outcome == "failed" and may_pass(error),
    )
    if outcome != "unchanged":
        notices.publish(settings.notice_topic_arn, summary(record), notice(record))
    metrics.add_dimension("outcome", outcome)
    metrics.add_metric("RunsEnded", MetricUnit.Count, 1)
    logger.info(summary(record), extra={"run": files.run_id, "outcome": outcome})
    return {"runId": files.run_id, "outcome": outcome, "next": following}
