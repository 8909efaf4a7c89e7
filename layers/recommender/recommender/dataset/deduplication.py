"""Which rows of a run count, and on which side: the latest of each pair, train and test apart."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock

import numpy as np
import numpy.typing as npt

from recommender.dataset.adding_up import Ageing, Totals, added_up
from recommender.dataset.spool import NumberSpool, RowSpool, SpooledRows
from recommender.dataset.vocabulary import Numbering
from recommender.lookahead import ahead

TRAIN, TEST, REPLACED, HELD_OUT = range(4)
"""What becomes of a row: learned from, tested with, replaced by a later rating of its pair (or, in
a catalog without ratings, added to a later row), or left out of training because a test file rates
its pair."""

Numbers = npt.NDArray[np.int32]
Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.integer]

_WORD_BITS = 64
_CHUNK = 1 << 18

# Rows are deduplicated some users at a time. Parts of this size sort fast; beyond the most
# parts they grow instead, for each part looks at every row again.
_ROWS_OF_A_PART = 6_000_000
_MOST_PARTS = 6


@dataclass(frozen=True, eq=False)
class Deduplicated:
    """What became of the rows.

    Attributes:
        outcomes: ``(rows,)`` uint8, `TRAIN` to `HELD_OUT`.
        seen_counts: ``(users,)`` how many items each user rated, on either side.
        seen_items: those items, user after user, ascending.
        totals: what pairs come to, if rows of one pair add up.
        repeats: which rule decided between the rows of pairs that have several on one side ->
            between how many pairs: "by_time" or "by_order".
    """

    outcomes: npt.NDArray[np.uint8]
    seen_counts: npt.NDArray[np.int64]
    seen_items: NumberSpool
    totals: Totals | None
    repeats: Mapping[str, int]


@dataclass(frozen=True)
class _Part:
    """Users from ``first`` to ``last`` (exclusive), who have ``rows`` rows."""

    first: int
    last: int
    rows: int


def deduplicate(
    spool: RowSpool,
    users: Numbering,
    items: Numbering,
    *,
    last_per_user: int = 0,
    ageing: Ageing | None = None,
    threads: Executor | None = None,
) -> Deduplicated:
    """Find the rows that count.

    A later rating of a pair replaces an earlier one of the same side: by time, then by the order
    of the rows. Between the latest one that has a time and the last one that has none the order
    of the rows decides. A pair rated in a test file belongs to the test set alone.

    Args:
        spool: all rows.
        users: numbers of users.
        items: numbers of items.
        last_per_user: set so many of each user's latest train ratings aside for testing, but
            never all that a user has.
        ageing: add the rows of a pair and a side up, each as much as it counts for its age; the
            latest one stands for all of them.
        threads: who does it; the result is the same whoever does.
    """
    return _Deduplication(spool, users, items, last_per_user, ageing).deduplicate(threads)


class _Deduplication:
    def __init__(
        self,
        spool: RowSpool,
        users: Numbering,
        items: Numbering,
        last_per_user: int,
        ageing: Ageing | None,
    ) -> None:
        self._spool, self._users, self._items = spool, users, items
        self._last_per_user, self._ageing = last_per_user, ageing
        self._totals: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]] = []
        self._item_bits = np.uint64(max(1, (len(items.names) - 1).bit_length()))
        self._outcomes = np.zeros(spool.rows, np.uint8)
        self._repeats = Counter[str]()
        self._spans: list[tuple[int, int]] = []
        self._one_at_a_time = Lock()  # for what takes several times the memory of a part

    def deduplicate(self, threads: Executor | None) -> Deduplicated:
        parts = self._parts(threads)
        for block in self._spool.blocks:
            if block.is_test:
                self._outcomes[block.first : block.first + len(block)] = TEST
        seen_counts = np.zeros(len(self._users.names), np.int64)
        seen_items = NumberSpool()
        for part, (counts, seen) in ahead(self._deduplicate_part, parts, threads, most=2):
            seen_counts[part.first : part.last] = counts
            seen_items.append(seen)
        totals = None if self._ageing is None else Totals.of(self._totals, self._ageing)
        return Deduplicated(self._outcomes, seen_counts, seen_items, totals, self._repeats)

    def _parts(self, threads: Executor | None) -> list[_Part]:
        """Cut the users into parts of about as many rows each."""
        n_users, n_parts = len(self._users.names), -(-self._spool.rows // _ROWS_OF_A_PART)
        n_parts = min(n_parts, _MOST_PARTS, max(1, n_users))
        counts = np.zeros(max(1, n_users), np.int64)

        def look(block: SpooledRows) -> tuple[Numbers, int, int]:
            numbers = self._users.numbers(block.users())
            return numbers, int(numbers.min()), int(numbers.max())

        for _, (numbers, lowest, highest) in ahead(look, self._spool.blocks, threads):
            self._spans.append((lowest, highest))
            counts[lowest : highest + 1] += np.bincount(numbers - lowest)
        ends = np.cumsum(counts)
        targets = self._spool.rows * np.arange(1, n_parts) / max(1, n_parts)
        cuts = [0, *(np.searchsorted(ends, targets) + 1).tolist(), n_users]
        parts = []
        for first, last in pairwise(cuts):
            if last > first:
                parts.append(_Part(first, last, int(counts[first:last].sum())))
        return parts

    def _blocks_of(self, part: _Part) -> list[tuple[SpooledRows, bool]]:
        """The blocks that hold rows of a part, and whether they hold nothing else."""
        return [
            (block, part.first <= lowest and highest < part.last)
            for block, (lowest, highest) in zip(self._spool.blocks, self._spans, strict=True)
            if lowest < part.last and highest >= part.first
        ]

    def _inside(
        self, block: SpooledRows, part: _Part, *, whole: bool
    ) -> tuple[Numbers, Places | None]:
        """The users of a block's rows that are of a part; and which rows these are, unless all."""
        users = self._users.numbers(block.users())
        if whole:
            return users, None
        inside = np.flatnonzero((users >= part.first) & (users < part.last))
        return users[inside], inside

    def _deduplicate_part(self, part: _Part) -> tuple[npt.NDArray[np.int64], Numbers]:
        keys = np.empty(part.rows, np.uint64)
        at = 0
        blocks = self._blocks_of(part)
        ends: list[int] = []  # where each block's keys end
        for block, whole in blocks:
            users, inside = self._inside(block, part, whole=whole)
            items = self._items.numbers(block.items())
            some = keys[at : at + users.size]
            some[:] = users - np.int32(part.first)
            some <<= self._item_bits
            some |= (items if inside is None else items[inside]).view(np.uint32)
            at += users.size
            ends.append(at)
        keys, places = _sorted_with_places(keys)
        repeats = keys[1:] == keys[:-1]
        if repeats.any():
            with self._one_at_a_time:
                repeated = np.append(repeats, False) | np.append(False, repeats)
                self._keep_latest(part, keys[repeated], places[repeated], np.array(ends))
            keys = keys[np.append(True, ~repeats)]
        del places, repeats
        if self._last_per_user:
            with self._one_at_a_time:
                self._set_last_aside(part)
        items = np.empty(keys.size, np.int32)
        item_mask = (np.uint64(1) << self._item_bits) - np.uint64(1)
        np.bitwise_and(keys, item_mask, out=items, casting="unsafe")
        keys >>= self._item_bits
        counts = np.bincount(keys.view(np.int64), minlength=part.last - part.first)
        return counts, items

    def _keep_latest(self, part: _Part, keys: Keys, places: Places, ends: Places) -> None:
        """Decide between the rows of pairs that have several.

        Args:
            keys: ``(m,)`` pairs, equal ones side by side, in the order of their rows.
            places: ``(m,)`` place of each row among the rows of the part.
            ends: where the rows of each block of the part end among them.
        """
        times, rows = np.empty(keys.size, np.int64), np.empty(keys.size, np.int64)
        values = np.empty(keys.size if self._ageing else 0)
        order = np.argsort(places)
        cuts = [0, *np.searchsorted(places[order], ends).tolist()]
        starts = [0, *ends.tolist()]
        for (block, whole), start, first, last in zip(
            self._blocks_of(part), starts[:-1], cuts[:-1], cuts[1:], strict=True
        ):
            if first == last:
                continue
            which = order[first:last]
            local = places[which] - start
            _, inside = self._inside(block, part, whole=whole)
            local = local if inside is None else inside[local]
            times[which] = block.timestamps()[local]
            rows[which] = block.first + local
            if self._ageing:
                values[which] = self._ageing.aged(block.values()[local], times[which])
        is_test = self._outcomes[rows] == TEST
        for side in (False, True):
            some = np.flatnonzero(is_test == side)
            latest, by_time = _latest(keys[some], times[some])
            self._repeats["by_time"] += int(np.count_nonzero(by_time))
            self._repeats["by_order"] += by_time.size - int(np.count_nonzero(by_time))
            self._outcomes[rows[some[~latest]]] = REPLACED
            if self._ageing:
                self._totals.append((rows[some[latest]], added_up(keys[some], values[some])))
        tested = np.isin(keys, keys[is_test]) if is_test.any() else is_test
        there = self._outcomes[rows] == TRAIN
        self._outcomes[rows[tested & there]] = HELD_OUT

    def _set_last_aside(self, part: _Part) -> None:
        """Move each user's latest ratings to the test set."""
        found: list[tuple[Numbers, npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
        for block, _ in self._blocks_of(part):
            users = self._users.numbers(block.users())
            outcomes = self._outcomes[block.first : block.first + len(block)]
            some = np.flatnonzero((users >= part.first) & (users < part.last) & (outcomes == TRAIN))
            found.append((users[some], block.timestamps()[some], block.first + some))
        users, times, rows = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((times, users))
        users, rows = users[order], rows[order]
        starts = np.searchsorted(users, users)
        ends = np.searchsorted(users, users, side="right")
        from_end = ends - np.arange(users.size)  # 1 for the latest
        aside = np.minimum(self._last_per_user, ends - starts - 1)
        self._outcomes[rows[from_end <= aside]] = TEST


def _sorted_with_places(keys: Keys) -> tuple[Keys, Places]:
    """Sort keys, equal ones in the order they have; and say where each one stood."""
    bits = np.uint64(max(1, int(keys.size - 1).bit_length()))
    if keys.size and int(keys.max()).bit_length() + int(bits) <= _WORD_BITS:
        # Key and place in one word: numbers sort ten times faster than what must be looked up.
        keys <<= bits
        for first in range(0, keys.size, _CHUNK):
            some = keys[first : first + _CHUNK]
            some |= np.arange(first, first + some.size, dtype=np.uint64)
        keys.sort()
        places = np.empty(keys.size, np.uint32)
        np.bitwise_and(keys, (np.uint64(1) << bits) - np.uint64(1), out=places, casting="unsafe")
        keys >>= bits
        return keys, places
    order = np.argsort(keys, kind="stable")
    return keys[order], order.astype(np.uint32)


def _latest(
    keys: Keys, times: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Of the rows of each key, side by side, find the one that stands.

    Returns:
        ``(n,)`` which row that is; and for each key that has several rows whether a time of its
        own decided, and not the order of the rows.
    """
    latest = np.zeros(keys.size, np.bool_)
    if not keys.size:
        return latest, latest
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    counts = np.diff(np.append(starts, keys.size))
    places = np.arange(keys.size)
    newest = np.repeat(np.maximum.reduceat(times, starts), counts)
    is_newest, is_timed = times == newest, times >= 0
    last_newest = np.maximum.reduceat(np.where(is_newest & is_timed, places, -1), starts)
    last_untimed = np.maximum.reduceat(np.where(is_timed, -1, places), starts)
    latest[np.maximum(last_newest, last_untimed)] = True
    alone = np.add.reduceat(is_newest.astype(np.int64), starts) == 1
    return latest, (alone & (last_untimed < 0))[counts > 1]
