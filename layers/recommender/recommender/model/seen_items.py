"""Which items each user has rated already: sparse rows, made with little beside themselves."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.features import Float64s, Floats, Integers

UNKNOWN = -1
"""The number of a user or an item that nobody knows."""

_KEYS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class SeenItems:
    """What each user has rated already.

    Attributes:
        offsets: ``(U + 1,)``; user ``u`` owns ``items[offsets[u]:offsets[u + 1]]``.
        items: numbers of items, ascending within a user, none twice.
    """

    offsets: Integers
    items: Integers

    @classmethod
    def from_keys(cls, keys: Integers, n_users: int, n_items: int) -> "SeenItems":
        """Group pairs by user, each pair given as ``user * n_items + item``.

        Args:
            keys: ``(n,)`` int64, in any order, each in [0, n_users * n_items); sorted in place.
            n_users: number of users.
            n_items: number of items.
        """
        keys.sort()
        if (keys[1:] == keys[:-1]).any():
            keys = keys[np.append(True, keys[1:] != keys[:-1])]
        offsets = np.searchsorted(keys, np.arange(n_users + 1, dtype=np.int64) * n_items)
        items = np.empty(keys.size, np.int32)
        for first in range(0, keys.size, _KEYS_AT_ONCE):
            some = slice(first, first + _KEYS_AT_ONCE)
            items[some] = keys[some] % n_items
        return cls(offsets, items)

    def of(self, user: int) -> Integers:
        """List the items of one user, ascending; none for an unknown user."""
        if user == UNKNOWN:
            return self.items[:0]
        return self.items[self.offsets[user] : self.offsets[user + 1]]

    def places(self, users: Integers) -> tuple[Integers, Integers]:
        """List what several users have rated, as places in a table of users by items.

        Args:
            users: ``(m,)`` numbers of users, -1 for an unknown one.

        Returns:
            Rows (places in ``users``) and columns (items), of the same length.
        """
        known = np.maximum(users, 0)
        starts, counts = self.offsets[known], self.offsets[known + 1] - self.offsets[known]
        counts[users == UNKNOWN] = 0
        rows = np.repeat(np.arange(users.size), counts)
        within = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
        return rows, self.items[starts[rows] + within]


@dataclass(frozen=True, eq=False)
class WeightedItems:
    """The items of several users, each with the weight of what was observed: sparse rows.

    Attributes:
        offsets: ``(m + 1,)``; row ``r`` owns the entries ``offsets[r]`` up to ``offsets[r + 1]``.
        items: ``(n,)`` numbers of items, ascending within a row, none twice.
        weights: ``(n,)`` float64, finite and at least 0.
    """

    offsets: Integers
    items: Integers
    weights: Float64s

    def __len__(self) -> int:
        return int(self.offsets.size) - 1

    @property
    def counts(self) -> Integers:
        """``(m,)`` number of items of each row."""
        return np.diff(self.offsets)

    @classmethod
    def from_pairs(
        cls, rows: Integers, items: Integers, weights: Floats, n_rows: int
    ) -> "WeightedItems":
        """Group pairs by row.

        Args:
            rows: ``(n,)`` numbers of rows, in any order; pairs of row -1 are left out.
            items: ``(n,)`` numbers of items; pairs of an unknown item (-1) are left out.
            weights: ``(n,)`` weights; those of an item that a row has several times add up.
            n_rows: number of rows.

        Raises:
            ShapeMismatchError: the arrays differ in length, a row is outside, or a weight is
                negative or not finite.
        """
        if not rows.shape == items.shape == weights.shape or rows.ndim != 1:
            raise ShapeMismatchError("items and weights", rows.shape, (items.shape, weights.shape))
        if rows.size and int(rows.max()) >= n_rows:
            raise ShapeMismatchError("row number", f"-1 to {n_rows - 1}", int(rows.max()))
        usable = (rows > UNKNOWN) & (items > UNKNOWN)
        rows, items, weights = rows[usable], items[usable], weights[usable]
        if not bool((np.isfinite(weights) & (weights >= 0)).all()):
            raise ShapeMismatchError("weights of items", "finite, at least 0", "others")
        width = int(items.max(initial=0)) + 1
        keys, place = np.unique(rows.astype(np.int64) * width + items, return_inverse=True)
        offsets = np.searchsorted(keys, np.arange(n_rows + 1, dtype=np.int64) * width)
        total = np.bincount(place, weights, keys.size).astype(np.float64, copy=False)
        return cls(offsets, keys % width, total)

    @classmethod
    def collected(
        cls,
        parts: Iterable[tuple[Integers, Integers, Floats]],
        users: Integers,
        n_users: int,
    ) -> "WeightedItems":
        """Read pairs some at a time, and keep those of some users.

        Args:
            parts: users, items and weights, ``(n,)`` each.
            users: ``(m,)`` the users to keep, none twice: row ``r`` is the user ``users[r]``.
            n_users: number of users that there are.
        """
        row_of = np.full(n_users, UNKNOWN, np.int64)
        row_of[users] = np.arange(users.size)
        none = np.zeros(0, np.int64)
        kept: list[tuple[Integers, Integers, Floats]] = [(none, none, np.zeros(0))]
        for who, items, weights in parts:
            rows = row_of[who]
            own = rows > UNKNOWN
            kept.append((rows[own], items[own], weights[own]))
        rows, items, weights = map(np.concatenate, zip(*kept, strict=True))
        return cls.from_pairs(rows, items, weights, users.size)

    def seen(self) -> SeenItems:
        """The same items without weights; the users are the rows."""
        return SeenItems(self.offsets, self.items)

    def of(self, row: int) -> tuple[Integers, Float64s]:
        """Items and weights of one row."""
        own = slice(int(self.offsets[row]), int(self.offsets[row + 1]))
        return self.items[own], self.weights[own]
