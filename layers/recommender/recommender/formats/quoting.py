"""A line's way into cells: what quotation marks mean, and cells that go over several lines."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple


class Quoting(NamedTuple):
    """What quotation marks mean.

    Attributes:
        mark: what stands around a cell; empty if nothing does.
        escape: what stands before a mark within a quoted cell: another mark, or a character of
            its own.
    """

    mark: str
    escape: str

    @property
    def has_escapes(self) -> bool:
        """Whether marks within cells are not simply doubled."""
        return self.escape != self.mark

    def __str__(self) -> str:
        """For people."""
        if not self.mark:
            return "none"
        within = f"{self.escape} before it" if self.has_escapes else "doubled"
        return f"{self.mark} ({within} within a cell)"


DOUBLED = Quoting('"', '"')
"""RFC 4180: a mark within a quoted cell is written twice."""
BACKSLASH = Quoting('"', "\\")
"""A mark within a quoted cell has a backslash before it, as Spark and Hadoop write by default."""
LITERAL = Quoting("", "")
"""A mark is a character as any other."""

MOST_BYTES_OF_A_CELL = 8 << 20

csv.field_size_limit(MOST_BYTES_OF_A_CELL)


class Record(NamedTuple):
    """One row of a file: its first line's number, its text as written, its cells.

    ``cells`` is None if a quotation mark opens a cell and nothing closes it as it should.
    """

    line: int
    text: str
    cells: list[str] | None


class Records:
    """Splits lines into rows of cells; blank lines are passed over.

    A cell in quotation marks may hold the delimiter and go over any number of lines.

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
        quoting: Quoting = DOUBLED,
        comment: str = "",
        more_follow: bool = False,
        fits: Callable[[Sequence[str]], bool] | None = None,
    ) -> None:
        """Look at lines.

        Args:
            lines: without their line ends.
            delimiter: what stands between two cells; quotation marks mean nothing beside ``::``.
            first_line: the number of ``lines[0]``.
            quoting: what quotation marks mean.
            comment: what a line begins with that is none; such lines are passed over.
            more_follow: whether a row that is open at the end may be closed by later lines.
            fits: whether cells can be a row. Lines that make none together are rows each by
                itself: a stray quotation mark would take all up to the next one with it.
        """
        self._lines, self._delimiter, self._first_line = lines, delimiter, first_line
        self._quoting, self._comment = quoting, comment
        self._more_follow, self._fits = more_follow, fits
        self.unread = self._hopeless = 0

    def __iter__(self) -> Iterator[Record]:
        lines, delimiter = self._lines, self._delimiter
        mark = self._quoting.mark if len(delimiter) == 1 else ""
        comment = self._comment
        while self.unread < len(lines):
            text = lines[self.unread]
            number, taken = self._first_line + self.unread, 1
            if comment and text.startswith(comment):
                self.unread += 1
                continue
            if mark and mark in text:
                cells, _ = _read_quoted([text], delimiter, self._quoting)
                if cells is None and self.unread >= self._hopeless:
                    cells, taken = self._over_lines()
                    if taken > len(lines) - self.unread:
                        return
                    text = "\n".join(lines[self.unread : self.unread + taken])
                self.unread += taken
                yield Record(number, text, cells)
                continue
            self.unread += taken
            if text and not text.isspace():
                yield Record(number, text, text.split(delimiter))

    def _over_lines(self) -> tuple[list[str] | None, int]:
        """Read a record that goes over several lines, and say how many of them it takes.

        Returns:
            More lines than there are if it is open at their end and later ones may close it;
            ``(None, 1)`` if its first line is all there is of it.
        """
        rest = map(self._lines.__getitem__, range(self.unread, len(self._lines)))
        cells, taken = _read_quoted(rest, self._delimiter, self._quoting, strict=True)
        if taken > len(self._lines) - self.unread:
            if self._more_follow:
                return None, taken
            cells = None
        if cells is not None and (self._fits is None or self._fits(cells)):
            return cells, taken
        # A line before the place where this failed that opens a cell as well would come to the
        # same place in the same state. To follow each of them would take the square of the lines.
        self._hopeless = self.unread + taken - 1
        return None, 1


def records(
    lines: Sequence[str], delimiter: str, first_line: int, quoting: Quoting = DOUBLED
) -> Iterator[Record]:
    """Split all the lines there are into rows of cells, as `Records` does."""
    return iter(Records(lines, delimiter, first_line, quoting=quoting))


def cells_of(line: str, delimiter: str, quoting: Quoting = DOUBLED) -> list[str]:
    """Split one line; a quotation mark that is not closed ends with the line."""
    if not quoting.mark or quoting.mark not in line or len(delimiter) > 1:
        return line.split(delimiter)
    cells, _ = _read_quoted([line], delimiter, quoting)
    return cells or line.split(delimiter)


def detect_quoting(
    lines: Sequence[str], delimiter: str, mark: str | None = None, escape: str = ""
) -> Quoting:
    """Tell what quotation marks mean from the first lines of a file, as far as it is not said.

    That under which most lines belong to rows of the usual width. Marks are taken literally only
    between tabs, where programs write them so, if that is better and none stands around a cell.

    Args:
        lines: the file's first ones, without their line ends; the last may be within a cell.
        delimiter: what stands between two cells.
        mark: what stands around cells, if that is said; empty for nothing.
        escape: what stands before a mark within a cell, if that is said.
    """
    if mark == "":
        return LITERAL
    quote = mark or '"'
    if escape:
        return Quoting(quote, escape)
    doubled, backslash = Quoting(quote, quote), Quoting(quote, "\\")
    if len(delimiter) > 1 or not any(quote in line for line in lines):
        return doubled
    ways = [doubled]
    if any("\\" + quote in line for line in lines):
        ways.append(backslash)
    cells = (cell.strip() for line in lines for cell in line.split(delimiter))
    is_around = any(len(cell) > 1 and cell[0] == cell[-1] == quote for cell in cells)
    if delimiter == "\t" and mark is None and not is_around:
        ways.append(LITERAL)
    return max(ways, key=lambda way: _alike(lines, delimiter, way))


def _alike(lines: Sequence[str], delimiter: str, quoting: Quoting) -> tuple[int, int]:
    """How many lines belong to rows of the most usual width, less those of no row.

    Of ways that are alike in this, the one that leaves fewer lines with marks where none belong.
    """
    widths: Counter[int] = Counter()
    broken = odd = 0
    for record in Records(lines, delimiter, 1, quoting=quoting, more_follow=True):
        if record.cells is None:
            broken += 1
        else:
            widths[len(record.cells)] += record.text.count("\n") + 1
            if quoting.mark and quoting.mark in record.text:
                strict, _ = _read_quoted(record.text.split("\n"), delimiter, quoting, strict=True)
                odd += strict is None
    return max(widths.values(), default=0) - broken, -odd


def _read_quoted(
    lines: Iterable[str], delimiter: str, quoting: Quoting, *, strict: bool = False
) -> tuple[list[str] | None, int]:
    """Read the first record of the lines, and say how many of them it takes.

    Args:
        strict: allow nothing but a delimiter or the line's end after a closing mark. A record that
            goes over several lines must be such: else a stray mark would end at another row's
            opening one, and take the rows between with it.

    Returns:
        No cells if the record does not quote as it should, and the lines up to the place where it
        does not; one line more than there are if it is still open when they end.
    """
    if quoting.has_escapes:
        lines = map(_doubling(quoting), lines)
    ran_out = False

    def ended() -> Iterator[str]:
        # A line of our own after the last one: a reader that needs it was still within quotes.
        nonlocal ran_out
        for line in lines:
            yield line + "\n"
        ran_out = True
        yield "\n"

    reader = csv.reader(
        ended(),
        delimiter=delimiter,
        quotechar=quoting.mark,
        skipinitialspace=not delimiter.isspace(),
        strict=strict,
    )
    cells: list[str] | None
    try:
        cells = next(reader)
    except csv.Error:  # a cell longer than is allowed, or a bare carriage return
        cells = None
    if ran_out:
        return None, reader.line_num
    return cells, reader.line_num


def _doubling(quoting: Quoting) -> Callable[[str], str]:
    """What writes the marks of a line twice that have the escape before them."""
    mark, escape = quoting
    escaped = re.compile(f"{re.escape(escape)}([{re.escape(mark + escape)}])")
    return lambda line: escaped.sub(lambda one: mark * 2 if one[1] == mark else escape, line)
