"""Evaluate a run's models: fetch what it takes, keep what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from recommender.aws import storage
from recommender.aws.archives import StoredArrays
from recommender.dataset.ranking_rows import kept_out
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import DamagedArtifactError, ShapeMismatchError
from recommender.evaluation.assessment import (
    Champion,
    HeldOutPairs,
    RatedPairs,
    Sides,
    assess,
)
from recommender.evaluation.lists import ListSides, WeightedPairs, assess_lists, figures_of
from recommender.evaluation.verdict import Verdict
from recommender.model import factors
from recommender.model.artifact import read_artifact
from recommender.model.cold_start import with_cold
from recommender.model.folding import fold
from recommender.model.machine import FactorizationMachine
from recommender.model.pair_model import PairModel, split_machine
from recommender.model_names import LIKE, RANKING
from recommender.pipeline.pointers import Pointer
from recommender.pipeline.run_files import RunFiles, pointer_key
from recommender.pipeline.runs import shards
from recommender.serving import side_features
from recommender.steps import shrinkage
from recommender.steps.plans import Plan

_ROWS_AT_ONCE = 1 << 20  # twelve bytes each
USERS_PER_SHARD = 20_000
"""A shard of this size is scored in seconds and its lists fit in memory many times over."""


@dataclass(frozen=True)
class Evaluation:
    """What the state machine needs to know of an evaluation.

    Attributes:
        verdict: "promoted" if any of the models is.
        reasons: what speaks for or against each.
        metrics: what the like model reaches, and the lists.
        shards: of users, whose lists are to be made; with the run of the like model beside them.
        lists: "new" if lists are to be made, else "kept".
        endpoint: "update" if the endpoint is to serve the new like model, else "keep".
        model_uri: the like model's archive, empty if there is none.
    """

    verdict: str
    reasons: list[str]
    metrics: Mapping[str, float]
    shards: list[dict[str, object]]
    lists: str
    endpoint: str
    model_uri: str

    def to_dict(self) -> dict[str, object]:
        """For the state machine."""
        facts = dict(vars(self))
        return {**facts, "modelUri": facts.pop("model_uri")}


@dataclass(frozen=True, eq=False)
class _Run:
    """A run whose models are looked at."""

    bucket: str
    files: RunFiles
    plan: Plan
    vocabulary: Vocabulary
    pairs: StoredArrays
    pointer: Pointer | None


def evaluate(
    bucket: str, files: RunFiles, plan: Plan, trainings: Sequence[Mapping[str, Any]]
) -> Evaluation:
    """Judge each of a run's models, and keep its metrics and its factors.

    A damaged archive, or one whose size disagrees with the vocabulary, is a verdict: rejected.

    Args:
        trainings: of each model: ``model``, and in ``trained`` its ``modelUri``.
    """
    pointed = storage.read_json_if_there(bucket, pointer_key(files.catalog))
    run = _Run(
        bucket,
        files,
        plan,
        Vocabulary.from_json(storage.read(bucket, files.vocabulary)),
        StoredArrays(bucket, files.pairs),
        None if pointed is None else Pointer.from_dict(pointed),
    )
    uris = {cast("str", one["model"]): cast("str", one["trained"]["modelUri"]) for one in trainings}
    facts: dict[str, object] = {}
    verdicts: dict[str, Verdict] = {}
    like: PairModel | None = None
    if LIKE in uris:
        verdicts[LIKE], like = _like(run, uris[LIKE], facts)
    if RANKING in uris:
        verdicts[RANKING] = _ranking(run, uris[RANKING], like, facts)
    serving = None if run.pointer is None else run.pointer.run_id
    shrunk = shrinkage.unexplained(bucket, files, serving, plan.config.gate.max_shrink)
    if shrunk:
        verdicts = {name: one.also([(False, shrunk)]) for name, one in verdicts.items()}
    told = {name: verdict.to_dict() for name, verdict in verdicts.items()}
    promoted = {name for name, verdict in verdicts.items() if verdict.promoted}
    every = (reason for verdict in verdicts.values() for reason in verdict.reasons)
    reasons = list(dict.fromkeys((*([shrunk] if shrunk else ()), *every)))
    verdict = "promoted" if promoted else "rejected"
    facts |= {"models": told, "verdict": verdict, "reasons": reasons}
    storage.write_json(bucket, files.metrics, facts)
    beside = files.run_id if LIKE in promoted else run.pointer.like if run.pointer else None
    return Evaluation(
        verdict=verdict,
        reasons=reasons,
        metrics=cast("Mapping[str, float]", facts.get("challenger", {})),
        shards=[
            {**shard, "likes": beside}
            for shard in shards(len(run.vocabulary.every_user), USERS_PER_SHARD)
        ],
        lists="new" if promoted and _makes_lists(run, verdicts) else "kept",
        endpoint="update" if LIKE in promoted else "keep",
        model_uri=uris.get(LIKE, ""),
    )


def _makes_lists(run: _Run, verdicts: Mapping[str, Verdict]) -> bool:
    """Whether lists are made of this run: by its models, or popular ones where none ever were."""
    if RANKING not in verdicts or verdicts[RANKING].promoted:
        return True
    return run.pointer is None or run.pointer.ranking is None


def _like(run: _Run, uri: str, facts: dict[str, object]) -> tuple[Verdict, PairModel | None]:
    """Judge the like model; put its figures to the facts."""
    try:
        model = folded(run.bucket, run.files, uri, run.vocabulary)
    except (DamagedArtifactError, ShapeMismatchError) as error:
        facts["challenger"] = {}
        return Verdict.refusal(f"The new model cannot be used: {error}"), None
    config = run.plan.config
    if RANKING in run.plan.models:  # whose lists are judged by the limits on lists
        config = replace(config, gate=config.gate.of_predictions())
    rated = model.first(len(run.vocabulary.users), len(run.vocabulary.items))
    result = assess(rated, run.vocabulary, _sides(run.pairs), config, _champion(run, LIKE))
    features = side_features.read(run.bucket, run.files, run.vocabulary)
    served, cold = with_cold(rated, features)
    if result.verdict.promoted:
        storage.write_arrays(run.bucket, run.files.factors, factors.to_arrays(served))
    facts |= result.to_dict()
    facts["coldStart"] = {noun: one.to_dict() for noun, one in cold.items()}
    return result.verdict, rated


def _ranking(run: _Run, uri: str, like: PairModel | None, facts: dict[str, object]) -> Verdict:
    """Judge the ranking model; put its figures to the facts."""
    sizes = len(run.vocabulary.users), len(run.vocabulary.items)
    try:
        model = split_machine(_machine(uri), *sizes)
    except (DamagedArtifactError, ShapeMismatchError) as error:
        return Verdict.refusal(f"The new ranking model cannot be used: {error}")
    result = assess_lists(
        model,
        run.vocabulary,
        _list_sides(run.pairs),
        kept_out(run.vocabulary),
        run.plan.config,
        _champion(run, RANKING),
        like,
    )
    served, cold = with_cold(
        result.model, side_features.read(run.bucket, run.files, run.vocabulary)
    )
    if result.verdict.promoted:
        arrays = factors.to_arrays(served)
        storage.write_arrays(run.bucket, run.files.ranking_factors, arrays)
        _write_rated(run)
    facts["lists"] = {
        **result.to_dict(),
        "coldStart": {noun: one.to_dict() for noun, one in cold.items()},
    }
    for name in ("ranking", "popularity"):
        facts[name] = figures_of(result.methods[name], run.plan.config.top_n)
    return result.verdict


def _write_rated(run: _Run) -> None:
    """Keep what the ranking model knows of each user, so that news of one can be added to it."""
    columns = ("train_users", "train_items", "train_weights")
    counts = np.zeros(len(run.vocabulary.users) + 1, np.int64)
    for users, _, weights in _blocks(run.pairs, columns):
        counts[1:] += np.bincount(users[weights > 0], minlength=counts.size - 1)
    offsets = np.cumsum(counts)
    items, kept = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.float32)
    at = offsets[:-1].copy()
    for users, numbers, weights in _blocks(run.pairs, columns):
        order = np.argsort(users, kind="stable")
        order = order[weights[order] > 0]
        owners = users[order]
        first = np.searchsorted(owners, owners)
        places = at[owners] + np.arange(owners.size) - first
        items[places], kept[places] = numbers[order], weights[order]
        at += np.bincount(owners, minlength=at.size)
    storage.write_columns(
        run.bucket,
        run.files.rated,
        (
            storage.Column("offsets", "<i8", offsets.size, [offsets]),
            storage.Column("items", "<i4", items.size, [items]),
            storage.Column("weights", "<f4", kept.size, [kept]),
        ),
    )


def folded(bucket: str, files: RunFiles, uri: str, vocabulary: Vocabulary) -> PairModel:
    """Read an archive, and fold the side features of a run into users and items.

    Raises:
        DamagedArtifactError: it is no archive of a machine.
        ShapeMismatchError: its size disagrees with the vocabulary.
    """
    features = side_features.read(bucket, files, vocabulary)
    return fold(_machine(uri), len(vocabulary.users), len(vocabulary.items), features)


def _machine(uri: str) -> FactorizationMachine:
    return read_artifact(storage.read(*storage.split_uri(uri)), uri)


def _sides(pairs: StoredArrays) -> Sides:
    """Read the pairs of a run as they are asked for."""
    train = ("train_users", "train_items", "train_labels")
    test = ("test_users", "test_items", "test_labels", "test_likes")
    return Sides(
        train=lambda: (RatedPairs(*block) for block in _blocks(pairs, train)),
        train_rows=pairs.size(train[0]),
        test=lambda: (HeldOutPairs(*block) for block in _blocks(pairs, test)),
    )


def _list_sides(pairs: StoredArrays) -> ListSides:
    """Read the pairs of a run with their weights."""
    columns = [
        [f"{side}_{name}" for name in ("users", "items", "weights", "likes")]
        for side in ("train", "test")
    ]
    parts = list(_blocks(pairs, columns[1]))
    test = WeightedPairs(*(_joined(column) for column in zip(*parts, strict=True)))
    return ListSides(
        train=lambda: (WeightedPairs(*block) for block in _blocks(pairs, columns[0])), test=test
    )


def _joined(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _blocks(pairs: StoredArrays, names: Sequence[str]) -> Iterator[Any]:
    """Read columns side by side; their kinds are told by their names."""
    return pairs.blocks(names, _ROWS_AT_ONCE)


def _champion(run: _Run, model: str) -> Champion | None:
    """The model that serves, if one does."""
    if run.pointer is None:
        return None
    run_id = run.pointer.like if model == LIKE else run.pointer.ranking
    if run_id is None:
        return None
    files = RunFiles(run.files.catalog, run_id)
    key = files.factors if model == LIKE else files.ranking_factors
    vocabulary = Vocabulary.from_json(storage.read(run.bucket, files.vocabulary)).of_rated()
    model_there = factors.from_arrays(storage.read_arrays(run.bucket, key))
    return Champion(
        run_id=run_id,
        vocabulary=vocabulary,
        model=model_there.first(len(vocabulary.users), len(vocabulary.items)),
    )
