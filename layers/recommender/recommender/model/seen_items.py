"""Which items each user has rated already: sparse rows, made with little beside themselves."""

from dataclasses import dataclass

import numpy as np

from recommender.features import Integers

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
