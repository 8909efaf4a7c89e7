"""Predictions: by the catalog's endpoint, and if that cannot answer, without it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.api.answers import ServedRun
from recommender.aws import endpoint, sagemaker
from recommender.errors import (
    EndpointFailedError,
    RecommenderError,
    ServiceError,
    UnknownCatalogError,
)
from recommender.features import Float64s, Integers
from recommender.model_names import RANKING
from recommender.pipeline import jobs
from recommender.recordio.writing import write_rows
from recommender.serving.asking import to_ask
from recommender.serving.served_runs import pointer, served

_UPDATES_IN_A_ROW = 5
_variants: dict[str, str] = {}
"""Endpoint to the variant that answered last: the pointer moves a little after the endpoint."""


@dataclass(frozen=True)
class Scored:
    """Scores of pairs.

    Attributes:
        run: whose model they are of.
        scores: ``(n,)`` float64.
        scored_by: "endpoint"; "factors", where the endpoint could not answer; "ranking", where
            there is no like model and so no endpoint.
        trouble: why it could not.
    """

    run: ServedRun
    scores: Float64s
    scored_by: str
    trouble: RecommenderError | None = None


def score(bucket: str, prefix: str, catalog: str, pairs: Sequence[tuple[str, str]]) -> Scored:
    """Score pairs at the catalog's endpoint; without a like model, by the ranking model.

    The endpoint may move to a new model at any moment, whose columns mean other users and items.
    So each call names the variant whose vocabulary encoded it, and follows when that has gone.
    An endpoint that is throttled, down or away costs nobody an answer: the factors that lists
    are made of are the same model, and they answer in its place.

    Raises:
        UnknownCatalogError: nothing serves.
        EndpointFailedError: the endpoint cannot answer, and the run left no factors.
    """
    found = pointer(bucket, catalog)
    if found.like is None:
        run = served(bucket, catalog, found.lists)
        if run.ranking is None:
            raise UnknownCatalogError(catalog)
        return Scored(run, run.ranking.predict_pairs(*run.numbers_of(pairs)), RANKING)
    try:
        return _by_endpoint(bucket, jobs.endpoint_name(prefix, catalog), catalog, found.like, pairs)
    except (EndpointFailedError, ServiceError) as error:
        run = served(bucket, catalog, found.like)
        if run.like is None:
            raise
        return Scored(run, run.like.predict_pairs(*run.numbers_of(pairs)), "factors", error)


def _by_endpoint(
    bucket: str, name: str, catalog: str, like: str, pairs: Sequence[tuple[str, str]]
) -> Scored:
    run_id = _variants.get(name, like)
    for _ in range(_UPDATES_IN_A_ROW):
        run = served(bucket, catalog, run_id)
        try:
            return Scored(run, _score_with(run, name, pairs), "endpoint")
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
