"""A run that knows much less than the one that serves, and nobody deleted anything."""

from collections.abc import Mapping
from typing import cast

from recommender.aws import storage
from recommender.pipeline.run_files import RunFiles

_MOST_NAMED = 3
_Facts = Mapping[str, object]


def unexplained(bucket: str, files: RunFiles, serving: str | None, most: float) -> str:
    """Say what is missing beside the run that serves, if it is more than a deletion explains.

    Args:
        files: the new run's.
        serving: the run that serves, if one does.
        most: by which share ratings, users and items may fall.

    Returns:
        A sentence; empty if nothing fell by more, or if somebody meant it: rating files of the
        serving run are gone from the bucket, or the settings of reading are others.
    """
    if serving is None or serving == files.run_id:
        return ""
    before = storage.read_json_if_there(bucket, RunFiles(files.catalog, serving).plan)
    now = storage.read_json(bucket, files.plan)
    if before is None:
        return ""
    fallen = [
        f"{there:,} {noun} instead of {were:,}"
        for noun, there, were in zip(_NOUNS, _sizes(now), _sizes(before), strict=True)
        if there < (1 - most) * were
    ]
    refused = _keys(now, "refusedFiles")
    missing = _keys(before, "snapshot") - _keys(now, "snapshot")
    if not fallen or missing - refused or _reading(before) != _reading(now):
        return ""
    left_out = sorted(missing & refused)
    why = "no file is missing, so files were rewritten with less"
    if left_out:
        named = ", ".join(left_out[:_MOST_NAMED])
        more = f" and {len(left_out) - _MOST_NAMED} more" if len(left_out) > _MOST_NAMED else ""
        why = f"refused and left out: {named}{more}"
    return (
        f"The run has {', '.join(fallen)}, a fall of more than gate.max_shrink, {most:.0%}, and no "
        f"file was deleted; {why}."
    )


_NOUNS = ("ratings", "users", "items")


def _sizes(plan: _Facts) -> tuple[int, int, int]:
    counts = cast("Mapping[str, int]", plan["counts"])
    return counts["train_rows"] + counts["test_rows"], counts["users"], counts["items"]


def _reading(plan: _Facts) -> list[object]:
    config = cast("Mapping[str, object]", plan["config"])
    return [config.get(name) for name in ("form", "feedback", "events")]


def _keys(plan: _Facts, name: str) -> set[str]:
    """The rating files that a plan lists."""
    listed = cast("list[Mapping[str, str]]", plan.get(name, []))
    return {one["key"] for one in listed if one["key"].startswith("ratings/")}
