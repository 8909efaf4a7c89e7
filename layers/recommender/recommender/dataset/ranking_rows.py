"""What the ranking model learns from: who rated what, and what was not rated."""

from collections.abc import Iterator
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt

from recommender.catalog.ranking import Ranking
from recommender.dataset.deduplication import TRAIN
from recommender.dataset.encoding import Dataset, Side
from recommender.dataset.unseen import unseen_users
from recommender.dataset.vocabulary import Vocabulary
from recommender.lookahead import ahead
from recommender.recordio.pairs import PairWriter

SAMPLED_PER_PAIR = 8
"""Unrated items for each rated one, in rows for an algorithm that only knows rows."""
_POPULARITY_EXPONENT = 0.5
_SEED = 20_261_126
_KEPT_OUT, _FEWEST_USERS = 0.05, 500
_MOST_FLAGS = 64 << 20

Flags = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.int64]


def kept_out(vocabulary: Vocabulary) -> Flags:
    """Choose the users by whom it is seen how the ranking model serves strangers.

    Returns:
        ``(users,)`` True for a twentieth of them, 10,000 at most; for none in a small catalog,
        where they would be missed and tell nothing.
    """
    flags = np.zeros(len(vocabulary.users), np.bool_)
    if flags.size >= _FEWEST_USERS:
        flags[unseen_users(vocabulary, _KEPT_OUT)] = True
    return flags


class RankingRows:
    """The pairs of the train side that count, as rows of the ranking channel."""

    def __init__(self, dataset: Dataset, ranking: Ranking, kept_out: Flags) -> None:
        """Look at a dataset.

        Args:
            dataset: whose train side is learned from.
            ranking: how much ratings count; those of weight 0 are no rows.
            kept_out: ``(users,)`` whose rows are left out, to see how the model serves strangers.
        """
        self._dataset, self._ranking, self._kept_out = dataset, ranking, kept_out
        users, items = len(dataset.vocabulary.users), len(dataset.vocabulary.items)
        self._writer = PairWriter(users + items)  # side features are no part of these rows
        self._first_item = np.int64(users)

    def weighted(self, threads: Executor | None = None) -> Iterator[bytes]:
        """Write one row a pair, labelled with its weight, in the order of files and lines.

        Returns:
            Records, some at a time.
        """

        def encoded(part: Side) -> bytes:
            users, items, weights = self._counting(part)
            return self._writer.write(users, items + self._first_item, weights)

        for _, records in ahead(encoded, self._dataset.blocks(TRAIN), threads):
            yield records

    def sampled(
        self, per_pair: int = SAMPLED_PER_PAIR, threads: Executor | None = None
    ) -> Iterator[bytes]:
        """Write each pair labelled 1, and behind it items that its user has not rated, labelled 0.

        Popular items are drawn more often, by the root of how often they were rated: a list is a
        choice among items that could all be known. The same dataset gives the same rows.

        Args:
            per_pair: how many unrated items a pair is followed by. One that the user has rated in
                train after all is left out.
            threads: work on several blocks at a time.

        Returns:
            Records, some at a time.
        """
        rated, popularity = self._rated()
        chances = np.cumsum(np.maximum(popularity, 1) ** _POPULARITY_EXPONENT)
        chances /= chances[-1]
        n_items = len(self._dataset.vocabulary.items)

        def encoded(numbered: tuple[int, Side]) -> bytes:
            number, part = numbered
            users, items, _ = self._counting(part)
            rng = np.random.default_rng([_SEED, number])
            drawn = np.searchsorted(chances, rng.random((users.size, per_pair)), side="right")
            drawn = np.minimum(drawn, n_items - 1)
            is_rated = rated.holds(users[:, None] * n_items + drawn)
            kept = np.column_stack((np.ones(users.size, np.bool_), ~is_rated))
            chosen = np.column_stack((items, drawn))[kept]
            owners = np.repeat(users, kept.sum(axis=1))
            labels = np.zeros(kept.shape, np.float32)
            labels[:, 0] = 1
            return self._writer.write(owners, chosen + self._first_item, labels[kept])

        for _, records in ahead(encoded, enumerate(self._dataset.blocks(TRAIN)), threads):
            yield records

    def _counting(self, part: Side) -> tuple[Keys, Keys, npt.NDArray[np.float32]]:
        """Users, items and weights of the pairs that count."""
        weights = self._ranking.weigh(part.ratings, self._dataset.lowest, self._dataset.highest)
        some = np.flatnonzero((weights > 0) & ~self._kept_out[part.users])
        return part.users[some], part.items[some], weights[some]

    def _rated(self) -> tuple["_Rated", Keys]:
        """All pairs of train as words ``user * items + item``; how often items are rated."""
        n_users, n_items = len(self._dataset.vocabulary.users), len(self._dataset.vocabulary.items)
        keys = np.empty(self._dataset.rows_of(TRAIN), np.int64)
        popularity = np.zeros(n_items, np.int64)
        found = 0
        for part in self._dataset.blocks(TRAIN):
            keys[found : found + len(part)] = part.users * n_items + part.items
            popularity += np.bincount(part.items, minlength=n_items)
            found += len(part)
        return _Rated(keys, n_users * n_items), popularity


class _Rated:
    """Which pairs are rated: a flag for each there could be while these are few, else a search."""

    def __init__(self, keys: Keys, size: int) -> None:
        """Take the pairs as words below ``size``; ``keys`` are put in order."""
        self._flags: Flags | None = None
        if size <= _MOST_FLAGS:
            self._flags = np.zeros(size, np.bool_)
            self._flags[keys] = True
        else:
            keys.sort()
        self._keys = keys

    def holds(self, keys: Keys) -> Flags:
        """Tell of each word whether it is one of the pairs."""
        if self._flags is not None:
            return self._flags[keys]
        places = np.minimum(np.searchsorted(self._keys, keys), self._keys.size - 1)
        return np.asarray(self._keys[places] == keys)
