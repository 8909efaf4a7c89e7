"""Blocks of alike rating rows, column by column in numpy; anything unusual is left to others."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.formats.cells import MOST_DIGITS, Column, Grid, WordTable, grid_of
from recommender.formats.delimited import Layout
from recommender.formats.quoting import BACKSLASH, LITERAL
from recommender.ratings.identifiers import IdTable
from recommender.ratings.table import RatingRows, RatingsBuilder
from recommender.ratings.values import NO_TIMESTAMP, read_timestamp

_MOST_DIGITS_OF_A_PLAIN_ID = 8
_RATING_BYTES = 8


@dataclass(frozen=True, eq=False)
class Spelled:
    """A column that is not understood yet: its distinct cells, and which of them each row has."""

    cells: list[bytes]
    which: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class AlikeRows:
    """A block, read as far as that can be done without knowing the blocks before it.

    Each column holds ``n`` entries: finished, or spelled.

    Attributes:
        users: codes of users.
        items: codes of items.
        values: ratings, or counts.
        events: types of events, if they have weights.
        timestamps: finished always.
    """

    users: npt.NDArray[np.int32] | Spelled
    items: npt.NDArray[np.int32] | Spelled
    values: npt.NDArray[np.float32] | Spelled
    events: Spelled | None
    timestamps: npt.NDArray[np.int64]


def read_alike_rows(block: bytes, layout: Layout, numbers: WordTable) -> AlikeRows | None:
    r"""Read a block if every line has the same number of cells.

    This is most of the work of reading a file. It changes nothing that others see and spends its
    time in numpy, so several threads do it at once.

    Args:
        block: whole lines, without the header.
        layout: how to read them.
        numbers: ratings whose spelling is known already.

    Returns:
        None if the block holds something that needs a closer look.
    """
    quotable = len(layout.delimiter) == 1 and layout.quoting != LITERAL
    if layout.quoting == BACKSLASH and b"\\" in block:
        return None
    block, delimiter = _with_one_byte_delimiter(block, layout.delimiter)
    if not delimiter or b"\0" in block or not _is_utf8(block):
        return None
    grid = grid_of(block, delimiter, quotable=quotable)
    if grid is None:
        return None
    positions = layout.positions
    if grid.width <= max(at for role, at in positions.items() if role != "timestamp"):
        return None
    if layout.most and any(grid.column(at).longest for at in range(layout.most, grid.width)):
        return None
    value_at = positions.get("rating", positions.get("count"))
    return AlikeRows(
        _ids(grid.column(positions["user"])),
        _ids(grid.column(positions["item"])),
        np.ones(grid.rows, np.float32)
        if value_at is None
        else _ratings(grid.column(value_at), numbers),
        Spelled(*grid.column(positions["event"]).distinct()) if "event" in positions else None,
        _timestamps(grid, layout.positions.get("timestamp", grid.width)),
    )


def add_alike_rows(rows: AlikeRows, first_line: int, into: RatingsBuilder) -> bool:
    """Finish a block and add its rows.

    The rows are exactly those that `rating_rows.read_delimited` finds; each distinct cell goes
    through the same checks, once.

    Args:
        rows: what `read_alike_rows` found.
        first_line: number of the block's first line.
        into: takes the rows; nothing is added unless all of them are.

    Returns:
        Whether all of them are usable.
    """
    try:
        values = rows.values if isinstance(rows.values, np.ndarray) else _read(rows.values, into)
        if rows.events is not None:
            values = (values * _weights(rows.events, into)).astype(np.float32)
        users = _codes(rows.users, into.users)
        items = _codes(rows.items, into.items)
    except ValueError:
        return False
    lines = np.arange(first_line, first_line + values.size, dtype=np.int64)
    into.add_rows(RatingRows(users, items, values, rows.timestamps, lines))
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


def _ids(column: Column) -> npt.NDArray[np.int32] | Spelled:
    numbers = column.naturals(_MOST_DIGITS_OF_A_PLAIN_ID)
    if (
        numbers is not None
        and int(numbers.max()) < IdTable.MOST_PLAIN
        and not column.has_leading_zeros()
    ):
        return numbers.astype(np.int32)
    return Spelled(*column.distinct())


def _ratings(column: Column, numbers: WordTable) -> npt.NDArray[np.float32] | Spelled:
    if column.longest <= _RATING_BYTES:
        values = numbers.find(column.words())
        if values is not None:
            return values
    return Spelled(*column.distinct())


def _timestamps(grid: Grid, index: int) -> npt.NDArray[np.int64]:
    if index >= grid.width:
        return np.full(grid.rows, NO_TIMESTAMP, np.int64)
    column = grid.column(index)
    numbers = column.naturals(MOST_DIGITS)
    if numbers is not None:
        return numbers
    cells, which = column.distinct()
    return np.array([read_timestamp(cell.decode()) for cell in cells], np.int64)[which]


def _codes(column: npt.NDArray[np.int32] | Spelled, table: IdTable) -> npt.NDArray[np.int32]:
    if isinstance(column, np.ndarray):
        return column
    known = table.known
    codes: list[int] = []
    for cell in column.cells:
        text = cell.decode()
        code = known.get(text)
        codes.append(table.add(text) if code is None else code)
    return np.array(codes, np.int32)[column.which]


def _read(column: Spelled, into: RatingsBuilder) -> npt.NDArray[np.float32]:
    values = [into.value(cell.decode()) for cell in column.cells]
    words = [
        int.from_bytes(cell.rjust(_RATING_BYTES, b"\0"), "little")
        for cell in column.cells
        if len(cell) <= _RATING_BYTES
    ]
    if len(words) == len(values) <= WordTable.MOST_WORDS:
        into.numbers = into.numbers.learned(words, values)
    return np.array(values, np.float32)[column.which]


def _weights(column: Spelled, into: RatingsBuilder) -> npt.NDArray[np.float64]:
    weights = [into.meaning.event_weight(cell.decode()) for cell in column.cells]
    return np.array(weights, np.float64)[column.which]
