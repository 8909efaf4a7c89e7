"""Delimited text: which delimiter, which column is what, and a line's way into cells."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

DELIMITERS = ("::", "\t", ",", ";", "|")

# An unclosed quotation mark must cost its own row, not the rest of the file.
MAX_LINES_OF_A_RECORD = 100

_PLAIN_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?", re.ASCII)
_MAY_BE_SPLIT = re.compile(r"-?(\d|10),\d\d?", re.ASCII)

Spellings = Mapping[str, tuple[str, ...]]
"""Role of a column -> the names it goes by, normalised, the most telling first."""


@dataclass(frozen=True)
class Layout:
    """How the lines of a file become cells.

    Attributes:
        delimiter: what stands between two cells.
        positions: role of a column -> its index.
        header: whether the first line holds names.
        width: how many cells a line has as a rule, never fewer than a row needs.
        most: how many of a line's cells may hold something: as many as the header has names, or
            as many as lines have as a rule. One more is an unquoted delimiter within a cell, and
            nobody knows in which. 0: any number.
    """

    delimiter: str
    positions: Mapping[str, int]
    header: bool
    width: int
    most: int = 0

    def surplus_of(self, cells: Sequence[str]) -> str:
        """Say that a line has more cells than the header names, as the end of a sentence.

        Returns:
            An empty text if it has not, or if the cells beyond are empty.
        """
        if not self.most or len(cells) <= self.most:
            return ""
        return surplus_of(cells, self.most, header=self.header)


class Record(NamedTuple):
    """One row of a file: its first line's number, its text as written, its cells.

    ``cells`` is None if a quotation mark opens a cell and nothing closes it soon enough.
    """

    line: int
    text: str
    cells: list[str] | None


def surplus_of(cells: Sequence[str], most: int, *, header: bool) -> str:
    """Say that a line has more cells than there are columns; see `Layout.surplus_of`."""
    if not any(cell.strip() for cell in cells[most:]):
        return ""
    told = f"the header names {most}" if header else f"the file's lines have {most}"
    return f"has {len(cells)} fields, and {told}: a separator within a cell needs quotation marks"


def has_row_names(names: Sequence[str], rows: Sequence[Sequence[str]], number_at: int) -> bool:
    """Whether rows begin with a cell that the header has no name for, as R writes row names.

    A decimal comma where commas separate makes rows of one cell too many as well. So the first
    cells are taken for row names only if they count the rows, or if the column of numbers holds
    none where the header has it, and holds them one further.

    Args:
        names: the header's cells.
        rows: cells of the first rows.
        number_at: which of the names is a column of numbers.
    """
    if not has_one_more(names, rows):
        return False
    here, next_to_it = ([row[at].strip() for row in rows] for at in (number_at, number_at + 1))
    if not all(map(_PLAIN_NUMBER.fullmatch, next_to_it)):
        return False
    if not any(map(_PLAIN_NUMBER.fullmatch, here)):
        return True
    # Users 1, 2, 3 with ratings like 4,5 look the same: then neither is said.
    split = (f"{one},{other}" for one, other in zip(here, next_to_it, strict=True))
    return first_cells_count(rows) and not all(map(_MAY_BE_SPLIT.fullmatch, split))


def has_one_more(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether every row has one cell more than there are names, and not an empty one at its end."""
    return (
        bool(rows)
        and all(len(row) == len(names) + 1 for row in rows)
        and any(row[-1].strip() for row in rows)
    )


def first_cells_count(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the rows' first cells are 0, 1, 2 and so on, or 1, 2, 3."""
    counts = [row[0].strip() for row in rows]
    return any(counts == [str(first + at) for at in range(len(rows))] for first in (0, 1))


def normalised(name: str) -> str:
    """Reduce a column name to its letters and digits: ``User-ID`` and ``user_id`` are one."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def find_columns(names: Sequence[str], spellings: Spellings) -> dict[str, int]:
    """Find which column plays which role, by the names in a header.

    Returns:
        Role -> index, for the roles that a name was found for. Of two names for one role the
        more telling wins; of two equal names, the first.
    """
    plain = [normalised(name) for name in names]
    found: dict[str, int] = {}
    for role, candidates in spellings.items():
        index = next((plain.index(name) for name in candidates if name in plain), None)
        if index is not None:
            found[role] = index
    return found


def cells_of(line: str, delimiter: str) -> list[str]:
    """Split one line; a quotation mark that is not closed ends with the line."""
    if '"' not in line or len(delimiter) > 1:
        return line.split(delimiter)
    cells, _ = _read_quoted([line], delimiter)
    return cells or line.split(delimiter)


class Records:
    """Splits lines into rows of cells; blank lines are passed over.

    A cell in quotation marks may hold the delimiter and go over several lines.

    Attributes:
        unread: after the iteration, the index of the first line that belongs to a row whose
            quotation marks are still open; the number of lines if there is none.
    """

    def __init__(
        self,
        lines: Sequence[str],
        delimiter: str,
        first_line: int,
        *,
        more_follow: bool = False,
        is_row: Callable[[str], bool] | None = None,
    ) -> None:
        """Look at lines.

        Args:
            lines: without their line ends.
            delimiter: one of `DELIMITERS`; quotation marks mean nothing beside ``::``.
            first_line: the number of ``lines[0]``.
            more_follow: whether a row that is open at the end may be closed by later lines.
            is_row: whether a line is a row by itself. Such a line is never part of another one:
                a stray quotation mark would take all rows up to the next one with it.
        """
        self._lines, self._delimiter, self._first_line = lines, delimiter, first_line
        self._more_follow, self._is_row = more_follow, is_row
        self.unread = 0

    def __iter__(self) -> Iterator[Record]:
        lines, delimiter = self._lines, self._delimiter
        quotable = len(delimiter) == 1
        while self.unread < len(lines):
            text = lines[self.unread]
            number, taken = self._first_line + self.unread, 1
            if quotable and '"' in text:
                cells, taken = _read_quoted([text], delimiter)
                if cells is None:
                    window, is_whole = self._window()
                    cells, taken = _read_quoted(window, delimiter)
                    if cells is None and self._more_follow and not is_whole:
                        return
                    text = "\n".join(window[:taken])
                self.unread += taken
                yield Record(number, text, cells)
                continue
            self.unread += taken
            if text and not text.isspace():
                yield Record(number, text, text.split(delimiter))

    def _window(self) -> tuple[Sequence[str], bool]:
        """The lines that the row at hand may go over, and whether later lines change nothing."""
        window = self._lines[self.unread : self.unread + MAX_LINES_OF_A_RECORD]
        if self._is_row is not None:
            for place, line in enumerate(window[1:], 1):
                if self._is_row(line):
                    return window[:place], True
        return window, len(window) == MAX_LINES_OF_A_RECORD


def records(lines: Sequence[str], delimiter: str, first_line: int) -> Iterator[Record]:
    """Split all the lines there are into rows of cells, as `Records` does."""
    return iter(Records(lines, delimiter, first_line))


def _read_quoted(lines: Sequence[str], delimiter: str) -> tuple[list[str] | None, int]:
    """Read the first record of the lines, and say how many of them it takes.

    One that goes over several lines must quote as it should, nothing but a delimiter or the line's
    end after a closing mark: else a stray mark would end at another row's opening one, and take
    the rows between with it.

    Returns:
        ``(None, 1)`` if the record is still open when the lines end, or does not quote so.
    """
    # A line of our own after the last one: a reader that needs it was still within quotes.
    ended = [line + "\n" for line in lines]
    ended.append("\n")
    strict = len(lines) > 1
    reader = csv.reader(ended, delimiter=delimiter, skipinitialspace=True, strict=strict)
    try:
        cells = next(reader)
    except csv.Error:  # a cell longer than the module allows, or a bare carriage return
        return None, 1
    if reader.line_num > len(lines):
        return None, 1
    return cells, reader.line_num
