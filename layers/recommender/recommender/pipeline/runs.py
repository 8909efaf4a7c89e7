"""What a run is called, and how its work is cut."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from recommender.pipeline.snapshots import Snapshot

CODE_VERSION = "0.3.0"
"""Part of a run's identity: new code may make other tensors of the same files."""


def run_id(snapshot: Snapshot, plan: Mapping[str, object]) -> str:
    """Derive a run's name from what it reads and how it will train.

    Args:
        snapshot: the files; at least one.
        plan: everything else that shapes the result (image, hyperparameters).
    Returns:
        Time of the newest file and a digest, so that names sort by time and the same input has
        the same name: ``20260921t101502-3f9a0c11d2``. Letters, digits and ``-``, 26 characters.
    """
    newest = max(file.last_modified for file in snapshot.files)
    stamp = datetime.fromisoformat(newest).astimezone(UTC).strftime("%Y%m%dt%H%M%S")
    content = {"snapshot": snapshot.to_dict(), "plan": dict(plan), "code": CODE_VERSION}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{stamp}-{digest[:10]}"


def attempt_id(base: str, attempt: int) -> str:
    """Name another try at a run that failed: the first keeps the bare name."""
    return base if attempt == 1 else f"{base}-{attempt}"


def shards(n_users: int, users_per_shard: int) -> list[dict[str, int]]:
    """Cut ``n_users`` users into consecutive shards.

    Returns:
        ``{"number", "first", "last"}`` each, ``last`` exclusive.
    """
    starts = range(0, n_users, users_per_shard)
    return [
        {"number": number, "first": first, "last": min(first + users_per_shard, n_users)}
        for number, first in enumerate(starts)
    ]


def execution_input(catalog: str, settle_seconds: int, poll_seconds: int) -> dict[str, object]:
    """The input of an execution. Equal for every start of a catalog, so starting twice is once."""
    return {"catalog": catalog, "settleSeconds": settle_seconds, "pollSeconds": poll_seconds}
