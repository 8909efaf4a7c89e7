"""What is kept and told of a pair list's scoring."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from recommender.model_names import RANKING
from recommender.pipeline.manifests import RunError
from recommender.pipeline.scoring.files import ScoringFiles
from recommender.pipeline.scoring.plans import ScoringPlan, pair_settings
from recommender.pipeline.snapshots import SnapshotFile

SCORED = "scored"
_TOLD = ("catalog", "file", "name", "outcome", "run", "scored_by", "counts", "seconds", "error")
_LEVELS = {SCORED: "information", "waiting": "information"}


def manifest(
    *,
    files: ScoringFiles,
    file: SnapshotFile,
    execution: str,
    outcome: str,
    started_at: str,
    finished_at: str,
    plan: ScoringPlan | None,
    counts: Mapping[str, object] | None,
    parts: int,
    error: RunError | None,
) -> dict[str, object]:
    """Put together the record of a scoring, whatever became of it.

    Args:
        counts: ``rows`` = ``scored`` + ``rejected``; ``scored`` = ``by_transform`` +
            ``by_factors``; and how many of them have an unknown user or item.
    """
    record: dict[str, object] = {
        "catalog": files.catalog,
        "name": files.name,
        "file": vars(file),
        "execution": execution,
        "outcome": outcome,
        "startedAt": started_at,
        "finishedAt": finished_at,
        "seconds": _seconds_between(started_at, finished_at),
    }
    if plan is not None:
        record |= {
            "run": plan.run_id,
            "scored_by": plan.scored_by,
            "settings": pair_settings(plan.config),
        }
    if counts is not None:
        record |= {"counts": counts, "parts": parts}
    if error is not None:
        record["error"] = {"type": error.type, "message": error.message}
    return record


def _seconds_between(started_at: str, finished_at: str) -> float:
    started, finished = map(datetime.fromisoformat, (started_at, finished_at))
    return round((finished - started).total_seconds(), 3)


def summary(record: Mapping[str, object]) -> str:
    """One line for people."""
    file = cast("Mapping[str, object]", record["file"])
    told = f"{record['catalog']}: {file['key']} "
    if record["outcome"] != SCORED:
        error = record.get("error")
        why = (
            f"{error['type']}: {error['message']}"
            if isinstance(error, Mapping)
            else "no reason known"
        )
        what = "was refused" if record["outcome"] == "refused" else "could not be scored"
        return f"{told}{what}. {why}. Upload it again once that is mended"
    counts = cast("Mapping[str, int]", record["counts"])
    told += f"scored, {_pairs(counts['scored'])} under scores/{record['catalog']}/{record['name']}/"
    if counts["rejected"]:
        told += f"; {counts['rejected']:,} rows could not be read, see rejects.jsonl"
    if record["scored_by"] == RANKING:
        told += ". There is no like model: scores are the ranking model's"
    return told


def _pairs(many: int) -> str:
    return "1 pair" if many == 1 else f"{many:,} pairs"


def notice(record: Mapping[str, object]) -> dict[str, object]:
    """The facts of a scoring that go into its notice."""
    level = _LEVELS.get(str(record["outcome"]), "error")
    return {"level": level, **{name: record[name] for name in _TOLD if name in record}}


def waiting_notice(catalog: str, key: str) -> tuple[str, dict[str, object]]:
    """What is told of a pair list that came before the catalog's first model."""
    told = (
        f"{catalog}: {key} waits for the catalog's first model and is then scored by itself. "
        f"Models are trained on ratings under ratings/{catalog}/"
    )
    return told, {"level": "information", "outcome": "waiting", "catalog": catalog, "key": key}


def abandoned_notice(catalog: str, key: str, status: str) -> tuple[str, dict[str, object]]:
    """What is told of a pair list whose execution was aborted, or ran out of time."""
    told = f"{catalog}: the scoring of {key} broke off ({status}). Upload the file again"
    return told, {"level": "error", "outcome": "abandoned", "catalog": catalog, "key": key}
