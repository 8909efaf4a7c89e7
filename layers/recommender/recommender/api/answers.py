"""What a run answers, as values ready for JSON: the same words in the API and in batch files."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np

from recommender.api.requests import RecommendationRequest
from recommender.catalog.side_features import SideFeatures
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import InvalidRequestError
from recommender.features import Float64s, Integers
from recommender.model.machine import link as linked
from recommender.model.pair_model import PairModel
from recommender.model.ranking import popular_items, top_items
from recommender.model.seen_items import SeenItems
from recommender.predictor_types import BINARY_CLASSIFIER


@dataclass(frozen=True)
class ServedRun:
    """What answers need of a run.

    Attributes:
        run_id: its name.
        vocabulary: the ids that its numbers mean.
        titles: item id -> title.
        model: the machine, folded into users and items.
        seen: what each user rated.
        item_likes: ``(items,)`` int64 likes of each item in train.
        like_threshold: the rating from which on an item is liked.
        top_n: how many items each user is recommended.
        features: what the endpoint's rows hold beside user and item.
    """

    run_id: str
    vocabulary: Vocabulary
    titles: dict[str, str]
    model: PairModel
    seen: SeenItems
    item_likes: Integers
    like_threshold: float
    top_n: int
    features: SideFeatures

    def numbers_of(self, pairs: Sequence[tuple[str, str]]) -> tuple[Integers, Integers]:
        """Look pairs of ids up: ``(n,)`` numbers of users and of items, -1 for unknown ones."""
        users, items = self.vocabulary.user_numbers, self.vocabulary.item_numbers
        return (
            np.array([users.get(user, -1) for user, _ in pairs], np.int64),
            np.array([items.get(item, -1) for _, item in pairs], np.int64),
        )


def predictions(
    run: ServedRun, pairs: Sequence[tuple[str, str]], scores: Float64s, threshold: float | None
) -> dict[str, object]:
    """Tell the scores of pairs. Unknown users and items are answered too, and marked.

    Args:
        run: whose scores they are.
        pairs: ids of users and items.
        scores: ``(n,)`` probabilities of a like or, of a regressor, ratings.
        threshold: from which on a pair is liked: a probability, 0.5 if there is none. Only of a
            regressor that tells no such probabilities it is a rating, the catalog's
            ``like_threshold`` if there is none.

    Raises:
        InvalidRequestError: the threshold is a rating, and the model tells probabilities.
    """
    least = _like_threshold(run, threshold)
    link = run.model.like_link
    judged_by = scores if link is None else link.probabilities(scores)
    users, items = run.numbers_of(pairs)
    told = _items(run, [item for _, item in pairs], scores)
    return {
        "model_version": run.run_id,
        "predictions": [
            {
                "user": user,
                **one,
                "liked": liked,
                "user_known": user_known,
                "item_known": item_known,
            }
            for (user, _), one, liked, user_known, item_known in zip(
                pairs,
                told,
                (judged_by >= least).tolist(),
                (users >= 0).tolist(),
                (items >= 0).tolist(),
                strict=True,
            )
        ],
    }


def _like_threshold(run: ServedRun, wanted: float | None) -> float:
    has_link = run.model.like_link is not None
    if wanted is None:
        is_probability = has_link or run.model.predictor_type == BINARY_CLASSIFIER
        return 0.5 if is_probability else run.like_threshold
    if has_link and not 0 <= wanted <= 1:
        raise InvalidRequestError(
            "$.threshold", f"expected a probability of a like, 0 to 1, found {wanted:g}"
        )
    return wanted


def recommendations(run: ServedRun, user: str, request: RecommendationRequest) -> dict[str, object]:
    """Name a user's best items; those that most people like when the user is unknown.

    Args:
        run: the run that serves.
        user: as the path has it. API Gateway leaves percent-encoding in place, so the id is looked
            up both as it stands and decoded.
        request: how many items, and whether those that the user rated are left out.
    """
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
        "items": _numbered_items(run, items, scores),
    }


def lists(run: ServedRun, first: int, last: int) -> list[dict[str, object]]:
    """Name the best items of the users ``first`` to ``last`` (exclusive) that they did not rate.

    Returns:
        ``{"user", "items"}`` for each, an item as `recommendations` tells it.
    """
    found, raw = top_items(run.model, np.arange(first, last), run.top_n, run.seen)
    scores = linked(raw, run.model.predictor_type)
    there = found >= 0
    return [
        {
            "user": run.vocabulary.users[first + at],
            "items": _numbered_items(run, found[at][there[at]], scores[at][there[at]]),
        }
        for at in range(last - first)
    ]


def _numbered_items(run: ServedRun, items: Integers, scores: Float64s) -> list[dict[str, object]]:
    names = run.vocabulary.items
    return list(_items(run, [names[item] for item in items.tolist()], scores))


def _items(run: ServedRun, items: Sequence[str], scores: Float64s) -> list[dict[str, object]]:
    """Say of items what people are told: id, title, score, and how likely it is a like.

    Args:
        run: whose scores they are.
        items: ids.
        scores: ``(n,)`` probabilities of a like or, of a regressor, ratings.

    Returns:
        ``n`` objects; only of a regressor that knows how its ratings become likes they have a
        ``like_probability`` beside the ``score``.
    """
    told: list[dict[str, object]] = [
        {"item": item, "title": run.titles.get(item), "score": score}
        for item, score in zip(items, scores.tolist(), strict=True)
    ]
    if run.model.like_link is not None:
        chances = run.model.like_link.probabilities(scores).tolist()
        for one, chance in zip(told, chances, strict=True):
            one["like_probability"] = chance
    return told
