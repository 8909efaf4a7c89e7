"""Blocks of alike rating rows, column by column in numpy; anything unusual is left to others."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from recommender.delimited import Layout
from recommender.rating_table import NO_TIMESTAMP, REQUIRED_COLUMNS, RatingsBuilder, read_timestamp

_NEWLINE = ord("\n")
_WORD = 8  # bytes of a cell that fit one integer
_MAX_DIGITS = 18  # of a decimal that surely fits an int64

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Scalar = TypeVar("Scalar", np.float32, np.int32)


def read_alike_rows(block: bytes, layout: Layout, first_line: int, into: RatingsBuilder) -> bool:
    r"""Read a block if every line has the same number of cells and every row is usable.

    The rows are exactly those that `rating_rows.read_delimited` finds; each distinct cell goes
    through the same checks, once.

    Args:
        block: whole lines without quotation marks, without the header.
        layout: how to read them.
        first_line: number of the block's first line.
        into: takes the rows; nothing is added unless all of them are.

    Returns:
        Whether the block was read. False: it holds something that needs a closer look.
    """
    block, delimiter = _with_one_byte_delimiter(block, layout.delimiter)
    if not delimiter or b"\0" in block or not _is_utf8(block):
        return False
    padded = np.frombuffer(block + bytes(_WORD), np.uint8)
    places = _places(padded[:-_WORD], delimiter)
    if places is None:
        return False
    starts, ends = places
    rows, width = starts.shape
    needed = [layout.positions[role] for role in REQUIRED_COLUMNS]
    if width <= max(needed):
        return False
    user_at, item_at, rating_at = needed
    time_at = layout.positions.get("timestamp", width)
    try:
        cells = _Cells(block, padded)
        values = cells.each(starts[:, rating_at], ends[:, rating_at], into.value, np.float32)
        users = cells.each(starts[:, user_at], ends[:, user_at], into.users.add, np.int32)
        items = cells.each(starts[:, item_at], ends[:, item_at], into.items.add, np.int32)
    except ValueError:
        return False
    if time_at < width:
        timestamps = cells.timestamps(starts[:, time_at], ends[:, time_at])
    else:
        timestamps = np.full(rows, NO_TIMESTAMP, np.int64)
    lines = np.arange(first_line, first_line + rows, dtype=np.int64)
    into.add_rows(users, items, values, timestamps, lines)
    return True


def _with_one_byte_delimiter(block: bytes, delimiter: str) -> tuple[bytes, bytes]:
    r"""Rewrite ``\r\n`` as ``\n`` and ``::`` as a tab; an empty delimiter: tabs are in use."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if not block.endswith(b"\n"):
        block += b"\n"
    if len(delimiter) == 1:
        return block, delimiter.encode()
    if b"\t" in block:
        return block, b""
    return block.replace(delimiter.encode(), b"\t"), b"\t"


def _is_utf8(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _places(text: Bytes, delimiter: bytes) -> tuple[Places, Places] | None:
    """Find where cells begin and end: ``(rows, width)`` each; None if the width varies."""
    ends = np.flatnonzero((text == ord(delimiter)) | (text == _NEWLINE))
    is_newline = text[ends] == _NEWLINE
    width = int(is_newline.argmax()) + 1
    if ends.size % width:
        return None
    newlines = is_newline.reshape(-1, width)
    if not newlines[:, -1].all() or newlines[:, :-1].any():
        return None
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    return starts.reshape(-1, width), ends.reshape(-1, width)


class _Cells:
    """Reads columns of cells out of a block."""

    def __init__(self, block: bytes, padded: Bytes) -> None:
        self._block = block
        self._padded = padded
        # Word i is bytes i to i + 7, overlapping: a cell of up to 8 bytes is one load and a mask.
        self._words = np.ndarray((len(block) + 1,), "<u8", buffer=padded, strides=(1,))
        shifts = np.arange(_WORD, dtype=np.uint64) * np.uint64(8)
        self._masks = np.append((np.uint64(1) << shifts) - np.uint64(1), ~np.uint64(0))

    def each(
        self,
        starts: Places,
        ends: Places,
        read: Callable[[str], float],
        dtype: type[Scalar],
    ) -> npt.NDArray[Scalar]:
        """Read every cell of a column, calling ``read`` once for each distinct one.

        Returns:
            ``(n,)`` of ``dtype``.

        Raises:
            ValueError: ``read``'s, for any of them.
        """
        lengths = ends - starts
        if int(lengths.max()) > _WORD:
            return self._each_long(starts, ends, read, dtype)
        # No cell holds a NUL byte, so zeros after a shorter cell cannot make two cells one.
        words = self._words[starts] & self._masks[lengths]
        distinct, which = np.unique(words, return_inverse=True)
        cells = [
            word.to_bytes(_WORD, "little").rstrip(b"\0").decode() for word in distinct.tolist()
        ]
        return np.array([read(cell) for cell in cells], dtype)[which]

    def _each_long(
        self,
        starts: Places,
        ends: Places,
        read: Callable[[str], float],
        dtype: type[Scalar],
    ) -> npt.NDArray[Scalar]:
        block = self._block
        seen: dict[bytes, float] = {}
        out: list[float] = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            cell = block[start:end]
            value = seen.get(cell)
            if value is None:
                value = seen[cell] = read(cell.decode())
            out.append(value)
        return np.array(out, dtype)

    def timestamps(self, starts: Places, ends: Places) -> npt.NDArray[np.int64]:
        """Read a column of timestamps: ``(n,)``, all digits fast, all else one by one."""
        lengths = ends - starts
        longest = int(lengths.max())
        if int(lengths.min()) > 0 and longest <= _MAX_DIGITS:
            numbers = np.zeros(starts.size, np.int64)
            digits_only = True
            for place in range(longest):
                inside = lengths > place
                digits = self._padded[np.where(inside, starts + place, starts)] - np.uint8(ord("0"))
                digits_only = digits_only and bool(digits.max() <= 9)  # uint8 wraps below "0"
                numbers = np.where(inside, numbers * 10 + digits, numbers)
            if digits_only:
                return numbers
        block = self._block
        return np.array(
            [
                read_timestamp(block[start:end].decode())
                for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
            ],
            np.int64,
        )
