"""Batch scoring: everybody's best items, a shard of users at a time."""

from recommender.api import answers
from recommender.aws import storage
from recommender.json_text import json_lines
from recommender.pipeline.run_files import RunFiles
from recommender.serving import served_runs


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
        URI of the part: one JSON object a user:
        ``{"user", "basis", "items": [{"item", "title", "score", "like_probability"}]}``, as the
        API tells it.
    """
    run = served_runs.load(bucket, files.catalog, files.run_id)
    beside = served_runs.load(bucket, files.catalog, likes) if likes else None
    rows = answers.lists(run, beside, first, last)
    key = files.recommendations(number)
    return storage.write(bucket, key, json_lines(rows), "application/x-ndjson")
