"""People whose ratings are gone: the models that serve do not answer for them any more, at once.

A new run forgets them, but it takes its time, and may be rejected. Until then a list of their ids
lies beside the pointer: to the API they are strangers, and their rows leave the lists that were
written for batch use. Who has ratings again is not on the next list.
"""

import json
from collections.abc import Iterable, Mapping
from typing import cast

from recommender.aws import storage
from recommender.catalog.config import CatalogConfig
from recommender.dataset.vocabulary import Vocabulary
from recommender.pipeline.list_files import list_format
from recommender.pipeline.pointers import Pointer
from recommender.pipeline.run_files import RunFiles, pointer_key, withdrawn_key
from recommender.pipeline.snapshots import Snapshot


def withdraw(
    bucket: str,
    snapshot: Snapshot,
    refused: Iterable[object],
    users: Iterable[str],
    config: CatalogConfig | None = None,
) -> int:
    """Take users out of service whom the serving runs know and whose ratings are gone.

    That is said only of files that were deleted or rewritten, and read as before: of a file that
    was refused, and under other settings of reading, nobody knows who is missing on purpose. Then
    all stays as it is.

    Args:
        bucket: where runs lie.
        snapshot: the files as they are now.
        refused: those of them that were left out.
        users: everybody who has ratings now.
        config: how they were read; None where nothing was left to read.

    Returns:
        How many users are out of service from now on.
    """
    catalog = snapshot.catalog
    found = storage.read_json_if_there(bucket, pointer_key(catalog))
    if found is None or any(True for _ in refused):
        return 0
    pointer = Pointer.from_dict(found)
    gone: set[str] = set()
    for run_id in {pointer.lists, pointer.like or pointer.lists}:
        files = RunFiles(catalog, run_id)
        plan = storage.read_json_if_there(bucket, files.plan)
        if plan is None or (config is not None and _reading(plan) != _reading(_facts(config))):
            return 0
        if _is_there(plan, snapshot):
            continue
        vocabulary = Vocabulary.from_json(storage.read(bucket, files.vocabulary))
        gone.update(vocabulary.users)
    gone.difference_update(users)
    key = withdrawn_key(catalog)
    before = storage.read_json_if_there(bucket, key)
    told = {"users": sorted(gone)}
    if before != told and (gone or before is not None):
        # First the list, which the API believes at once.
        storage.write_json(bucket, key, told)
    if gone:
        _leave_lists(bucket, RunFiles(catalog, pointer.lists), gone)
    return len(gone)


def _facts(config: CatalogConfig) -> Mapping[str, object]:
    return {"config": json.loads(json.dumps(config.to_dict()))}


def _reading(plan: Mapping[str, object]) -> list[object]:
    config = cast("Mapping[str, object]", plan["config"])
    return [config.get(name) for name in ("form", "feedback", "events")]


def _is_there(plan: Mapping[str, object], snapshot: Snapshot) -> bool:
    """Whether every rating file of a run still lies there as it was read."""
    now = {(file.key, file.version_id) for file in snapshot.rating_files()}
    listed = cast("list[Mapping[str, str]]", plan["snapshot"])
    then = {(one["key"], one["version_id"]) for one in listed if one["key"].startswith("ratings/")}
    return then <= now


def _leave_lists(bucket: str, files: RunFiles, gone: set[str]) -> None:
    """Write the parts of a run's lists anew that hold one of these users."""
    for key in sorted(storage.list_keys(bucket, files.all_recommendations)):
        if key == files.recommendations_done:
            continue
        form = list_format(key.rpartition(".")[2])
        kept = form.without(storage.read(bucket, key), gone)
        if kept is not None:
            storage.write(bucket, key, kept, form.content_type)
