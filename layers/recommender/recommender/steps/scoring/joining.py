"""Scores back to the ids and lines that they are of, a part at a time."""

from dataclasses import replace
from typing import cast

from recommender.api import answers
from recommender.aws import storage
from recommender.json_text import json_lines
from recommender.model_names import LIKE
from recommender.pipeline.scoring.files import ScoringFiles
from recommender.pipeline.scoring.plans import ScoringPlan
from recommender.pipeline.scoring.transforms import scores_in
from recommender.pipeline.snapshots import SnapshotFile
from recommender.serving import served_runs
from recommender.serving.asking import to_ask


def join(bucket: str, catalog: str, file: SnapshotFile, number: int) -> int:
    """Write the scores of a part, in the order of the list: the API's words, and the line.

    Returns:
        How many rows it has.

    Raises:
        MismatchedScoresError: the transform job did not answer each row.
    """
    files = ScoringFiles.of(catalog, file)
    plan = ScoringPlan.from_dict(storage.read_json(bucket, files.plan))
    part = storage.read_json(bucket, files.pairs(number))
    users, items = cast("list[str]", part["users"]), cast("list[str]", part["items"])
    # Who was out of service when the rows were written has no row among them.
    withdrawn = frozenset(cast("list[str]", part["withdrawn"]))
    run = replace(served_runs.load(bucket, catalog, plan.run_id), withdrawn=withdrawn)
    pairs = list(zip(users, items, strict=True))
    numbers = run.numbers_of(pairs)
    model = run.like if plan.scored_by == LIKE else run.ranking
    assert model is not None  # noqa: S101  # that is why it was chosen
    scores = model.predict_pairs(*numbers)
    asked = to_ask(run, *numbers)
    if plan.scored_by == LIKE and asked.size:
        found = storage.read_if_there(bucket, files.answers(number))
        scores[asked] = scores_in(found, asked.size, files.answers(number))
    if plan.scored_by != LIKE:
        run = replace(run, like=None)
    told = answers.predictions(run, pairs, scores, None, plan.scored_by)["predictions"]
    left_out = () if plan.config.score_titles else ("title",)
    lines = cast("list[int]", part["lines"])
    rows = [
        {"line": line, **{name: one[name] for name in one if name not in left_out}}
        for line, one in zip(lines, cast("list[dict[str, object]]", told), strict=True)
    ]
    storage.write(bucket, files.part(number), json_lines(rows), "application/x-ndjson")
    return len(rows)
