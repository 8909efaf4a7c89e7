"""Take a catalog's snapshot; remember file versions that were refused."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping

from recommender.aws import storage
from recommender.catalog.config import CatalogConfig, parse_config
from recommender.catalog.keys import by_product_of
from recommender.errors import InvalidConfigError
from recommender.pipeline.run_files import refusal_key, refusal_prefix
from recommender.pipeline.snapshots import PassedOver, Snapshot, SnapshotFile


def take(
    ratings_bucket: str, artifacts_bucket: str, catalog: str, execution: str
) -> tuple[Snapshot, list[dict[str, object]]]:
    """List the object versions that a run reads.

    A file version that an earlier run refused is left out, so that one bad upload fails one run,
    loudly, and the next good upload works although the bad file still lies there. It is read again
    once the settings of reading are others, or the code is, or the file that decided what kind of
    feedback the catalog has is gone, or the function has other room, if it took too much of it.
    What this very execution refused stays in: its retry must come to the same end. By-products of
    what wrote the files, and empty objects, are passed over.

    Returns:
        The snapshot, and the refusals that were left out (``key``, ``versionId``, ``reason``).
    """
    found: list[SnapshotFile] = []
    passed_over: list[PassedOver] = []
    for prefix in (f"ratings/{catalog}/", f"catalogs/{catalog}/"):
        for file in storage.list_latest(ratings_bucket, prefix):
            why = by_product_of(file.key)
            if why is None and not file.size and prefix.startswith("ratings/"):
                why = "is empty"
            if why is not None:
                passed_over.append(PassedOver(file.key, why))
            else:
                found.append(file)
    refused = _refusals(ratings_bucket, artifacts_bucket, catalog, found, execution)
    files = [file for file in found if file.identity not in refused]
    return Snapshot.of(catalog, files, passed_over), list(refused.values())


def _refusals(
    ratings_bucket: str,
    artifacts_bucket: str,
    catalog: str,
    files: Iterable[SnapshotFile],
    execution: str,
) -> dict[str, dict[str, object]]:
    """What earlier runs refused of these files, read as they are read now: identity -> facts."""
    known = storage.list_keys(artifacts_bucket, refusal_prefix(catalog))
    if not known:
        return {}
    reading = _reading(ratings_bucket, Snapshot.of(catalog, files))
    there = {file.identity for file in files}
    found = {}
    for file in files:
        ways = (refusal_key(catalog, file, reading), name_of_reading(catalog, file, reading))
        key = next((way for way in ways if way in known), None)
        if key is None:
            continue
        refusal = storage.read_json(artifacts_bucket, key)
        decided_by = refusal.pop("decidedBy", None)
        if refusal["execution"] != execution and (decided_by is None or decided_by in there):
            found[file.identity] = refusal
    return found


def settings_of(bucket: str, snapshot: Snapshot) -> CatalogConfig:
    """Read a catalog's settings.

    Raises:
        InvalidConfigError: they cannot be used.
    """
    file = snapshot.catalog_file("config")
    if file is None:
        return CatalogConfig()
    return parse_config(file.key, storage.read_version(bucket, file))


def _reading(bucket: str, snapshot: Snapshot) -> dict[str, object]:
    """The settings of reading, as the bucket has them now."""
    try:
        return settings_of(bucket, snapshot).reading()
    except InvalidConfigError:  # which the run itself will refuse
        return {}


def refuse(
    artifacts_bucket: str,
    catalog: str,
    file: SnapshotFile,
    execution: str,
    reason: str,
    reading: Mapping[str, object],
    decided_by: SnapshotFile | None = None,
    *,
    for_want_of_room: bool = False,
) -> None:
    """Remember that a file version cannot be used as it was read.

    Args:
        reading: the settings that it was read with.
        decided_by: the file that decided what kind of feedback the catalog has, if one did.
        for_want_of_room: whether an encoder with more memory or disk may read it.
    """
    facts = {
        "key": file.key,
        "versionId": file.version_id,
        "execution": execution,
        "reason": reason,
    }
    if decided_by is not None:
        facts["decidedBy"] = decided_by.identity
    name = name_of_reading if for_want_of_room else refusal_key
    storage.write_json(artifacts_bucket, name(catalog, file, reading), facts)


def name_of_reading(catalog: str, file: SnapshotFile, reading: Mapping[str, object]) -> str:
    """Name a file version as it is read, by an encoder with this function's memory and disk."""
    room = {
        "memory": os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ""),
        "disk": shutil.disk_usage(tempfile.gettempdir()).total,
    }
    return refusal_key(catalog, file, {**reading, "room": room})
