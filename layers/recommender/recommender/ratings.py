"""Rating files: find out how one is written, read its rows, refuse what is not ratings."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from recommender.delimited import DELIMITERS, Layout, cells_of, find_columns
from recommender.errors import MalformedRatingsError
from recommender.rating_blocks import read_alike_rows
from recommender.rating_rows import lines_of, read_delimited, read_json_lines
from recommender.rating_table import (
    ALWAYS_ALLOWED_REJECTS,
    COLUMN_NAMES,
    EXPECTED,
    REQUIRED_COLUMNS,
    Ratings,
    RatingsBuilder,
    Reject,
    read_rating,
)
from recommender.uploads import text_of

__all__ = ["Ratings", "Reject", "parse_ratings"]

_SAMPLE_BYTES = 256 << 10
_SAMPLE_LINES = 100
_BLOCK_BYTES = 4 << 20  # enough rows to make numpy worth its calls, few enough to stay in memory

_WITHOUT_HEADER = {"user": 0, "item": 1, "rating": 2, "timestamp": 3}


def parse_ratings(key: str, data: bytes, reject_limit: float) -> tuple[Ratings, list[Reject]]:
    """Read a file of ratings, whatever its format.

    Delimited text (tab, ``::``, comma, semicolon, pipe) with a header in any column order, or
    without one as user, item, rating and perhaps timestamp; or JSON Lines. Gzip is undone.

    Args:
        key: the file's key, for messages.
        data: the file's bytes.
        reject_limit: largest share of rows that may be unusable, 0 to 1; ten always may.

    Returns:
        The usable rows in file order, and the others with their reasons. Blank lines are neither.

    Raises:
        MalformedRatingsError: this is not a file of ratings, none of its rows can be used, or
            more of them than the limit cannot.
    """
    refuse = partial(MalformedRatingsError, key)
    text = text_of(data, refuse)
    builder = RatingsBuilder(key, text.count(b"\n") + 1, reject_limit)
    sample = _sample(text)
    if not sample:
        raise refuse(1, "the file begins with nothing but blank lines")
    if sample[0][1].lstrip().startswith("{"):
        for first_line, block in _blocks(text, 0, 1):
            read_json_lines(block, first_line, builder)
    else:
        _read_table(text, _detect_layout(key, sample), sample[0][0], builder)
    ratings = builder.finish()
    _check_rejects(key, len(ratings), builder, reject_limit)
    return ratings, builder.rejects


def _sample(text: bytes) -> list[tuple[int, str]]:
    """The first lines that are not blank, with their numbers."""
    head = text[:_SAMPLE_BYTES]
    lines, _ = lines_of(head)
    if len(head) < len(text) and len(lines) > 1:
        lines.pop()  # cut off by the end of the sample
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line and not line.isspace()]
    return numbered[:_SAMPLE_LINES]


def _detect_layout(key: str, sample: Sequence[tuple[int, str]]) -> Layout:
    """Tell the delimiter and the columns from the first lines.

    Raises:
        MalformedRatingsError: no delimiter makes a table of them, or the header names no user, no
            item or no rating.
    """
    first_line, first_text = sample[0]
    headers = {
        delimiter: find_columns(cells_of(first_text, delimiter), COLUMN_NAMES)
        for delimiter in DELIMITERS
    }
    for delimiter, found in headers.items():
        if all(role in found for role in REQUIRED_COLUMNS):
            return Layout(delimiter, found, header=True)
    evidence = {delimiter: _evidence(sample, delimiter) for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda candidate: evidence[candidate])
    _refuse_unknown_header(key, first_line, first_text, delimiter, headers)
    if evidence[delimiter] == (0, 0):
        raise MalformedRatingsError(
            key,
            first_line,
            "this is not a table of ratings: no tab, '::', comma, semicolon or '|' splits its "
            f"lines into {EXPECTED}",
        )
    return Layout(delimiter, _WITHOUT_HEADER, header=False)


def _evidence(sample: Sequence[tuple[int, str]], delimiter: str) -> tuple[int, int]:
    """How many lines a delimiter turns into ratings, and how many into three cells or more."""
    rows = [cells_of(line, delimiter) for _, line in sample]
    wide = [cells for cells in rows if len(cells) >= len(REQUIRED_COLUMNS)]
    return sum(_is_rating(cells[2]) for cells in wide), len(wide)


def _is_rating(cell: str) -> bool:
    try:
        read_rating(cell)
    except ValueError:
        return False
    return True


def _refuse_unknown_header(
    key: str, line: int, text: str, delimiter: str, headers: Mapping[str, Mapping[str, int]]
) -> None:
    """Refuse to guess which column is which where the first line names columns, but not ours."""
    telling = max(DELIMITERS, key=lambda candidate: len(headers[candidate]))
    surely_header = len(headers[telling]) > 1
    if surely_header:
        delimiter = telling
    cells = [cell.strip() for cell in cells_of(text, delimiter)]
    if any(_is_rating(cell) for cell in cells):
        return
    if not surely_header and (len(cells) < len(REQUIRED_COLUMNS) or "" in cells):
        return
    missing = [role for role in REQUIRED_COLUMNS if role not in headers[delimiter]]
    names = ", ".join(repr(cell[:40]) for cell in cells[:10])
    raise MalformedRatingsError(
        key,
        line,
        f"the first line looks like a header, but names no {' and no '.join(missing)}: it says "
        f"{names}. Columns are called {EXPECTED}; without a header they stand in that order",
    )


def _read_table(text: bytes, layout: Layout, first_line: int, builder: RatingsBuilder) -> None:
    """Read delimited rows; ``first_line`` is the first that is not blank, perhaps a header."""
    start, line = 0, 1
    if layout.header:
        for _ in range(first_line):
            start = text.find(b"\n", start) + 1 or len(text)
        line += first_line
    if b'"' in text and len(layout.delimiter) == 1:
        # A quoted cell may go over the end of any block.
        read_delimited(text[start:], layout, line, builder)
        return
    for number, block in _blocks(text, start, line):
        if not read_alike_rows(block, layout, number, builder):
            read_delimited(block, layout, number, builder)


def _blocks(text: bytes, start: int, line: int) -> Iterator[tuple[int, bytes]]:
    """Cut text from ``start`` on into blocks of whole lines, each with its first line's number."""
    while start < len(text):
        end = text.rfind(b"\n", start, start + _BLOCK_BYTES) + 1
        if not end:
            end = text.find(b"\n", start + _BLOCK_BYTES) + 1 or len(text)
        if start + _BLOCK_BYTES >= len(text):
            end = len(text)
        block = text[start:end]
        yield line, block
        line += block.count(b"\n")
        start = end


def _check_rejects(key: str, usable: int, builder: RatingsBuilder, reject_limit: float) -> None:
    rejected = builder.rejected
    if not rejected and not usable:
        raise MalformedRatingsError(key, 1, "the file has a header, but no rows")
    rows = usable + rejected
    if usable and rejected <= max(ALWAYS_ALLOWED_REJECTS, reject_limit * rows):
        return
    first = builder.rejects[0]
    help_with_all = ""
    if not usable:
        many = f"none of the {rows:,} rows can be used" if rows > 1 else "the only row is unusable"
        help_with_all = f". A row holds {EXPECTED}, in this order unless a header names them"
    else:
        many = (
            f"{rejected:,} of {rows:,} rows cannot be used, more than "
            f"{max(ALWAYS_ALLOWED_REJECTS, int(reject_limit * rows)):,} "
            f"(the limit is {reject_limit:.0%})"
        )
    raise MalformedRatingsError(
        key, first.line, f"{many}; this first one {first.reason}{help_with_all}"
    )
