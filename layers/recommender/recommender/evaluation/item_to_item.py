"""Lists by item-to-item similarity: what a plain neighbourhood model reaches on the same users.

The score of an item ``j`` for a user is the sum of its cosines with what the user has rated::

    score(u, j) = sum_{i in seen(u)} cos(i, j),    cos(i, j) = x_i . x_j / (|x_i| |x_j|)

where ``x_i`` holds the weight that each train user gave the item ``i``. No matrix of items by items
is made: with ``Y`` the train users' weights, each item's divided by its norm, the scores of a block
of users are ``Y'(Y S)``, two sparse products.

Source:
    Sarwar, Karypis, Konstan, Riedl, *Item-based Collaborative Filtering Recommendation Algorithms*,
    WWW 2001, section 3; Deshpande, Karypis, *Item-based Top-N Recommendation Algorithms*, TOIS
    2004, with all items as neighbours.
"""

from dataclasses import dataclass

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.features import Float64s, Integers
from recommender.model.seen_items import UNKNOWN, WeightedItems

MOST_PRODUCTS = 10_000_000_000
"""Evaluated users times train ratings: about a minute of one processor, enough for a baseline."""

_NUMBERS_AT_ONCE = 1 << 22  # 32 MB in float64
_USERS_AT_ONCE = 128
_TERMS_AT_ONCE = 1 << 17  # 1 MB: what a processor keeps near


def affordable_users(train_users: int, train_ratings: int, evaluated: int) -> int:
    """Tell of how many train users cosines can be made in reasonable time.

    Each evaluated user costs two passes over the train ratings. Cosines of a sample of the train
    users (`recommender.dataset.unseen.sampled_users`) are estimates.

    Args:
        train_users: number of train users.
        train_ratings: number of their ratings.
        evaluated: number of users who want lists.
    """
    products = train_ratings * evaluated
    return train_users if products <= MOST_PRODUCTS else train_users * MOST_PRODUCTS // products


def too_many_products(train: WeightedItems, evaluated: int) -> str | None:
    """Say why lists by item-to-item similarity would take too long, if they would.

    Args:
        train: the ratings that cosines are made of.
        evaluated: number of users who want lists.

    Returns:
        A sentence; None if the lists can be made.
    """
    ratings = int(train.items.size)
    if ratings * evaluated <= MOST_PRODUCTS:
        return None
    return (
        f"Item-to-item lists were left out: {evaluated:,} users times {ratings:,} train ratings "
        f"are more than {MOST_PRODUCTS:,} products."
    )


def item_to_item_lists(
    train: WeightedItems, evaluated: WeightedItems, n_items: int, n: int
) -> Integers:
    """Recommend to each user what goes with the items that the user has rated.

    Args:
        train: the weights of the users whom cosines are made of: all, or a sample.
        evaluated: what each of ``m`` users has rated; it is left out of the list. The weights of
            these ratings count for nothing, the items alone do.
        n_items: number of items.
        n: items for each user.

    Returns:
        ``(m, n)`` items from the best down, of equal scores the lower number first, and -1 behind
        the last item that has any train user in common with the user's own.

    Raises:
        ShapeMismatchError: an item's number is outside.
    """
    for side in (train, evaluated):
        if side.items.size and int(side.items.max()) >= n_items:
            raise ShapeMismatchError("item number", f"0 to {n_items - 1}", int(side.items.max()))
    lists = np.full((len(evaluated), n), UNKNOWN, np.int64)
    if n <= 0 or not train.items.size:
        return lists
    by_user, by_item = _normalised(train, n_items)
    step = max(1, min(_USERS_AT_ONCE, _NUMBERS_AT_ONCE // n_items))
    for first in range(0, len(evaluated), step):
        own = _block(evaluated, first, min(first + step, len(evaluated)))
        wanted = np.zeros((n_items, len(own)))
        rows = np.repeat(np.arange(len(own)), own.counts)
        wanted[own.items, rows] = 1.0
        scores = by_item.times(by_user.times(wanted))
        scores[own.items, rows] = 0.0
        _keep_best(scores.T, lists[first : first + len(own)])
    return lists


@dataclass(frozen=True, eq=False)
class _SparseMatrix:
    """Rows of columns and values, to be multiplied by dense matrices."""

    offsets: Integers
    columns: Integers
    values: Float64s

    def times(self, dense: Float64s) -> Float64s:
        """The product with ``(columns, b)``: ``(rows, b)``."""
        product = np.zeros((self.offsets.size - 1, dense.shape[1]))
        step = max(1, _TERMS_AT_ONCE // dense.shape[1])
        for first in range(0, self.columns.size, step):
            last = min(first + step, self.columns.size)
            terms = dense[self.columns[first:last]]
            terms *= self.values[first:last, None]
            # Each row that has an entry here, and where its entries begin.
            begins = np.searchsorted(self.offsets, first, "right") - 1
            ends = np.searchsorted(self.offsets, last, "left")
            rows = np.arange(begins, ends)
            rows = rows[self.offsets[rows + 1] > np.maximum(self.offsets[rows], first)]
            starts = np.maximum(self.offsets[rows], first) - first
            product[rows] += np.add.reduceat(terms, starts, axis=0)
        return product


def _normalised(train: WeightedItems, n_items: int) -> tuple[_SparseMatrix, _SparseMatrix]:
    """``Y`` by users and by items."""
    norms = np.sqrt(np.bincount(train.items, train.weights**2, n_items))
    values = train.weights / np.where(norms > 0, norms, 1.0)[train.items]
    users = np.repeat(np.arange(len(train)), train.counts)
    order = np.argsort(train.items, kind="stable")
    offsets = np.searchsorted(train.items[order], np.arange(n_items + 1))
    by_item = _SparseMatrix(offsets, users[order], values[order])
    return _SparseMatrix(train.offsets, train.items, values), by_item


def _block(given: WeightedItems, first: int, last: int) -> WeightedItems:
    offsets = given.offsets[first : last + 1]
    own = slice(int(offsets[0]), int(offsets[-1]))
    return WeightedItems(offsets - offsets[0], given.items[own], given.weights[own])


def _keep_best(scores: Float64s, into: Integers) -> None:
    """Write the items of each row's best scores above 0 into ``(b, n)`` lists."""
    n = min(into.shape[1], scores.shape[1])
    least = np.partition(scores, scores.shape[1] - n, axis=1)[:, scores.shape[1] - n]
    rows, items = np.nonzero((scores >= least[:, None]) & (scores > 0))
    order = np.lexsort((items, -scores[rows, items], rows))
    rows, items = rows[order], items[order]
    counts = np.bincount(rows, minlength=len(scores))
    rank = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    best = rank < n
    into[rows[best], rank[best]] = items[best]
