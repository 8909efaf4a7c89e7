"""What lists of recommendations reach, at several lengths, user by user and in the mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.errors import ShapeMismatchError
from recommender.evaluation.figures import Figure, PerUser
from recommender.features import Float64s, Integers

CUTS: Sequence[int] = (5, 10, 25)
"""Lengths at which lists are judged."""
METRICS: Sequence[str] = ("ndcg", "recall", "map", "hit_rate")
"""What is told of a list that is compared with likes."""

_NUMBERS_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Likes:
    """What users like among what was kept to judge by, pair by pair.

    Attributes:
        users: ``(p,)`` numbers of users.
        items: ``(p,)`` numbers of items; -1 for an unknown one, which no list can hold. Such a
            pair is left out.
    """

    users: Integers
    items: Integers


@dataclass(frozen=True, eq=False)
class Raters:
    """How well known items are, for the novelty of lists.

    Attributes:
        counts: ``(I,)`` number of users who rated each item in train.
        users: number of users in train.
    """

    counts: Integers
    users: int

    @property
    def self_information(self) -> Float64s:
        """``(I,)`` bits, ``-log2`` of the share of the users who rated an item.

        An item that nobody rated counts as rated by one.

        Source:
            Zhou et al., *Solving the apparent diversity-accuracy dilemma of recommender systems*,
            PNAS 107(10), 2010; Castells, Hurley, Vargas, *Novelty and Diversity in Recommender
            Systems*, Recommender Systems Handbook, 3rd edition, 2022, eq. 6.
        """
        shares = np.maximum(self.counts, 1) / max(self.users, 1)
        return np.asarray(-np.log2(np.minimum(shares, 1.0)), np.float64)


@dataclass(frozen=True, eq=False)
class ListMetrics:
    """What one method's lists reach.

    Attributes:
        per_user: each metric of each user, named as in ``ndcg@10``, of the users who have a list
            and a like.
        coverage: length of the lists -> share of all items that stand in any of them.
    """

    per_user: PerUser
    coverage: Mapping[int, float]

    @property
    def users(self) -> int:
        """Over how many users the means are."""
        return int(self.per_user.users.size)

    def figure(self, name: str) -> Figure:
        """Mean and standard error of a metric, such as ``ndcg@10``."""
        return self.per_user.figure(name)

    def to_dict(self) -> dict[str, object]:
        """For a file: each metric with its standard error, coverage without one."""
        return {
            "users": self.users,
            **{name: self.figure(name).to_dict() for name in self.per_user.values},
            **{f"coverage@{cut}": share for cut, share in self.coverage.items()},
        }


def list_metrics(
    users: Integers,
    recommended: Integers,
    likes: Likes,
    n_items: int,
    *,
    cuts: Sequence[int] = CUTS,
    raters: Raters | None = None,
) -> ListMetrics:
    """Compare lists of recommendations with likes that were kept to judge by.

    With ``L`` a user's likes and ``hit_r`` 1 where the item at place ``r`` of the list is one of
    them, at a length of ``n``::

        hit_rate  1 if any hit_r is 1, r <= n
        recall    sum_r hit_r / min(n, |L|)
        ndcg      sum_r hit_r / log2(r + 1)  over the same sum for the first min(n, |L|) places
        map       sum_r hit_r (hits up to r) / r  over min(n, |L|)
        novelty   mean self-information of the items of the list, in bits; see `Raters`

    All but the novelty are within [0, 1], and 1 for the best possible list. The ideal of NDCG is
    cut at the number of likes, as is `recommender.evaluation.metrics.ranking_metrics`'.

    Args:
        users: ``(m,)`` numbers of users, none twice.
        recommended: ``(m, N)`` their lists, the best item first, -1 where a list ends; none holds
            an item twice.
        likes: what they like. A like of a user without a list is left out.
        n_items: number of items.
        cuts: lengths ``n``; a list shorter than that is judged as it is.
        raters: how well known items are; None tells no novelty.

    Returns:
        Metrics over the users who have both a list and a like, and coverage over all lists.

    Raises:
        ShapeMismatchError: arrays that belong together differ in length, or a number is outside.

    Source:
        Recall and NDCG: Liang et al., *Variational Autoencoders for Collaborative Filtering*, WWW
        2018, section 4.3 (there the gains are of the same 0 and 1). Average precision: Manning,
        Raghavan, Schütze, *Introduction to Information Retrieval*, 2008, section 8.4, with the
        number of likes cut at ``n`` as in recall.
    """
    _check(users, recommended, likes, n_items)
    order = np.argsort(users)
    users, recommended = users[order], recommended[order]
    liked, counts = _pairs(users, likes, n_items)
    judged = np.flatnonzero(counts)
    names = METRICS if raters is None else (*METRICS, "novelty")
    values = {f"{name}@{cut}": np.zeros(judged.size) for cut in cuts for name in names}
    bits = None if raters is None else raters.self_information
    for some in _blocks(judged.size, recommended.shape[1]):
        rows = judged[some]
        lists = recommended[rows]
        hits = _among(rows[:, None] * np.int64(n_items) + lists, liked) & (lists >= 0)
        for cut in cuts:
            told = _relevance(hits[:, :cut], counts[rows], cut)
            if bits is not None:
                told["novelty"] = _novelty(lists[:, :cut], bits)
            for name, one in told.items():
                values[f"{name}@{cut}"][some] = one
    coverage = {cut: _coverage(recommended[:, :cut], n_items) for cut in cuts}
    return ListMetrics(PerUser(users[judged], values), coverage)


def _check(users: Integers, recommended: Integers, likes: Likes, n_items: int) -> None:
    if recommended.ndim != 2 or recommended.shape[0] != users.size:
        raise ShapeMismatchError("lists", f"({users.size}, any)", recommended.shape)
    if likes.users.shape != likes.items.shape:
        raise ShapeMismatchError("liked items", likes.users.shape, likes.items.shape)
    for what, items in (("listed item", recommended), ("liked item", likes.items)):
        if items.size and int(items.max()) >= n_items:
            raise ShapeMismatchError(what, f"-1 to {n_items - 1}", int(items.max()))


def _pairs(users: Integers, likes: Likes, n_items: int) -> tuple[Integers, Integers]:
    """Each like as ``row * n_items + item``, ascending, and how many each row has."""
    if not users.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    row = np.minimum(np.searchsorted(users, likes.users), users.size - 1)
    usable = (users[row] == likes.users) & (likes.items >= 0)
    liked = np.unique(row[usable].astype(np.int64) * n_items + likes.items[usable])
    rows = liked // n_items if liked.size else liked
    return liked, np.bincount(rows, minlength=users.size)


def _blocks(rows: int, width: int) -> Iterator[slice]:
    step = max(1, _NUMBERS_AT_ONCE // max(1, width))
    for first in range(0, rows, step):
        yield slice(first, first + step)


def _among(keys: Integers, ascending: Integers) -> npt.NDArray[np.bool_]:
    """Whether each key is one of some in ascending order, of which there is one at least."""
    at = np.minimum(np.searchsorted(ascending, keys), ascending.size - 1)
    return np.asarray(ascending[at] == keys, np.bool_)


def _relevance(
    hits: npt.NDArray[np.bool_], counts: Integers, cut: int
) -> dict[str, npt.NDArray[np.float64]]:
    """The metrics of lists cut at a length: ``(b, n)`` hits and ``(b,)`` numbers of likes."""
    # A list may be shorter than the cut; what would be ideal is not.
    best = np.minimum(counts, cut)
    discounts = 1.0 / np.log2(np.arange(cut) + 2.0)
    ideal = np.concatenate((np.zeros(1), np.cumsum(discounts)))
    found = np.cumsum(hits, axis=1)
    places = np.arange(1, hits.shape[1] + 1)
    gain = np.where(hits, discounts[: hits.shape[1]], 0.0).sum(axis=1)
    precision = np.where(hits, found / places, 0.0).sum(axis=1)
    at_last = found[:, -1] if hits.shape[1] else np.zeros(len(hits), np.int64)
    return {
        "ndcg": gain / ideal[best],
        "recall": at_last / best,
        "map": precision / best,
        "hit_rate": (at_last > 0).astype(np.float64),
    }


def _novelty(lists: Integers, bits: Float64s) -> Float64s:
    there = lists >= 0
    total = np.where(there, bits[lists], 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(there.sum(axis=1), 1), np.float64)


def _coverage(lists: Integers, n_items: int) -> float:
    shown = np.zeros(n_items, np.bool_)
    shown[lists[lists >= 0]] = True
    return int(np.count_nonzero(shown)) / n_items if n_items else 0.0
