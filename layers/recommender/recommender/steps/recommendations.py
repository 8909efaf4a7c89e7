"""Batch scoring: everybody's best items, a shard of users at a time."""

import numpy as np

from recommender.aws import storage
from recommender.model.machine import link
from recommender.model.ranking import top_items
from recommender.pipeline.runs import RunFiles, json_lines
from recommender.steps import serving
from recommender.steps.plans import read_plan


def write_shard(bucket: str, files: RunFiles, number: int, first: int, last: int) -> str:
    """Write the exact top-N of users ``first`` to ``last`` (exclusive), without what they rated.

    Returns:
        URI of the part: one JSON object a user:
        ``{"user", "items": [{"item", "title", "score"}]}``, as the API tells it.
    """
    run = serving.load(bucket, files.catalog, files.run_id)
    top_n = read_plan(bucket, files).config.top_n
    found, raw = top_items(run.model, np.arange(first, last), top_n, run.seen)
    scores = link(raw, run.model.predictor_type)
    rows = []
    for at in range(last - first):
        there = found[at] >= 0
        told = run.told(found[at][there], scores[at][there])
        rows.append({"user": run.vocabulary.users[first + at], "items": told})
    key = files.recommendations(number)
    return storage.write(bucket, key, json_lines(rows), "application/x-ndjson")
