"""Batch scoring: everybody's best items, a shard of users at a time."""

from recommender.api import answers
from recommender.aws import storage
from recommender.json_text import json_lines
from recommender.pipeline.run_files import RunFiles
from recommender.serving import served_runs


def write_shard(bucket: str, files: RunFiles, number: int, first: int, last: int) -> str:
    """Write the exact top-N of users ``first`` to ``last`` (exclusive), without what they rated.

    Returns:
        URI of the part: one JSON object a user:
        ``{"user", "items": [{"item", "title", "score"}]}``, as the API tells it.
    """
    run = served_runs.load(bucket, files.catalog, files.run_id)
    rows = answers.lists(run, first, last)
    key = files.recommendations(number)
    return storage.write(bucket, key, json_lines(rows), "application/x-ndjson")
