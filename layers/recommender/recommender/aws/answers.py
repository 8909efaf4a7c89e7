"""What the API answers, as values ready for JSON."""

from collections.abc import Mapping
from urllib.parse import unquote

import numpy as np

from recommender.aws import serving
from recommender.ranking import popular_items, top_items
from recommender.requests import PredictionRequest, RecommendationRequest
from recommender.settings import PredictSettings


def predictions(
    settings: PredictSettings, catalog: str, request: PredictionRequest
) -> dict[str, object]:
    """Score pairs. Unknown users and items are answered too, and marked."""
    run, scored = serving.predict(
        settings.artifacts_bucket, settings.resource_prefix, catalog, request.pairs
    )
    threshold = request.threshold
    if threshold is None:
        is_classifier = run.model.predictor_type == "binary_classifier"
        threshold = 0.5 if is_classifier else run.like_threshold
    return {
        "model_version": run.run_id,
        "predictions": [
            {
                "user": one.user,
                "item": one.item,
                "title": one.title,
                "score": one.score,
                "liked": one.score >= threshold,
                "user_known": one.user_known,
                "item_known": one.item_known,
            }
            for one in scored
        ],
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
    ids = run.vocabulary.items
    return {
        "user": name,
        "user_known": number >= 0,
        "basis": "personal" if number >= 0 else "popular",
        "model_version": run.run_id,
        "items": [
            {"item": ids[item], "title": run.titles.get(ids[item]), "score": float(score)}
            for item, score in zip(items, scores, strict=True)
        ],
    }


def model(settings: PredictSettings, catalog: str) -> Mapping[str, object]:
    """Show the manifest of the run that serves."""
    return serving.manifest(settings.artifacts_bucket, catalog)
