"""Lists for somebody who tells some ratings: a stranger, or a user of whom there is news."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.api.answers import (
    ServedRun,
    best_of,
    items_told,
    like_chances,
    most_popular,
    names_of,
    popular_told,
)
from recommender.api.requests import RankRequest, SessionRequest
from recommender.features import Floats, Integers
from recommender.model.fold_in import FoldedUsers
from recommender.model.pair_model import PairModel


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
    items, weights, fresh = _together(run, request.ratings, known)
    user = request.user or ""
    answer: dict[str, object] = {
        **({} if request.user is None else {"user": user, "user_known": run.has_rated(user)}),
        "model_version": run.run_id,
        "items_known": fresh,
    }
    left_out = run.items_of(request.exclude)
    if request.exclude_seen:
        left_out = np.union1d(_seen(run, user, items), left_out).astype(np.int64)
    own = _own(run, user, items, weights)
    if own is None:
        popular = most_popular(run, left_out, request.limit, request.offset)
        return {**answer, "basis": "popular", "items": popular_told(run, likes, user, popular)}
    found, raw = best_of(own, left_out, request.limit, request.offset)
    names = names_of(run, found)
    told = items_told(run, names, raw, like_chances(likes, user, names))
    if request.explain:
        _explain(run, Known(items, weights), told)
    return {**answer, "basis": "ratings" if items.size else "features", "items": told}


def rank(
    run: ServedRun, likes: ServedRun | None, request: RankRequest, known: Known
) -> dict[str, object]:
    """Put items in the order in which a list for somebody would have them.

    Who somebody is follows as in `session`. Items that nobody knows come last, in the order of the
    request, without a score.

    Returns:
        ``basis`` as `session` tells it, and the items, each with whether it is known.
    """
    items, weights, _ = _together(run, request.ratings, known)
    user = request.user or ""
    own = _own(run, user, items, weights)
    number_of = run.vocabulary.item_numbers
    there = [item for item in request.items if item in number_of]
    numbers = np.array([number_of[item] for item in there], np.int64)
    if own is None:
        scores = run.item_likes[numbers].astype(np.float64)
    else:
        scores = own.score_pairs(np.zeros(numbers.size, np.int64), numbers)
    order = np.lexsort((numbers, -scores))
    names = names_of(run, numbers[order])
    told = items_told(run, names, scores[order], like_chances(likes, user, names))
    strangers = [item for item in request.items if item not in number_of]
    return {
        **({} if request.user is None else {"user": user, "user_known": run.has_rated(user)}),
        "model_version": run.run_id,
        "basis": "popular" if own is None else "ratings" if items.size else "features",
        "items": [
            *({**one, "item_known": one["item"] not in run.cold_items} for one in told),
            *({"item": item, "title": None, "item_known": False} for item in strangers),
        ],
    }


def _own(run: ServedRun, user: str, items: Integers, weights: Floats) -> PairModel | None:
    """The ranking model of one person by ratings, else by what a side file tells of a user."""
    number = run.number_of(user)
    is_told = number >= len(run.vocabulary.users)
    if run.ranking is None or run.fold_in is None or not (items.size or is_told):
        return None
    if items.size:
        vector, count = run.fold_in.user(items, weights)
    else:
        vector, count = run.ranking.user_factors[number].astype(np.float64), 0
    return run.fold_in.model_of(FoldedUsers(vector[None], np.array([count])))


def _together(
    run: ServedRun, ratings: Sequence[tuple[str, float | None]], known: Known
) -> tuple[Integers, Floats, int]:
    """Put known and fresh ratings together, and say how many of the fresh items are known."""
    numbers = run.vocabulary.item_numbers
    best = np.array([np.inf if r is None else r for _, r in ratings], np.float32)
    weights = run.weigh(best).tolist()
    fresh = {
        numbers[item]: weight
        for (item, _), weight in zip(ratings, weights, strict=True)
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


def _explain(run: ServedRun, known: Known, told: Sequence[dict[str, object]]) -> None:
    """Add to each item of a list which of the rated ones its score comes from, the most first.

    Args:
        run: whose ranking model made the list.
        known: what was rated.
        told: the list's items, which get ``because``.
    """
    if run.fold_in is None or not known.items.size:
        return
    numbers = run.vocabulary.item_numbers
    recommended = np.array([numbers[str(one["item"])] for one in told], np.int64)
    why = run.fold_in.explain(known.items, known.weights, recommended)
    for one, shown, shares in zip(told, why.items, why.shares.tolist(), strict=True):
        one["because"] = [
            {"item": name, "title": run.titles.get(name), "share": share}
            for name, share in zip(names_of(run, shown), shares, strict=True)
        ]
