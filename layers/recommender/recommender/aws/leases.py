"""The lease: one run per catalog at a time, in one DynamoDB item with conditional writes.

The item's attributes: ``owner`` (name of the execution that holds it; absent when free), ``fence``
(grows with every owner), ``dirty`` (something arrived since the owner looked at the bucket),
``run_id`` and ``training_jobs`` (what to clean up after), ``progress`` (how far the owner's
encoding has come, for people to look at), ``predecessor`` and ``ended_run`` (who gave the lease
back last, and its run: a last step that is repeated finds what it did), ``failures`` (how many runs
have failed one after the other) and ``retry_at`` (when another one is to try; absent when none is).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from recommender.aws.clients import dynamodb, error_code, passing_troubles
from recommender.errors import LeaseLostError, ServiceUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

_RECORD = "lease"
_ATTEMPTS = 10
RETRY_PAUSES = (300, 1_200, 4_800, 19_200)
"""Seconds from a failed run to the next try, the first, the second and so on; then nobody tries."""


@dataclass(frozen=True)
class Lease:
    """What the table says of a catalog."""

    catalog: str
    fence: int
    owner: str | None
    dirty: bool
    predecessor: str | None
    run_id: str | None
    training_jobs: tuple[str, ...]
    ended_run: str | None = None
    failures: int = 0
    retry_at: float | None = None

    def run_of(self, execution: str) -> str | None:
        """The run that an execution makes, or made before it gave the lease back."""
        if self.owner == execution:
            return self.run_id
        return self.ended_run if self.predecessor == execution else None


def read(table: str, catalog: str) -> Lease:
    """Read the lease as it is now (a consistent read)."""
    with passing_troubles("dynamodb:GetItem"):
        item = dynamodb().get_item(TableName=table, Key=_key(catalog), ConsistentRead=True)
    return _lease(catalog, item.get("Item", {}))


def every(table: str) -> list[Lease]:
    """Read the leases of all catalogs."""
    found = []
    with passing_troubles("dynamodb:Scan"):
        pages = (
            dynamodb()
            .get_paginator("scan")
            .paginate(
                TableName=table,
                ConsistentRead=True,
                FilterExpression="#record = :lease",
                ExpressionAttributeNames={"#record": "record"},
                ExpressionAttributeValues={":lease": _text(_RECORD)},
            )
        )
        for page in pages:
            found += [_lease(item["catalog"]["S"], item) for item in page["Items"]]
    return found


def _lease(catalog: str, values: "Mapping[str, AttributeValueTypeDef]") -> Lease:
    def text(name: str) -> str | None:
        return values[name]["S"] if name in values else None

    return Lease(
        catalog=catalog,
        fence=int(values["fence"]["N"]) if "fence" in values else 0,
        owner=text("owner"),
        dirty=values.get("dirty", {}).get("BOOL", False),
        predecessor=text("predecessor"),
        run_id=text("run_id"),
        training_jobs=tuple(sorted(values.get("training_jobs", {}).get("SS", ()))),
        ended_run=text("ended_run"),
        failures=int(values["failures"]["N"]) if "failures" in values else 0,
        retry_at=float(values["retry_at"]["N"]) if "retry_at" in values else None,
    )


def take(table: str, found: Lease, *, tries_again: bool = False) -> str | None:
    """Take a lease as it was found, free or with an owner known to be dead.

    Args:
        tries_again: nothing arrived, a run that failed is repeated. Else failures are counted anew:
            what arrived may well be what was missing.

    Returns:
        The new owner's name, which is the name of the execution to start, or None when somebody
        else was faster.
    """
    name = _execution_name(found.catalog, found.fence + 1)
    condition = "#owner = :found" if found.owner else "attribute_not_exists(#owner)"
    condition += " AND fence = :fence" if found.fence else " AND attribute_not_exists(fence)"
    values = {":new": _text(name), ":next": _number(found.fence + 1), ":no": _flag(value=False)}
    if found.owner:
        values[":found"] = _text(found.owner)
    if found.fence:
        values[":fence"] = _number(found.fence)
    done = _update(
        table,
        found.catalog,
        "SET #owner = :new, fence = :next, dirty = :no "
        "REMOVE predecessor, ended_run, run_id, training_jobs, progress, retry_at"
        + ("" if tries_again else ", failures"),
        condition,
        values,
    )
    return name if done else None


def mark_dirty(table: str, catalog: str, owner: str) -> bool:
    """Tell the owner that something arrived. False: it is not the owner any more."""
    return _update(
        table,
        catalog,
        "SET dirty = :yes",
        "#owner = :owner",
        {":yes": _flag(value=True), ":owner": _text(owner)},
    )


def look_at_bucket(table: str, catalog: str, owner: str) -> None:
    """Note that the owner lists the bucket from now on: what arrived before is in its listing.

    Raises:
        LeaseLostError: another run owns the catalog.
    """
    _update_held(table, catalog, owner, "SET dirty = :value", _flag(value=False))


def note_run(table: str, catalog: str, owner: str, run_id: str) -> None:
    """Remember which run the owner makes, so that even its failure has a manifest.

    Raises:
        LeaseLostError: another run owns the catalog.
    """
    _update_held(table, catalog, owner, "SET run_id = :value", _text(run_id))


def note_progress(
    table: str, catalog: str, owner: str, facts: Mapping[str, str | int | float]
) -> None:
    """Write down how far encoding has come, over what was written down before.

    Raises:
        LeaseLostError: another run owns the catalog.
    """
    value: AttributeValueTypeDef = {
        "M": {
            name: _text(fact) if isinstance(fact, str) else _number(fact)
            for name, fact in facts.items()
        }
    }
    _update_held(table, catalog, owner, "SET progress = :value", value)


def note_training_job(table: str, catalog: str, owner: str, job: str) -> None:
    """Remember a training job before it starts, so that whoever comes next can stop it.

    Raises:
        LeaseLostError: another run owns the catalog.
    """
    update = "ADD training_jobs :value REMOVE progress"  # encoding is over
    _update_held(table, catalog, owner, update, {"SS": [job]})


def check_held(table: str, catalog: str, owner: str) -> Lease:
    """Make sure that this execution still owns the catalog.

    Raises:
        LeaseLostError: another run owns it.
    """
    lease = read(table, catalog)
    if lease.owner != owner:
        raise LeaseLostError(catalog, owner)
    return lease


def give_back(table: str, catalog: str, owner: str, *, try_again: bool = False) -> str | None:
    """Free the lease, or hand it to a next run when something arrived meanwhile.

    Safe to repeat: a second call finds what the first one did.

    Args:
        try_again: the run failed of something that may pass; after a pause another is to try.

    Returns:
        Name of the execution to start next, or None.
    """
    for _ in range(_ATTEMPTS):
        lease = read(table, catalog)
        if lease.owner is None:
            return None
        if lease.owner != owner:
            return lease.owner if lease.predecessor == owner else None
        values = {":owner": _text(owner), ":run": _text(lease.run_id or owner)}
        ended = "predecessor = :owner, ended_run = :run"
        removed = "run_id, training_jobs, progress"
        if try_again:
            ended, values = (
                f"{ended}, failures = :count",
                {
                    **values,
                    ":count": _number(lease.failures + 1),
                },
            )
        else:
            removed += ", failures"
        if lease.dirty:
            name = _execution_name(catalog, lease.fence + 1)
            handed_on = _update(
                table,
                catalog,
                f"SET #owner = :new, fence = :next, dirty = :no, {ended} REMOVE {removed}",
                "#owner = :owner AND dirty = :yes",
                {
                    **values,
                    ":new": _text(name),
                    ":next": _number(lease.fence + 1),
                    ":yes": _flag(value=True),
                    ":no": _flag(value=False),
                },
            )
            if handed_on:
                return name
            continue
        if try_again and lease.failures < len(RETRY_PAUSES):
            pause = RETRY_PAUSES[lease.failures]
            ended, values = (
                f"{ended}, retry_at = :at",
                {
                    **values,
                    ":at": _number(round(time.time()) + pause),
                },
            )
        if _update(
            table,
            catalog,
            f"SET {ended} REMOVE {removed}, #owner",
            "#owner = :owner AND dirty = :no",
            {**values, ":no": _flag(value=False)},
        ):
            return None
    raise ServiceUnavailableError("lease", f"catalog {catalog} changes too fast")


def admit(
    table: str,
    catalog: str,
    *,
    status: Callable[[str], str | None],
    abandon: Callable[[Lease], None],
    tries_again: bool = False,
) -> tuple[str, bool]:
    """Find the execution that will look at the bucket after this call.

    Args:
        status: the state of an execution by its name, None when it never started.
        abandon: cleans up after a dead owner, before its lease is taken.
        tries_again: nothing arrived, see `take`.
    Returns:
        Its name, and whether it must be started (again: starting twice is harmless).
    """
    for _ in range(_ATTEMPTS):
        lease = read(table, catalog)
        if lease.owner is not None:
            now = status(lease.owner)
            if now == "RUNNING":
                if mark_dirty(table, catalog, lease.owner):
                    return lease.owner, False
                continue
            if now is None:
                # Taken, but not started yet, by an admission that may have died in between.
                return lease.owner, True
            abandon(lease)
        name = take(table, lease, tries_again=tries_again)
        if name is not None:
            return name, True
    raise ServiceUnavailableError("lease", f"catalog {catalog} changes too fast")


def _execution_name(catalog: str, fence: int) -> str:
    # The time keeps names apart from those of an earlier table: Step Functions remembers 90 days.
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return f"{catalog}-{fence:06d}-{stamp}"


def _key(catalog: str) -> dict[str, "AttributeValueTypeDef"]:
    return {"catalog": _text(catalog), "record": _text(_RECORD)}


def _text(value: str) -> "AttributeValueTypeDef":
    return {"S": value}


def _number(value: float) -> "AttributeValueTypeDef":
    return {"N": str(value)}


def _flag(*, value: bool) -> "AttributeValueTypeDef":
    return {"BOOL": value}


def _update(
    table: str,
    catalog: str,
    update: str,
    condition: str,
    values: dict[str, "AttributeValueTypeDef"],
) -> bool:
    with passing_troubles("dynamodb:UpdateItem"):
        try:
            dynamodb().update_item(
                TableName=table,
                Key=_key(catalog),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
    return True


def _update_held(
    table: str, catalog: str, owner: str, update: str, value: "AttributeValueTypeDef"
) -> None:
    held = {":value": value, ":owner": _text(owner)}
    if not _update(table, catalog, update, "#owner = :owner", held):
        raise LeaseLostError(catalog, owner)
