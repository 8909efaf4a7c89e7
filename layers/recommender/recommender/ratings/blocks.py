"""Blocks of alike rating rows, column by column in numpy; anything unusual is left to others."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.formats.cells import MOST_DIGITS, Column, Grid, WordTable, grid_of
from recommender.formats.delimited import Layout
from recommender.ratings.identifiers import IdTable
from recommender.ratings.table import TIME_COLUMNS, RatingRows, RatingsBuilder
from recommender.ratings.times import (
    NO_TIMESTAMP,
    TimeAccount,
    TimeForm,
    read_date_and_clock,
    read_times,
    spread,
    times_of_numbers,
)

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
        times: counts these.
    """

    users: npt.NDArray[np.int32] | Spelled
    items: npt.NDArray[np.int32] | Spelled
    values: npt.NDArray[np.float32] | Spelled
    events: Spelled | None
    timestamps: npt.NDArray[np.int64]
    times: TimeAccount


def read_alike_rows(
    block: bytes, layout: Layout, numbers: WordTable, time_form: TimeForm
) -> AlikeRows | None:
    r"""Read a block if every line has the same number of cells.

    This is most of the work of reading a file. It changes nothing that others see and spends its
    time in numpy, so several threads do it at once.

    Args:
        block: whole lines of UTF-8, without the header.
        layout: how to read them.
        numbers: ratings whose spelling is known already.
        time_form: how times are written.

    Returns:
        None if the block holds something that needs a closer look.
    """
    quoting, comment = layout.quoting, layout.comment.encode()
    mark = quoting.mark.encode() if len(layout.delimiter) == 1 else b""
    if mark and quoting.has_escapes and quoting.escape.encode() in block:
        return None
    if comment and (block.startswith(comment) or b"\n" + comment in block):
        return None
    block, delimiter = _with_one_byte_delimiter(block, layout.delimiter)
    if not delimiter or len(mark) > 1 or b"\0" in block:
        return None
    grid = grid_of(block, delimiter, mark)
    if grid is None:
        return None
    positions = layout.positions
    if grid.width <= max(at for role, at in positions.items() if role not in TIME_COLUMNS):
        return None
    if layout.most and grid.holds_something_from(layout.most):
        return None
    columns = _Columns(grid, layout)
    times = TimeAccount()
    return AlikeRows(
        _ids(grid.column(positions["user"])),
        _ids(grid.column(positions["item"])),
        columns.values(numbers),
        columns.spelled("event"),
        columns.timestamps(time_form, times),
        times,
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
    into.times.add(rows.times)
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


class _Columns:
    """The columns of a block by their role; those of its folder's name are the same in each row."""

    def __init__(self, grid: Grid, layout: Layout) -> None:
        self._grid, self._layout = grid, layout

    def values(self, numbers: WordTable) -> npt.NDArray[np.float32] | Spelled:
        """Ratings or counts, as far as their spelling is known."""
        role = "rating" if "rating" in self._layout.positions else "count"
        column = self._own(role)
        if column is not None:
            return _ratings(column, numbers)
        return self.spelled(role) or np.ones(self._grid.rows, np.float32)

    def spelled(self, role: str) -> Spelled | None:
        """A column's distinct cells; None if there is no such column."""
        column = self._own(role)
        if column is not None:
            return Spelled(*column.distinct())
        at = self._layout.positions.get(role, 0)
        if at >= 0:
            return None
        return Spelled([self._layout.constants[at].encode()], np.zeros(self._grid.rows, np.int32))

    def timestamps(self, form: TimeForm, account: TimeAccount) -> npt.NDArray[np.int64]:
        """Times in nanoseconds, counted in the account."""
        column, clock = self._own("timestamp"), self.spelled("clock")
        if column is not None and clock is None and not form.of_digits:
            numbers = column.naturals(MOST_DIGITS)
            if numbers is not None:
                return times_of_numbers(numbers, account)
        dates = self.spelled("timestamp")
        if dates is None:
            account.missing += self._grid.rows
            return np.full(self._grid.rows, NO_TIMESTAMP, np.int64)
        if clock is None:
            cells = [cell.decode() for cell in dates.cells]
            return read_times(cells, dates.which, form, account)
        both = dates.which.astype(np.int64) * len(clock.cells) + clock.which
        pairs, which = np.unique(both, return_inverse=True)
        moments = [
            read_date_and_clock(dates.cells[date].decode(), clock.cells[time].decode(), form)
            for date, time in (divmod(pair, len(clock.cells)) for pair in pairs.tolist())
        ]
        return spread(moments, which, account)

    def _own(self, role: str) -> Column | None:
        at = self._layout.positions.get(role, -1)
        return self._grid.column(at) if 0 <= at < self._grid.width else None


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
