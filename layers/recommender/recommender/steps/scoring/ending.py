"""Write down how the scoring of a pair list ended."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from recommender.aws import storage
from recommender.errors import MismatchedScoresError
from recommender.pipeline.manifests import RunError
from recommender.pipeline.scoring.files import ScoringFiles
from recommender.pipeline.scoring.records import SCORED, manifest
from recommender.pipeline.snapshots import SnapshotFile
from recommender.steps.scoring import plans


def record(
    bucket: str,
    catalog: str,
    file: SnapshotFile,
    *,
    execution: str,
    outcome: str,
    started_at: str,
    state: Mapping[str, object],
) -> dict[str, object]:
    """Write the manifest and, if all went well, ``_SUCCESS`` behind it.

    Args:
        outcome: `SCORED`, "refused" or "failed".
        state: the state machine's own, as far as it came.

    Returns:
        The manifest; that of an earlier attempt if it said already that all pairs are scored.

    Raises:
        MismatchedScoresError: fewer or more rows were joined than were read.
    """
    files = ScoringFiles.of(catalog, file)
    found = storage.read_json_if_there(bucket, files.manifest)
    if found is None or found["outcome"] != SCORED:
        encoding = cast("Mapping[str, object]", state.get("encoding", {}))
        counts = cast("Mapping[str, int]", encoding.get("counts", {}))
        parts = cast("list[Mapping[str, int]]", state.get("joining", []))
        joined = sum(part["rows"] for part in parts)
        if outcome == SCORED and joined != counts["scored"]:
            raise MismatchedScoresError(files.root, counts["scored"], f"{joined:,}")
        found = manifest(
            files=files,
            file=file,
            execution=execution,
            outcome=outcome,
            started_at=started_at,
            finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            plan=plans.read(bucket, files),
            counts=counts or None,
            parts=len(parts),
            error=RunError.from_state(cast("Mapping[str, str] | None", state.get("error"))),
        )
        storage.write_json(bucket, files.manifest, found)
    if found["outcome"] == SCORED:
        storage.write(bucket, files.done, b"", "text/plain")
    return found
