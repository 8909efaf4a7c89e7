"""Evaluate a run's model: fetch what it takes, keep what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from recommender.aws import storage
from recommender.aws.archives import StoredArrays
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import DamagedArtifactError, ShapeMismatchError
from recommender.evaluation.assessment import Champion, HeldOutPairs, RatedPairs, Sides, assess
from recommender.model import factors
from recommender.model.artifact import read_artifact
from recommender.model.folding import fold
from recommender.model.pair_model import PairModel
from recommender.pipeline.run_files import RunFiles, pointer_key
from recommender.pipeline.runs import shards
from recommender.serving import side_features
from recommender.steps.plans import Plan

_ROWS_AT_ONCE = 1 << 20  # twelve bytes each
USERS_PER_SHARD = 20_000
"""A shard of this size is scored in seconds and its lists fit in memory many times over."""


@dataclass(frozen=True)
class Evaluation:
    """What the state machine needs to know of an evaluation."""

    verdict: str
    reasons: list[str]
    metrics: Mapping[str, float]
    shards: list[dict[str, int]]


def evaluate(bucket: str, files: RunFiles, plan: Plan, model_uri: str) -> Evaluation:
    """Judge a run's model, and keep its metrics and its factors.

    A damaged archive, or one whose size disagrees with the vocabulary, is a verdict: rejected.
    """
    vocabulary = Vocabulary.from_json(storage.read(bucket, files.vocabulary))
    try:
        model = _open(bucket, files, model_uri, vocabulary)
    except (DamagedArtifactError, ShapeMismatchError) as error:
        reason = f"The new model cannot be used: {error}"
        facts = {"challenger": {}, "verdict": "rejected", "reasons": [reason]}
        storage.write_json(bucket, files.metrics, facts)
        return Evaluation("rejected", [reason], {}, [])
    sides = _sides(StoredArrays(bucket, files.pairs))
    result = assess(model, vocabulary, sides, plan.config, _champion(bucket, files.catalog))
    storage.write_arrays(bucket, files.factors, factors.to_arrays(model))
    storage.write_json(bucket, files.metrics, result.to_dict())
    return Evaluation(
        verdict="promoted" if result.verdict.promoted else "rejected",
        reasons=list(result.verdict.reasons),
        metrics=result.challenger.as_dict(),
        shards=shards(len(vocabulary.users), USERS_PER_SHARD),
    )


def _open(bucket: str, files: RunFiles, model_uri: str, vocabulary: Vocabulary) -> PairModel:
    machine = read_artifact(storage.read(*storage.split_uri(model_uri)), model_uri)
    n_users, n_items = len(vocabulary.users), len(vocabulary.items)
    return fold(machine, n_users, n_items, side_features.read(bucket, files, vocabulary))


def _sides(pairs: StoredArrays) -> Sides:
    """Read the pairs of a run as they are asked for."""
    train = ("train_users", "train_items", "train_labels")
    test = ("test_users", "test_items", "test_labels", "test_likes")

    def blocks(names: Sequence[str]) -> Iterator[Any]:  # their kinds are told by their names
        return pairs.blocks(names, _ROWS_AT_ONCE)

    return Sides(
        train=lambda: (RatedPairs(*block) for block in blocks(train)),
        train_rows=pairs.size(train[0]),
        test=lambda: (HeldOutPairs(*block) for block in blocks(test)),
    )


def _champion(bucket: str, catalog: str) -> Champion | None:
    pointer = storage.read_json_if_there(bucket, pointer_key(catalog))
    if pointer is None:
        return None
    files = RunFiles(catalog, cast("str", pointer["runId"]))
    return Champion(
        run_id=files.run_id,
        vocabulary=Vocabulary.from_json(storage.read(bucket, files.vocabulary)),
        model=factors.from_arrays(storage.read_arrays(bucket, files.factors)),
    )
