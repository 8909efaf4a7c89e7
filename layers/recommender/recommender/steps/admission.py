"""Who runs next: the lease and Step Functions together."""

import time
from collections.abc import Mapping

from recommender.aws import leases, notices, sagemaker, states
from recommender.catalog.keys import expected_of, prefix_of_stray
from recommender.pipeline.runs import execution_input
from recommender.pipeline.settings import AdmitUploadSettings, FinishRunSettings


def admit(
    catalog: str, settings: AdmitUploadSettings, *, tries_again: bool = False
) -> tuple[str, bool]:
    """See to it that an execution looks at the catalog's files after this call.

    Args:
        catalog: the catalog's name.
        settings: where the lease and the state machine are.
        tries_again: nothing arrived, a run that failed is repeated.

    Returns:
        The execution's name, and whether this call started it.
    """
    machine = settings.state_machine_arn
    execution, must_start = leases.admit(
        settings.state_table,
        catalog,
        status=lambda name: states.execution_status(machine, name),
        abandon=_clean_up,
        tries_again=tries_again,
    )
    if must_start:
        _start(machine, execution, catalog, settings)
    return execution, must_start


def is_of_an_old_version(detail: Mapping[str, object]) -> bool:
    """Whether S3 tells of a version that is gone for good, as the bucket's rule does with old ones.

    A file that somebody deletes is hidden by a marker, which is told otherwise.
    """
    return detail.get("deletion-type") == "Permanently Deleted"


def tell_of_stray(key: str, reason: str, settings: AdmitUploadSettings) -> None:
    """Tell of an upload that nobody reads: once an hour at most for all that lies together."""
    prefix = prefix_of_stray(key)
    if not notices.is_first(settings.state_table, f"stray {prefix}"):
        return
    expected = expected_of(key)
    notices.publish(
        settings.notice_topic_arn,
        f"Upload ignored: {key}. {expected}",
        {
            "outcome": "ignored",
            "level": "warning",
            "key": key,
            "reason": reason,
            "expected": expected,
        },
    )


def free_abandoned(
    catalog: str, execution: str, settings: AdmitUploadSettings, *, broke_off: bool = False
) -> bool:
    """Free a catalog whose execution ended without giving the lease back.

    Args:
        catalog: the catalog's name.
        execution: what ended.
        settings: where the lease is, and who is told.
        broke_off: it was aborted or ran out of time, so it may have told nobody of its end.

    Safe to repeat: a second call starts the next run when the first one died before it could.

    Returns:
        Whether there was anything to free.
    """
    lease = leases.read(settings.state_table, catalog)
    abandoned = lease.owner == execution
    if abandoned:
        _clean_up(lease)
    elif lease.predecessor != execution:
        return False
    hand_on(catalog, execution, settings.state_machine_arn, settings, try_again=True)
    if abandoned or (broke_off and not lease.failures):
        notices.publish(
            settings.notice_topic_arn,
            f"{catalog}: run {execution} broke off; "
            + (
                f"another one looks after the catalog in {leases.RETRY_PAUSES[0] // 60} minutes"
                if abandoned
                else "its record was written before"
            ),
            {
                "outcome": "abandoned",
                "catalog": catalog,
                "execution": execution,
                "run": lease.run_id or lease.ended_run,
            },
        )
    return abandoned


def look_after(settings: AdmitUploadSettings) -> list[str]:
    """See to catalogs that nobody else would: after a failure, or when an event was lost.

    A run that failed of something that may pass is tried again once its pause is over. A run that
    ended without its last step, and one that was admitted and never started, are found by asking.

    Returns:
        The catalogs for which something was done.
    """
    seen_to = []
    for lease in leases.every(settings.state_table):
        if lease.owner is not None:
            status = states.execution_status(settings.state_machine_arn, lease.owner)
            if status is None:
                _start(settings.state_machine_arn, lease.owner, lease.catalog, settings)
            elif status == "RUNNING" or not free_abandoned(lease.catalog, lease.owner, settings):
                continue
        elif lease.retry_at is None or lease.retry_at > time.time():
            continue
        else:
            admit(lease.catalog, settings, tries_again=True)
        seen_to.append(lease.catalog)
    return seen_to


def hand_on(
    catalog: str,
    execution: str,
    state_machine_arn: str,
    settings: AdmitUploadSettings | FinishRunSettings,
    *,
    try_again: bool = False,
) -> str | None:
    """Give the lease back, and start the next run if something arrived meanwhile.

    Args:
        catalog: the catalog's name.
        execution: who gives it back.
        state_machine_arn: what the next run is an execution of.
        settings: where the lease is.
        try_again: the run failed of something that may pass.

    Returns:
        The next execution's name, or None.
    """
    following = leases.give_back(settings.state_table, catalog, execution, try_again=try_again)
    if following is not None:
        _start(state_machine_arn, following, catalog, settings)
    return following


def _start(
    state_machine_arn: str,
    execution: str,
    catalog: str,
    settings: AdmitUploadSettings | FinishRunSettings,
) -> None:
    run_input = execution_input(catalog, settings.settle_seconds, settings.poll_seconds)
    states.ensure_execution(state_machine_arn, execution, run_input)


def _clean_up(lease: leases.Lease) -> None:
    for job in lease.training_jobs:
        sagemaker.stop_training_job(job)
