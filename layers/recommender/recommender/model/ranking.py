"""Top-N: the best items of a user, as an exact maximum inner product."""

from collections.abc import Iterator

import numpy as np

from recommender.features import Float64s, Floats, Integers
from recommender.model.pair_model import PairModel, check_numbers, known_rows
from recommender.model.seen_items import UNKNOWN, SeenItems
from recommender.predictor_types import REGRESSOR

# One block of scores, 16 MB in float32: with fewer users at a time the product itself slows down.
_BLOCK_SCORES = 1 << 22
_LARGEST_FLOAT32_SCORE = 1e37  # a tenth of what float32 holds
# Of 32 items the best is looked at first; the rest only where that best one is good enough.
_TILE = 32


def top_items(
    model: PairModel, users: Integers, n: int, seen: SeenItems | None = None
) -> tuple[Integers, Float64s]:
    """Find the best items of each user, exactly.

    A float32 product finds the candidates: whatever lies within the largest possible rounding
    error of the n-th best. The candidates are then scored in float64 and sorted.

    Args:
        model: the weights.
        users: ``(m,)`` numbers of users, -1 for an unknown one.
        n: items for each user.
        seen: what to leave out for each user.

    Returns:
        ``(m, n)`` items from the best down, and ``(m, n)`` raw scores, those of ``score_pairs``. Of
        equal scores the lower item number comes first. A user with fewer items left has -1 and
        NaN behind them.

    Raises:
        ShapeMismatchError: a user is outside.
    """
    check_numbers("user number", users, model.users)
    items = np.full((users.size, n), UNKNOWN, np.int64)
    scores = np.full((users.size, n), np.nan)
    if not model.items or n <= 0:
        return items, scores
    finder = _CandidateFinder(model, n)
    for first, block in _blocks(users, finder.width):
        rows, found = finder.find(block, seen)
        raw = model.score_pairs(block[rows], found)
        order = np.lexsort((found, -raw, rows))
        rows, found, raw = rows[order], found[order], raw[order]
        counts = np.bincount(rows, minlength=block.size)
        rank = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
        best = rank < n
        items[first + rows[best], rank[best]] = found[best]
        scores[first + rows[best], rank[best]] = raw[best]
    return items, scores


def _blocks(users: Integers, width: int) -> Iterator[tuple[int, Integers]]:
    step = max(1, _BLOCK_SCORES // width)
    for first in range(0, users.size, step):
        yield first, users[first : first + step]


class _CandidateFinder:
    """Finds every item that can be among the best ``n`` of a user, and few others."""

    def __init__(self, model: PairModel, n: int) -> None:
        self._model, self._n = model, n
        # Tiles pay while there are more of them than wanted items. Item i lies in tile i % tiles,
        # so that the maxima of all tiles are one elementwise maximum of long rows.
        self._depth = _TILE if model.items >= 2 * n * _TILE else 1
        self._tiles = -(-model.items // self._depth)
        self.width = self._depth * self._tiles
        rank = model.item_factors.shape[1]
        self._largest_item = float(
            np.sqrt(
                (
                    _squared_norms(model.item_factors) + model.item_weights.astype(np.float64) ** 2
                ).max()
            )
        )
        largest_user = float(np.sqrt(_squared_norms(model.user_factors).max(initial=0.0) + 1.0))
        fits = self._largest_item * largest_user < _LARGEST_FLOAT32_SCORE
        self._dtype = np.dtype("f4" if fits else "f8")
        self._rounding = float(np.finfo(np.float32 if fits else np.float64).eps)
        self._right = np.zeros((rank + 1, self.width), self._dtype)
        self._right[:rank, : model.items] = model.item_factors.T
        self._right[rank, : model.items] = model.item_weights
        self._buffer = np.empty((0, self.width), self._dtype)

    def find(self, users: Integers, seen: SeenItems | None) -> tuple[Integers, Integers]:
        """List candidates as places in ``users`` and items; unseen ones only."""
        left = np.ones((users.size, self._right.shape[0]), self._dtype)
        left[:, :-1] = known_rows(self._model.user_factors, users)
        if self._buffer.shape[0] < users.size:
            self._buffer = np.empty((users.size, self.width), self._dtype)
        scores = np.matmul(left, self._right, out=self._buffer[: users.size])
        scores[:, self._model.items :] = -np.inf
        if seen is not None:
            scores[seen.places(users)] = -np.inf
        tiles = scores.reshape(users.size, self._depth, self._tiles)
        maxima = tiles.max(axis=1)
        least = self._least(users, left, maxima)
        rows, which = np.nonzero((maxima >= least[:, None]) & (maxima > -np.inf))
        inside = tiles[rows, :, which]
        chosen, depth = np.nonzero((inside >= least[rows, None]) & (inside > -np.inf))
        return rows[chosen], depth * self._tiles + which[chosen]

    def _least(self, users: Integers, left: Floats, maxima: Floats) -> Floats:
        """Bound from below what a candidate's score in this product can be.

        The n-th best tile holds an item of that score, and so do the better ones: the n-th best
        item is no worse. A product of m terms is off by at most m units of rounding times the
        product of the norms (Higham, *Accuracy and Stability*, section 3.1); twice that, because
        two scores are compared, and what float64 can lose behind it is added.
        """
        if self._tiles <= self._n:
            return np.full(users.size, -np.inf, self._dtype)
        place = self._tiles - self._n
        best = np.partition(maxima, place, axis=1)[:, place].astype(np.float64)
        terms = left.shape[1] + 1
        norms = np.sqrt(_squared_norms(left)) * self._largest_item
        constant = abs(self._model.bias) + np.abs(known_rows(self._model.user_weights, users))
        margin = 2.2 * terms * self._rounding * norms
        margin += 4.0 * terms * float(np.finfo(np.float64).eps) * (norms + constant)
        margin += terms * float(np.finfo(np.float32).tiny)
        # Rounded down, whatever the conversion to float32 did.
        return np.asarray(np.nextafter((best - margin).astype(self._dtype), -np.inf))


def _squared_norms(rows: Floats) -> Float64s:
    """Sum the squares of each row in float64, without a float64 copy of all rows."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64), np.float64)


def popular_items(item_likes: Integers, n: int) -> Integers:
    """Find the items that most users like.

    Args:
        item_likes: ``(I,)`` number of likes of each item.
        n: items wanted.

    Returns:
        At most ``n`` items from the most liked down; of equal ones the lower number first.
    """
    return _best(item_likes.astype(np.float64), n)


def popular_lists(
    item_likes: Integers, users: Integers, n: int, seen: SeenItems | None = None
) -> Integers:
    """Recommend the most liked items to everybody, but to nobody what was rated already.

    Args:
        item_likes: ``(I,)`` number of likes of each item.
        users: ``(m,)`` numbers of users, -1 for an unknown one.
        n: items for each user.
        seen: what to leave out for each user.

    Returns:
        ``(m, n)`` items as ``top_items`` gives them.
    """
    n_users = int(users.max(initial=-1)) + 1
    model = PairModel(
        bias=0.0,
        user_weights=np.zeros(n_users, np.float32),
        user_factors=np.zeros((n_users, 0), np.float32),
        item_weights=item_likes.astype(np.float32),
        item_factors=np.zeros((item_likes.size, 0), np.float32),
        predictor_type=REGRESSOR,
    )
    return top_items(model, users, n, seen)[0]


def _best(scores: Float64s, n: int) -> Integers:
    """List the places of the ``n`` largest; of equal ones the lower place first."""
    n = min(n, scores.size)
    if n <= 0:
        return np.zeros(0, np.int64)
    place = scores.size - n
    candidates = np.flatnonzero(scores >= np.partition(scores, place)[place])
    return candidates[np.lexsort((candidates, -scores[candidates]))[:n]]
