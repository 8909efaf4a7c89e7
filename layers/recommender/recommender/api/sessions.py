"""Lists for somebody who tells some ratings: a stranger, or a user of whom there is news."""

from dataclasses import dataclass

import numpy as np

from recommender.api.answers import (
    ServedRun,
    items_told,
    like_chances,
    names_of,
    popular_told,
)
from recommender.api.requests import SessionRequest
from recommender.features import Floats, Integers
from recommender.model.fold_in import FoldedUsers, FoldIn
from recommender.model.ranking import popular_items, top_items
from recommender.model.seen_items import SeenItems


@dataclass(frozen=True, eq=False)
class Known:
    """What a run knows of a user already: numbers of items and their weights, ``(n,)`` each."""

    items: Integers
    weights: Floats

    @classmethod
    def nothing(cls) -> "Known":
        """What it knows of a stranger."""
        return cls(np.zeros(0, np.int64), np.zeros(0))


def session(
    run: ServedRun, likes: ServedRun | None, request: SessionRequest, known: Known
) -> dict[str, object]:
    """Recommend items to somebody by the ratings that are sent along. Nothing is kept of them.

    Ratings of a user whom the run knows are added to what it knows; of an item that was rated
    before, the new rating counts, and without ratings both counts together. Where no ranking model
    can fold anybody in, or none of the items is known, the answer follows from what a side file
    tells of the user, or else is the popular items, and says so.

    Returns:
        ``basis`` "ratings", "features" or "popular", how many of the items are known, and the
        items; with ``explain`` each with ``because``: what the known items add to its score, the
        most first.
    """
    items, weights, fresh = _together(run, request, known)
    user = request.user or ""
    answer: dict[str, object] = {
        **({} if request.user is None else {"user": user, "user_known": run.has_rated(user)}),
        "model_version": run.run_id,
        "items_known": fresh,
    }
    seen = _seen(run, user, items)
    fold_in = run.fold_in
    number = run.number_of(user)
    is_told = number >= len(run.vocabulary.users)
    if run.ranking is None or fold_in is None or not (items.size or is_told):
        popular = popular_items(run.item_likes, request.limit + seen.size)
        popular = popular[~np.isin(popular, seen)][: request.limit]
        return {**answer, "basis": "popular", "items": popular_told(run, likes, user, popular)}
    if items.size:
        vector, count = fold_in.user(items, weights)
    else:
        vector, count = run.ranking.user_factors[number].astype(np.float64), 0
    own = fold_in.model_of(FoldedUsers(vector[None], np.array([count])))
    left_out = SeenItems(np.array([0, seen.size]), seen)
    found, raw = top_items(own, np.zeros(1, np.int64), request.limit, left_out)
    there = found[0] >= 0
    names = names_of(run, found[0][there])
    told = items_told(run, names, raw[0][there], like_chances(likes, user, names))
    if request.explain and items.size:
        _explain(run, fold_in, items, weights, found[0][there], told)
    return {**answer, "basis": "ratings" if items.size else "features", "items": told}


def _together(
    run: ServedRun, request: SessionRequest, known: Known
) -> tuple[Integers, Floats, int]:
    """Put known and fresh ratings together, and say how many of the fresh items are known."""
    numbers = run.vocabulary.item_numbers
    best = np.array([np.inf if r is None else r for _, r in request.ratings], np.float32)
    weights = run.weigh(best).tolist()
    fresh = {
        numbers[item]: weight
        for (item, _), weight in zip(request.ratings, weights, strict=True)
        if item in numbers
    }
    every = dict(zip(known.items.tolist(), known.weights.tolist(), strict=True))
    for item, weight in fresh.items():
        every[item] = run.renewed(every[item], weight) if item in every else weight
    counting = {item: weight for item, weight in every.items() if weight > 0}
    return (
        np.array([*counting], np.int64),
        np.array([*counting.values()], np.float64),
        len(fresh),
    )


def _seen(run: ServedRun, user: str, items: Integers) -> Integers:
    """What is left out of the list, ascending: what was rated, now or before."""
    number = run.number_of(user)
    return np.union1d(items, run.seen.of(number)).astype(np.int64)


def _explain(
    run: ServedRun,
    fold_in: FoldIn,
    items: Integers,
    weights: Floats,
    recommended: Integers,
    told: list[dict[str, object]],
) -> None:
    """Add to each item which of the rated ones its score comes from."""
    why = fold_in.explain(items, weights, recommended)
    for one, shown, shares in zip(told, why.items, why.shares.tolist(), strict=True):
        one["because"] = [
            {"item": name, "title": run.titles.get(name), "share": share}
            for name, share in zip(names_of(run, shown), shares, strict=True)
        ]
