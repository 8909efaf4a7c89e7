"""The run that serves, loaded once per container, and predictions by its endpoint."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from recommender.api.answers import ServedRun
from recommender.aws import endpoint, sagemaker, storage
from recommender.aws.archives import StoredArrays
from recommender.catalog.keys import check_catalog_name
from recommender.catalog.ranking import Ranking
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import EndpointFailedError, UnknownCatalogError
from recommender.features import Float32s, Float64s, Integers
from recommender.model import factors
from recommender.model.pair_model import PairModel
from recommender.model.seen_items import SeenItems
from recommender.model_names import LIKE, RANKING
from recommender.pipeline import jobs
from recommender.pipeline.pointers import Pointer
from recommender.pipeline.run_files import RunFiles, pointer_key, withdrawn_key
from recommender.recordio.writing import write_rows
from recommender.serving import side_features
from recommender.serving.asking import to_ask

_POINTER_SECONDS = 5.0
_UPDATES_IN_A_ROW = 5
_pointers: dict[tuple[str, str], tuple[float, Pointer]] = {}
_withdrawn: dict[tuple[str, str], tuple[float, frozenset[str]]] = {}
_variants: dict[str, str] = {}
"""Endpoint to the variant that answered last: the pointer moves a little after the endpoint."""


def pointer(bucket: str, catalog: str) -> Pointer:
    """Find the serving runs of a catalog, at most a few seconds old.

    Raises:
        InvalidCatalogNameError: no catalog can have that name.
        UnknownCatalogError: nothing serves under it.
    """
    key = (bucket, check_catalog_name(catalog))
    known = _pointers.get(key)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    found = storage.read_json_if_there(bucket, pointer_key(catalog))
    if found is None:
        raise UnknownCatalogError(catalog)
    read = Pointer.from_dict(found)
    _pointers[key] = (time.monotonic() + _POINTER_SECONDS, read)
    return read


def runs_of_lists(bucket: str, catalog: str) -> tuple[ServedRun, ServedRun | None]:
    """Load the run that lists are made of, and the one whose like model serves, if one does."""
    found = pointer(bucket, catalog)
    likes = served(bucket, catalog, found.like) if found.like else None
    return served(bucket, catalog, found.lists), likes


def manifest(bucket: str, catalog: str) -> dict[str, object]:
    """Read the manifest of the run that was promoted last."""
    run_id = pointer(bucket, catalog).run_id
    return storage.read_json(bucket, RunFiles(catalog, run_id).manifest)


def served(bucket: str, catalog: str, run_id: str) -> ServedRun:
    """Load a run, to answer for everybody whose ratings are still there."""
    return _without(bucket, catalog, run_id, withdrawn(bucket, catalog))


def withdrawn(bucket: str, catalog: str) -> frozenset[str]:
    """The users of a catalog whose ratings are gone, at most a few seconds old."""
    key = (bucket, catalog)
    known = _withdrawn.get(key)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    found = storage.read_json_if_there(bucket, withdrawn_key(catalog))
    users = frozenset(cast("list[str]", found["users"])) if found else frozenset()
    _withdrawn[key] = (time.monotonic() + _POINTER_SECONDS, users)
    return users


@lru_cache(maxsize=4)
def _without(bucket: str, catalog: str, run_id: str, gone: frozenset[str]) -> ServedRun:
    run = load(bucket, catalog, run_id)
    return replace(run, withdrawn=gone) if gone else run


@lru_cache(maxsize=4)
def load(bucket: str, catalog: str, run_id: str) -> ServedRun:
    """Load a run. Runs never change once they serve, so a container keeps the last few."""
    files = RunFiles(catalog, run_id)
    seen = storage.read_arrays(bucket, files.seen)
    plan = storage.read_json(bucket, files.plan)
    config = cast("dict[str, Any]", plan["config"])
    usable = _usable(bucket, files, plan)
    ranking = Ranking(**config.get("ranking", {}))
    vocabulary = Vocabulary.from_json(storage.read(bucket, files.vocabulary))
    offsets = cast("NDArray[np.int64]", seen["offsets"])
    likes = cast("NDArray[np.int64]", seen["item_likes"])
    return ServedRun(
        run_id=run_id,
        vocabulary=vocabulary,
        titles=json.loads(storage.read(bucket, files.titles)),
        like=_model(bucket, files.factors) if LIKE in usable else None,
        ranking=_model(bucket, files.ranking_factors) if RANKING in usable else None,
        ranks=RANKING in cast("dict[str, object]", plan.get("models", {})),
        # Who has no ratings has seen nothing, and what has none is liked by nobody.
        seen=SeenItems(
            np.pad(offsets, (0, len(vocabulary.cold_users)), mode="edge"),
            cast("NDArray[np.int64]", seen["items"]),
        ),
        item_likes=np.pad(likes, (0, len(vocabulary.cold_items))),
        like_threshold=float(config["like_threshold"]),
        top_n=int(config["top_n"]),
        features=side_features.read(bucket, files, vocabulary),
        weigh=_weigher(ranking, plan),
        renewed=ranking.renewed,
    )


def _weigher(ranking: Ranking, plan: Mapping[str, object]) -> Callable[[Float32s], Float32s]:
    """How much ratings counted in a run; one that is infinitely good, as the best one.

    Without ratings these are counts, and an infinite one is a single event.
    """
    scale = cast("dict[str, float]", plan.get("scale", {"lowest": 0.0, "highest": 0.0}))
    return partial(ranking.weigh, lowest=scale["lowest"], highest=scale["highest"])


def _model(bucket: str, key: str) -> PairModel:
    return factors.from_arrays(storage.read_arrays(bucket, key))


def _usable(bucket: str, files: RunFiles, plan: Mapping[str, object]) -> set[str]:
    """The models of a run that were found good enough, and so were kept.

    Asked of what the evaluation says and not of the bucket: who may not list it is told of a key
    that is missing that it is forbidden.
    """
    if "models" not in plan:  # a run from before there were two
        return {LIKE}
    judged = storage.read_json(bucket, files.metrics)["models"]
    verdicts = cast("Mapping[str, Mapping[str, str]]", judged)
    return {name for name, told in verdicts.items() if told["verdict"] == "promoted"}


def rated(
    bucket: str, catalog: str, run_id: str, user: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Read what a run's ranking model knows of a user with ratings: items and their weights."""
    offsets = _rated_offsets(bucket, catalog, run_id)
    arrays = StoredArrays(bucket, RunFiles(catalog, run_id).rated)
    some = int(offsets[user]), int(offsets[user + 1])
    items, weights = arrays.part("items", *some), arrays.part("weights", *some)
    return items.astype(np.int32), weights.astype(np.float32)


@lru_cache(maxsize=4)
def _rated_offsets(bucket: str, catalog: str, run_id: str) -> NDArray[np.int64]:
    arrays = StoredArrays(bucket, RunFiles(catalog, run_id).rated)
    return arrays.part("offsets", 0, arrays.size("offsets")).astype(np.int64)


def score(
    bucket: str, prefix: str, catalog: str, pairs: Sequence[tuple[str, str]]
) -> tuple[ServedRun, Float64s]:
    """Score pairs at the catalog's endpoint; without a like model, by the ranking model.

    The endpoint may move to a new model at any moment, whose columns mean other users and items.
    So each call names the variant whose vocabulary encoded it, and follows when that has gone.

    Returns:
        The run that answered, and ``(n,)`` scores.

    Raises:
        UnknownCatalogError: nothing serves.
        EndpointFailedError: the endpoint cannot answer.
    """
    found = pointer(bucket, catalog)
    if found.like is None:
        run = served(bucket, catalog, found.lists)
        if run.ranking is None:
            raise UnknownCatalogError(catalog)
        return run, run.ranking.predict_pairs(*run.numbers_of(pairs))
    name = jobs.endpoint_name(prefix, catalog)
    run_id = _variants.get(name, found.like)
    for _ in range(_UPDATES_IN_A_ROW):
        run = served(bucket, catalog, run_id)
        try:
            return run, _score_with(run, name, pairs)
        except endpoint.VariantMovedError:
            run_id = _variants[name] = _current_variant(name)
    raise EndpointFailedError(name, "it changed its model at every try")


def _current_variant(name: str) -> str:
    found = sagemaker.describe_endpoint(name)
    if found is None or not found.get("ProductionVariants"):
        raise EndpointFailedError(name, "it does not serve")
    return jobs.run_of_variant(found["ProductionVariants"][0]["VariantName"])


def _score_with(run: ServedRun, name: str, pairs: Sequence[tuple[str, str]]) -> Float64s:
    if run.like is None:
        raise EndpointFailedError(name, "the run that it serves has no like model")
    users, items = run.numbers_of(pairs)
    scores = run.like.predict_pairs(users, items)
    some = to_ask(run, users, items)
    if len(some):
        scores[some] = _asked(run, name, users[some], items[some])
    return scores


def _asked(run: ServedRun, name: str, users: Integers, items: Integers) -> Float64s:
    """Ask the endpoint, in as many parts as its limit on a body takes."""
    # The endpoint's model knows the side features; what they add was not folded away there.
    body = write_rows(run.features.rows(users, items), None)
    if len(body) > endpoint.MAX_BODY_BYTES and users.size > 1:
        half = users.size // 2
        parts = (slice(0, half), slice(half, None))
        return np.concatenate([_asked(run, name, users[part], items[part]) for part in parts])
    return endpoint.score(name, jobs.variant_name(run.run_id), body)
