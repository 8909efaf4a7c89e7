"""Take a catalog's snapshot; remember file versions that were refused."""

from recommender.aws import storage
from recommender.catalog.keys import by_product_of
from recommender.pipeline.run_files import refusal_key, refusal_prefix
from recommender.pipeline.snapshots import PassedOver, Snapshot, SnapshotFile


def take(
    ratings_bucket: str, artifacts_bucket: str, catalog: str, execution: str
) -> tuple[Snapshot, list[dict[str, object]]]:
    """List the object versions that a run reads.

    A file version that an earlier run refused is left out, so that one bad upload fails one run,
    loudly, and the next good upload works although the bad file still lies there. What this very
    execution refused stays in: its retry must come to the same end. By-products of what wrote the
    files, and empty objects, are passed over.

    Returns:
        The snapshot, and the refusals that were left out (``key``, ``versionId``, ``reason``).
    """
    files: list[SnapshotFile] = []
    refused: list[dict[str, object]] = []
    passed_over: list[PassedOver] = []
    known = storage.list_keys(artifacts_bucket, refusal_prefix(catalog))
    for prefix in (f"ratings/{catalog}/", f"catalogs/{catalog}/"):
        for file in storage.list_latest(ratings_bucket, prefix):
            why = by_product_of(file.key)
            if why is None and not file.size and prefix.startswith("ratings/"):
                why = "is empty"
            if why is not None:
                passed_over.append(PassedOver(file.key, why))
                continue
            key = refusal_key(catalog, file)
            refusal = storage.read_json(artifacts_bucket, key) if key in known else None
            if refusal is not None and refusal["execution"] != execution:
                refused.append(refusal)
            else:
                files.append(file)
    return Snapshot.of(catalog, files, passed_over), refused


def refuse(
    artifacts_bucket: str, catalog: str, file: SnapshotFile, execution: str, reason: str
) -> None:
    """Remember that a file version cannot be used."""
    facts = {
        "key": file.key,
        "versionId": file.version_id,
        "execution": execution,
        "reason": reason,
    }
    storage.write_json(artifacts_bucket, refusal_key(catalog, file), facts)
