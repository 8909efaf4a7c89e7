"""Rating files: find out how one is written, read its rows, refuse what is not ratings."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import chain

import numpy as np

from recommender.errors import MalformedRatingsError
from recommender.formats.delimited import DELIMITERS, Layout, cells_of
from recommender.formats.uploads import PARQUET_MAGIC, Refuse, peek, text_chunks, unzipped
from recommender.lookahead import ahead
from recommender.ratings.blocks import AlikeRows, add_alike_rows, read_alike_rows
from recommender.ratings.form import RatingForm
from recommender.ratings.identifiers import IdTable
from recommender.ratings.rows import lines_of, read_delimited, read_json_lines
from recommender.ratings.table import (
    ALWAYS_ALLOWED_REJECTS,
    EXPECTED,
    REQUIRED_COLUMNS,
    RatingRows,
    Ratings,
    RatingsBuilder,
    Reject,
    RejectLog,
    read_rating,
)

__all__ = ["Ratings", "Reject", "parse_ratings", "read_ratings"]

_SAMPLE_BYTES = 256 << 10
_SAMPLE_LINES = 100
_BLOCK_BYTES = 1 << 20  # enough rows to make numpy worth its calls, few enough to stay in cache
_MOST_BYTES_OF_A_LINE = 64 << 20
_SMALLEST_BLOCK = 16 << 10  # below this, rows one by one are as fast

_ANY_FORM = RatingForm()


def parse_ratings(key: str, data: bytes, reject_limit: float) -> tuple[Ratings, list[Reject]]:
    """Read a file of ratings that fits into memory; see `read_ratings`."""
    log, parts = RejectLog(), list[RatingRows]()
    users, items = IdTable("user"), IdTable("item")
    into = RatingsBuilder(key, users, items, parts.append, log)
    read_ratings(iter([data]), into, reject_limit)
    codes, others, values, timestamps, lines = (
        np.concatenate(column)
        for column in zip(
            *((p.users, p.items, p.values, p.timestamps, p.lines) for p in parts), strict=True
        )
    )
    found = Ratings(users.column(codes), items.column(others), values, timestamps, lines)
    return found, log.kept


def read_ratings(
    chunks: Iterator[bytes],
    into: RatingsBuilder,
    reject_limit: float,
    form: RatingForm = _ANY_FORM,
    threads: Executor | None = None,
) -> None:
    """Read a file of ratings as it streams in, whatever its format.

    Delimited text (tab, ``::``, comma, semicolon, pipe) with a header in any column order, or
    without one as user, item, rating and perhaps timestamp; JSON Lines; or Parquet. Gzip is undone.
    Blank lines are neither rows nor rejects.

    Args:
        chunks: the file's bytes, in pieces of any size.
        into: takes the usable rows in file order, and the others with their reasons.
        reject_limit: largest share of rows that may be unusable, 0 to 1; ten always may.
        form: what is known of the file's form beforehand.
        threads: read blocks ahead, two at a time or more.

    Raises:
        MalformedRatingsError: this is not a file of ratings, none of its rows can be used, or
            more of them than the limit cannot.
    """
    refuse = partial(MalformedRatingsError, into.key)
    magic, chunks = peek(unzipped(chunks, refuse), len(PARQUET_MAGIC))
    if magic.startswith(PARQUET_MAGIC):
        from recommender.ratings.parquet import read_parquet  # other files start sooner without it

        read_parquet(chunks, into, form)
    else:
        _read_text(_Blocks(text_chunks(chunks, refuse), refuse), into, form, threads)
    into.flush()
    _check_rejects(into, reject_limit)


def _read_text(
    blocks: "_Blocks", into: RatingsBuilder, form: RatingForm, threads: Executor | None
) -> None:
    head = blocks.head(_SAMPLE_BYTES)
    sample = _sample(head, whole=len(head) < _SAMPLE_BYTES)
    if not sample:
        raise MalformedRatingsError(into.key, 1, "the file begins with nothing but blank lines")
    if sample[0][1].lstrip().startswith("{") and not form.separator:
        _read_json(blocks, form, into)
    else:
        layout = _detect_layout(into.key, sample, form)
        if layout.header:
            blocks.skip_lines(sample[0][0])
        _TableReader(layout, into, threads).read(blocks)


class _Blocks:
    """Cuts a stream of text into blocks of whole lines."""

    def __init__(self, chunks: Iterator[bytes], refuse: Refuse) -> None:
        self._chunks, self._refuse = chunks, refuse
        self._ahead: list[bytes] = []
        self.line = 1  # number of the first line that is still to come

    def head(self, size: int) -> bytes:
        """Look at the first bytes, without taking them."""
        length = sum(map(len, self._ahead))
        for chunk in self._chunks if length < size else ():
            self._ahead.append(chunk)
            length += len(chunk)
            if length >= size:
                break
        self._ahead = [b"".join(self._ahead)]
        return self._ahead[0]

    def skip_lines(self, count: int) -> None:
        """Pass over lines that the head holds."""
        head, start = self._ahead[0], 0
        for _ in range(count):
            start = head.find(b"\n", start) + 1 or len(head)
        self._ahead[0] = head[start:]
        self.line += count

    def __iter__(self) -> Iterator[bytes]:
        pending: list[bytes] = []
        length = 0
        for chunk in chain(self._ahead, self._chunks):
            pending.append(chunk)
            length += len(chunk)
            if length < _BLOCK_BYTES or b"\n" not in chunk:
                if length > _MOST_BYTES_OF_A_LINE:
                    raise self._refuse(1, f"a line is longer than {_MOST_BYTES_OF_A_LINE:,} bytes")
                continue
            text = pending[0] if len(pending) == 1 else b"".join(pending)
            start = 0
            while len(text) - start >= _BLOCK_BYTES:
                end = text.rfind(b"\n", start, start + _BLOCK_BYTES) + 1
                end = end or text.find(b"\n", start + _BLOCK_BYTES) + 1
                if not end:
                    break
                yield text[start:end]
                start = end
            pending = [text[start:]]
            length = len(pending[0])
        rest = b"".join(pending)
        start = 0
        while start < len(rest):
            end = rest.rfind(b"\n", start, start + _BLOCK_BYTES) + 1
            if len(rest) - start <= _BLOCK_BYTES or not end:
                end = len(rest)
            yield rest[start:end]
            start = end


class _TableReader:
    """Reads delimited rows, block by block: alike ones fast, all others with care."""

    def __init__(self, layout: Layout, into: RatingsBuilder, threads: Executor | None) -> None:
        self._layout, self._into, self._threads = layout, into, threads
        self._open = b""  # lines whose quotation mark may be closed by the next block
        self._line = 1

    def read(self, blocks: _Blocks) -> None:
        """Read all rows."""
        self._line = blocks.line
        for block, rows in ahead(self._alike, blocks, self._threads):
            self._add(block, rows, more_follow=True)
        if self._open:
            block, self._open = self._open, b""
            read_delimited(block, self._layout, self._line, self._into)

    def _alike(self, block: bytes) -> AlikeRows | None:
        return read_alike_rows(block, self._layout, self._into.numbers)

    def _add(self, block: bytes, rows: AlikeRows | None, *, more_follow: bool) -> None:
        was_open = bool(self._open)
        if was_open:
            block, rows = self._open + block, None
            self._open = b""
        before = self._into.rows
        if rows is not None and add_alike_rows(rows, self._line, self._into):
            self._line += self._into.rows - before
            return
        half = block.find(b"\n", len(block) // 2) + 1
        if len(block) > _SMALLEST_BLOCK and 0 < half < len(block) and not was_open:
            # One bad row must not slow the thousands around it down. Half of a block that stayed
            # open would stay open again.
            for part in (block[:half], block[half:]):
                self._add(part, self._alike(part), more_follow=more_follow)
            return
        lines = count_lines(block)
        left = read_delimited(block, self._layout, self._line, self._into, more_follow=more_follow)
        self._into.flush()
        self._line += lines - left
        if left:
            self._open = b"".join(block.splitlines(keepends=True)[-left:])


def count_lines(block: bytes) -> int:
    """How many lines a block has, an unended one included."""
    return block.count(b"\n") + (not block.endswith(b"\n"))


def _read_json(blocks: _Blocks, form: RatingForm, into: RatingsBuilder) -> None:
    line = 1
    for block in blocks:
        read_json_lines(block, line, into, form)
        into.flush()
        line += count_lines(block)


def _sample(head: bytes, *, whole: bool) -> list[tuple[int, str]]:
    """The first lines that are not blank, with their numbers."""
    lines, _ = lines_of(head[:_SAMPLE_BYTES])
    if not (whole or head.endswith(b"\n")) and len(lines) > 1:
        lines.pop()  # cut off by the end of the sample
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line and not line.isspace()]
    return numbered[:_SAMPLE_LINES]


def _detect_layout(key: str, sample: Sequence[tuple[int, str]], form: RatingForm) -> Layout:
    """Tell the delimiter and the columns from the first lines, as far as they are not given.

    Raises:
        MalformedRatingsError: no delimiter makes a table of them, or the header names no user, no
            item or no rating.
    """
    first_line, first_text = sample[0]
    delimiters = (form.separator,) if form.separator else DELIMITERS

    def layout(delimiter: str, positions: Mapping[str, int], *, header: bool) -> Layout:
        widths = Counter(len(cells_of(line, delimiter)) for _, line in sample)
        # Most lines of a damaged file may be too short for a row.
        needed = 1 + max(positions[role] for role in REQUIRED_COLUMNS)
        width = max(widths.most_common(1)[0][0], needed)
        return Layout(delimiter, positions, header, width)

    headers = {d: form.find_columns(cells_of(first_text, d)) for d in delimiters}
    if not form.has_positions:
        for delimiter, found in headers.items():
            if all(role in found for role in REQUIRED_COLUMNS):
                return layout(delimiter, found, header=True)
    positions = form.positions
    evidence = {delimiter: _evidence(sample, delimiter, positions) for delimiter in delimiters}
    delimiter = max(delimiters, key=lambda candidate: evidence[candidate])
    if form.names:
        raise _missing_names(key, first_line, cells_of(first_text, delimiter), form)
    if form.has_positions:
        cells = cells_of(first_text, delimiter)
        header = not any(_is_rating(cell) for cell in cells) and len(sample) > 1
        return layout(delimiter, positions, header=header)
    ratings_follow = evidence[delimiter][0] > 0
    _refuse_unknown_header(key, sample[0], delimiter, headers, ratings_follow=ratings_follow)
    if evidence[delimiter] == (0, 0):
        splits = (
            f"the separator {form.separator!r} of config.json does not split"
            if form.separator
            else "no tab, '::', comma, semicolon or '|' splits"
        )
        raise MalformedRatingsError(
            key, first_line, f"this is not a table of ratings: {splits} its lines into {EXPECTED}"
        )
    return layout(delimiter, positions, header=False)


def _missing_names(
    key: str, line: int, cells: Sequence[str], form: RatingForm
) -> MalformedRatingsError:
    plain = [cell.strip() for cell in cells]
    missing = [f"{name!r} for {role}" for role, name in form.names.items() if name not in plain]
    missing += [role for role in REQUIRED_COLUMNS if role not in form.find_columns(cells)]
    return MalformedRatingsError(
        key,
        line,
        f"config.json expects a column {', '.join(dict.fromkeys(missing))}, and the first line "
        "says " + ", ".join(repr(cell[:40]) for cell in plain[:10]),
    )


def _evidence(
    sample: Sequence[tuple[int, str]], delimiter: str, positions: Mapping[str, int]
) -> tuple[int, int]:
    """How many lines a delimiter turns into ratings, and how many into enough cells."""
    needed = 1 + max(positions[role] for role in REQUIRED_COLUMNS)
    rows = [cells_of(line, delimiter) for _, line in sample]
    wide = [cells for cells in rows if len(cells) >= needed]
    return sum(_is_rating(cells[positions["rating"]]) for cells in wide), len(wide)


def _is_rating(cell: str) -> bool:
    try:
        read_rating(cell)
    except ValueError:
        return False
    return True


def _refuse_unknown_header(
    key: str,
    first: tuple[int, str],
    delimiter: str,
    headers: Mapping[str, Mapping[str, int]],
    *,
    ratings_follow: bool,
) -> None:
    """Refuse to guess which column is which where the first line names columns, but not ours.

    A damaged header is no row to reject: the order of the columns is lost with it, and another
    order would make other ratings of good rows.
    """
    line, text = first
    telling = max(headers, key=lambda candidate: len(headers[candidate]))
    known = len(headers[telling])
    if known > 1:
        delimiter = telling
    cells = [cell.strip() for cell in cells_of(text, delimiter)]
    rating_at = REQUIRED_COLUMNS.index("rating")
    is_row = len(cells) > rating_at and _is_rating(cells[rating_at])
    is_header = known > 1 or (known == 1 and not is_row)
    if ratings_follow and not is_row:
        is_header |= any(map(str.isalpha, text)) and not any(map(str.isdigit, text))
    if not is_header and (
        any(map(_is_rating, cells)) or len(cells) < len(REQUIRED_COLUMNS) or "" in cells
    ):
        return
    missing = [role for role in REQUIRED_COLUMNS if role not in headers[delimiter]]
    names = ", ".join(repr(cell[:40]) for cell in cells[:10])
    raise MalformedRatingsError(
        key,
        line,
        f"the first line looks like a header, but names no {' and no '.join(missing)}: it says "
        f"{names}. Columns are called {EXPECTED}; without a header they stand in that order; "
        "`columns` in config.json says which is which",
    )


def _check_rejects(into: RatingsBuilder, reject_limit: float) -> None:
    key, usable, rejected = into.key, into.rows, into.rejected
    first = into.first_reject
    if first is None:
        if not usable:
            raise MalformedRatingsError(key, 1, "the file has a header, but no rows")
        return
    rows = usable + rejected
    if usable and rejected <= max(ALWAYS_ALLOWED_REJECTS, reject_limit * rows):
        return
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
