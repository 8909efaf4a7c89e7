"""Batch scoring: everybody's best items, a shard of users at a time."""

from collections.abc import Mapping, Sequence
from typing import cast

from recommender.api import answers
from recommender.aws import storage
from recommender.pipeline.list_files import list_format
from recommender.pipeline.run_files import RunFiles
from recommender.serving import served_runs
from recommender.steps.plans import read_plan


def write_shard(
    bucket: str, files: RunFiles, likes: str | None, number: int, first: int, last: int
) -> str:
    """Write the exact top-N of users ``first`` to ``last`` (exclusive), without what they rated.

    Args:
        bucket: where runs lie.
        files: the run whose lists these are.
        likes: the run whose like model will serve beside them, if one will.
        number: of the part.
        first: first user.
        last: behind the last one.

    Returns:
        URI of the part, in the catalog's format: in JSON Lines one object a user,
        ``{"user", "basis", "items": [{"item", "title", "score", "like_probability"}]}``, as the
        API tells it.
    """
    config = read_plan(bucket, files).config
    form = list_format(config.list_format)
    run = served_runs.load(bucket, files.catalog, files.run_id)
    beside = served_runs.load(bucket, files.catalog, likes) if likes else None
    rows = answers.lists(run, beside, first, last)
    if not config.list_titles:
        rows = [without_titles(row) for row in rows]
    key = files.recommendations(number, config.list_format)
    return storage.write(bucket, key, form.write(rows), form.content_type)


def without_titles(row: Mapping[str, object]) -> dict[str, object]:
    """Leave the titles of a list's items out."""
    items = cast("Sequence[Mapping[str, object]]", row["items"])
    plain = [{name: one[name] for name in one if name != "title"} for one in items]
    return {**row, "items": plain}


def close_lists(bucket: str, files: RunFiles) -> None:
    """Say that the lists of all shards are there."""
    storage.write(bucket, files.recommendations_done, b"", "text/plain")
