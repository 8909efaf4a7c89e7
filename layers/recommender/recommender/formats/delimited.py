"""Delimited text: which delimiter, which column is what, and a line's way into cells."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

DELIMITERS = ("::", "\t", ",", ";", "|")

# An unclosed quotation mark must cost its own row, not the rest of the file.
MAX_LINES_OF_A_RECORD = 100

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
    """

    delimiter: str
    positions: Mapping[str, int]
    header: bool
    width: int


class Record(NamedTuple):
    """One row of a file: its first line's number, its text as written, its cells.

    ``cells`` is None if a quotation mark opens a cell and nothing closes it soon enough.
    """

    line: int
    text: str
    cells: list[str] | None


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
