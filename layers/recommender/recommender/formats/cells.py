"""Cells of a block of alike lines, column by column: whole numbers, known words, distinct texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

WORD = 8  # bytes of a cell that fit one integer
MOST_DIGITS = 2 * WORD  # of a decimal that two of them hold
_NEWLINE = ord("\n")

# Eight digits in one word, the first in the lowest byte: neighbours are joined in pairs, the pairs
# in fours, the fours in eights, all at once. Lemire, *Quickly parsing eight digits*, 2018.
_ZEROS = np.uint64(0x3030303030303030)
_BEYOND_NINE = np.uint64(0x7676767676767676)
_HIGH_BITS = np.uint64(0x8080808080808080)
_JOINS = tuple(
    (np.uint64(10**digits), np.uint64(8 * digits), np.uint64(mask))
    for digits, mask in (
        (1, 0x00FF00FF00FF00FF),
        (2, 0x0000FFFF0000FFFF),
        (4, 0x00000000FFFFFFFF),
    )
)
# Behind a cell of n bytes a word has 8 - n bytes of its neighbours, in its low end.
# Shifting a word by all of its 64 bits leaves zero in numpy, so an empty cell is no exception.
_FOREIGN_BITS = np.array([64 - 8 * min(n, WORD) for n in range(MOST_DIGITS + 1)], np.uint64)
_LONGEST_IN_WORDS = 256


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the cells of a block stand.

    Attributes:
        padded: the block's bytes, behind `MOST_DIGITS` bytes of nothing.
        starts: ``(width, rows)`` place of each cell's first byte in ``padded``.
        ends: ``(width, rows)`` the place behind it.
    """

    padded: Bytes
    starts: Places
    ends: Places

    @property
    def rows(self) -> int:
        """How many lines there are."""
        return int(self.ends.shape[1])

    @property
    def width(self) -> int:
        """How many cells each has."""
        return int(self.ends.shape[0])

    def holds_something_from(self, index: int) -> bool:
        """Whether a cell of any column from this one on is not empty."""
        return bool((self.ends[index:] > self.starts[index:]).any())

    def column(self, index: int) -> "Column":
        """Take one column."""
        return Column(self.padded, self.starts[index], self.ends[index])


def grid_of(block: bytes, delimiter: bytes, mark: bytes = b"") -> Grid | None:
    r"""Find the cells of a block.

    Args:
        block: lines that each end with ``\n``.
        delimiter: one byte.
        mark: one byte that may stand around cells, or none.

    Returns:
        None if the lines differ in their number of cells, or if quotation marks do anything but
        stand around whole cells (which then are without them).
    """
    padded = np.frombuffer(bytes(MOST_DIGITS) + block, np.uint8)
    text = padded[MOST_DIGITS:]
    is_newline = text == _NEWLINE
    rows = int(np.count_nonzero(is_newline))
    ends = np.flatnonzero((text == ord(delimiter)) | is_newline)
    width, odd = divmod(ends.size, rows) if rows else (0, 1)
    # As many line ends as rows, and one at the end of each: then no cell hides another.
    if odd or not is_newline[ends[width - 1 :: width]].all():
        return None
    ends += MOST_DIGITS
    starts = np.empty_like(ends)
    starts[0] = MOST_DIGITS
    np.add(ends[:-1], 1, out=starts[1:])
    if mark and mark in block and not _unquote(padded, starts, ends, ord(mark)):
        return None
    by_column = (np.ascontiguousarray(one.reshape(-1, width).T) for one in (starts, ends))
    return Grid(padded, *by_column)


def _unquote(padded: Bytes, starts: Places, ends: Places, mark: int) -> bool:
    """Take the marks off the cells that stand within a pair of them, if all marks do that."""
    quotes = np.flatnonzero(padded == mark)
    if quotes.size % 2:
        return False
    opening, closing = quotes[0::2], quotes[1::2]
    cells = np.searchsorted(ends, opening)
    if (starts[cells] != opening).any() or (ends[cells] != closing + 1).any():
        return False
    starts[cells] += 1
    ends[cells] -= 1
    return True


class Column:
    """One column of a block."""

    def __init__(self, padded: Bytes, starts: Places, ends: Places) -> None:
        """Look at cells of ``padded``: ``(n,)`` places of the first byte, and behind the last."""
        self._padded, self._starts, self._ends = padded, starts, ends
        self.lengths = ends - starts
        self.longest = int(self.lengths.max())
        # Word i is bytes i to i + 7, overlapping: a cell of up to 8 bytes is one load and a shift.
        self._windows: Words = np.ndarray(
            (padded.size - WORD + 1,), "<u8", buffer=padded, strides=(1,)
        )

    def _last_words(self, before: int = 0) -> Words:
        """Load the last eight bytes of each cell, or the eight that end ``before`` its end."""
        words: Words = self._windows[self._ends - (WORD + before)]
        return words

    def words(self) -> Words:
        """Each cell of up to eight bytes as one number: NUL bytes, then the cell."""
        return _without_neighbours(self._last_words(), self.lengths)

    def naturals(self, most_digits: int) -> npt.NDArray[np.int64] | None:
        """Read a column of decimal digits.

        Args:
            most_digits: at most `MOST_DIGITS`.

        Returns:
            ``(n,)`` numbers; None if a cell is empty, longer, or holds anything but digits.
        """
        if self.longest > most_digits or not int(self.lengths.min()):
            return None
        low = _digits(self._last_words(), self.lengths)
        if low is None:
            return None
        if self.longest <= WORD:
            return low.view(np.int64)
        high = _digits(self._last_words(WORD), np.maximum(self.lengths - WORD, 0))
        if high is None:
            return None
        high *= np.uint64(10**WORD)
        high += low
        return high.view(np.int64)

    def has_leading_zeros(self) -> bool:
        """Whether a cell of two characters or more begins with a zero."""
        first = self._padded[self._starts] == ord("0")
        return bool((first & (self.lengths > 1)).any())

    def distinct(self) -> tuple[list[bytes], npt.NDArray[np.int32]]:
        """Find the distinct cells.

        Returns:
            The cells, and ``(n,)`` index of each row's cell among them.
        """
        if self.longest <= WORD:
            # No cell holds a NUL byte, so those before a short cell cannot make two cells one.
            keys = self.words()
            return self._grouped(keys, None)
        if self.longest > _LONGEST_IN_WORDS:
            return self._counted()
        parts = self._all_words()
        keys = np.zeros(self._ends.size, np.uint64)
        for part in parts:
            keys ^= part
            keys *= np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
        return self._grouped(keys, parts)

    def _all_words(self) -> list[Words]:
        """All bytes of each cell, eight at a time from its end; NUL where it has ended."""
        parts = []
        for before in range(0, self.longest, WORD):
            left = np.clip(self.lengths - before, 0, WORD)
            places = np.maximum(self._ends - (WORD + before), 0)
            parts.append(_without_neighbours(self._windows[places], left))
        return parts

    def _grouped(
        self, keys: Words, parts: Sequence[Words] | None
    ) -> tuple[list[bytes], npt.NDArray[np.int32]]:
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        if parts is not None:
            # Equal keys are equal cells only if all their bytes say so.
            example = first[which]
            if any((part != part[example]).any() for part in parts):
                return self._counted()
        data = self._padded
        cells = [
            data[start:end].tobytes()
            for start, end in zip(
                self._starts[first].tolist(), self._ends[first].tolist(), strict=True
            )
        ]
        return cells, which.astype(np.int32)

    def _counted(self) -> tuple[list[bytes], npt.NDArray[np.int32]]:
        seen: dict[bytes, int] = {}
        numbers = [seen.setdefault(cell, len(seen)) for cell in self.cells()]
        return list(seen), np.array(numbers, np.int32)

    def cells(self) -> list[bytes]:
        """Every cell, one by one."""
        data = self._padded.tobytes()
        return [
            data[start:end]
            for start, end in zip(self._starts.tolist(), self._ends.tolist(), strict=True)
        ]


def _without_neighbours(words: Words, lengths: Places) -> Words:
    """Clear, in place, what is not the last ``lengths`` bytes of each word."""
    shifts = _FOREIGN_BITS[lengths]
    words >>= shifts
    words <<= shifts
    return words


def _digits(words: Words, lengths: Places) -> Words | None:
    """Read up to eight digits of each word, in place; None if one is no digit."""
    words ^= _ZEROS
    words = _without_neighbours(words, lengths)
    spilled = words + _BEYOND_NINE
    spilled |= words
    spilled &= _HIGH_BITS
    if spilled.any():
        return None
    for ten, bits, mask in _JOINS:
        np.multiply(words, ten, out=spilled)
        words >>= bits
        words += spilled
        words &= mask
    return words


class WordTable:
    """A few words and what they mean, found by one multiplication each.

    Ratings have a dozen spellings: a multiplier is sought under which no two of them meet in a
    table, and then looking a column up is a product, a shift and a load.
    """

    MOST_WORDS = 64
    _BITS = 10

    def __init__(self) -> None:
        """Start empty."""
        self._known: dict[int, float] = {}
        self._words = np.full(1 << self._BITS, ~np.uint64(0), np.uint64)
        self._values = np.zeros(1 << self._BITS, np.float32)
        self._factor = np.uint64(1)

    def learned(self, words: Sequence[int], values: Sequence[float]) -> "WordTable":
        """Make a table that knows these as well; unchanged if that would be too many."""
        known = {**self._known, **dict(zip(words, values, strict=True))}
        if len(known) > self.MOST_WORDS:
            return self
        keys = np.array(list(known), np.uint64)
        rng = np.random.default_rng(0)  # a fixed seed: any factor that works gives the same values
        for _ in range(1000):
            factor = rng.integers(1, 1 << 63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
            slots = (keys * factor) >> np.uint64(64 - self._BITS)
            if np.unique(slots).size == keys.size:
                table = WordTable()
                table._known, table._factor = known, factor
                table._words[slots] = keys
                table._values[slots] = np.array(list(known.values()), np.float32)
                return table
        return self

    def find(self, words: Words) -> npt.NDArray[np.float32] | None:
        """Look words up: ``(n,)`` values, or None if one is unknown."""
        if not self._known:
            return None
        slots = ((words * self._factor) >> np.uint64(64 - self._BITS)).view(np.int64)
        if (self._words[slots] != words).any():
            return None
        return self._values[slots]
