"""What the API answers, as values ready for JSON."""

from collections.abc import Mapping
from urllib.parse import unquote

import numpy as np

from recommender.api.requests import PredictionRequest, RecommendationRequest
from recommender.errors import InvalidRequestError
from recommender.model.ranking import popular_items, top_items
from recommender.pipeline.settings import PredictSettings
from recommender.predictor_types import BINARY_CLASSIFIER
from recommender.steps import serving


def predictions(
    settings: PredictSettings, catalog: str, request: PredictionRequest
) -> dict[str, object]:
    """Score pairs. Unknown users and items are answered too, and marked.

    The threshold is a probability of a like, 0.5 if the request has none. Only for a regressor
    that tells no such probabilities it is a rating, the catalog's ``like_threshold`` if the
    request has none.

    Raises:
        InvalidRequestError: the threshold is a rating, and the model tells probabilities.
    """
    run, scored = serving.predict(
        settings.artifacts_bucket, settings.resource_prefix, catalog, request.pairs
    )
    threshold = _like_threshold(run, request.threshold)
    return {
        "model_version": run.run_id,
        "predictions": [_prediction(one, threshold) for one in scored],
    }


def _like_threshold(run: serving.ServedRun, wanted: float | None) -> float:
    has_link = run.model.like_link is not None
    if wanted is None:
        is_probability = has_link or run.model.predictor_type == BINARY_CLASSIFIER
        return 0.5 if is_probability else run.like_threshold
    if has_link and not 0 <= wanted <= 1:
        raise InvalidRequestError(
            "$.threshold", f"expected a probability of a like, 0 to 1, found {wanted:g}"
        )
    return wanted


def _prediction(one: serving.Prediction, threshold: float) -> dict[str, object]:
    told: dict[str, object] = {
        "user": one.user,
        "item": one.item,
        "title": one.title,
        "score": one.score,
    }
    if one.like_probability is not None:
        told["like_probability"] = one.like_probability
    judged_by = one.score if one.like_probability is None else one.like_probability
    return {
        **told,
        "liked": judged_by >= threshold,
        "user_known": one.user_known,
        "item_known": one.item_known,
    }


def recommendations(
    settings: PredictSettings, catalog: str, user: str, request: RecommendationRequest
) -> dict[str, object]:
    """Name a user's best items; those that most people like when the user is unknown.

    Args:
        user: as the path has it. API Gateway leaves percent-encoding in place, so the id is looked
            up both as it stands and decoded.
    """
    run = serving.serving_run(settings.artifacts_bucket, catalog)
    numbers = run.vocabulary.user_numbers
    name = user if user in numbers else unquote(user)
    number = numbers.get(name, -1)
    if number >= 0:
        seen = run.seen if request.exclude_seen else None
        found, _ = top_items(run.model, np.array([number]), request.limit, seen)
        items = found[0][found[0] >= 0]
    else:
        items = popular_items(run.item_likes, request.limit)
    scores = run.model.predict_pairs(np.full(len(items), number), items)
    return {
        "user": name,
        "user_known": number >= 0,
        "basis": "personal" if number >= 0 else "popular",
        "model_version": run.run_id,
        "items": run.told(items, scores),
    }


def model(settings: PredictSettings, catalog: str) -> Mapping[str, object]:
    """Show the manifest of the run that serves."""
    return serving.manifest(settings.artifacts_bucket, catalog)
