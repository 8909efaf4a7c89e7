"""Rating files: find out how one is written, read its rows, refuse what is not ratings."""

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial

from recommender.errors import MalformedRatingsError
from recommender.formats.compression import peek, unpacked
from recommender.formats.delimited import Layout
from recommender.formats.lines import Blocks, count_lines
from recommender.formats.quoting import MOST_BYTES_OF_A_CELL, cells_of
from recommender.formats.uploads import PARQUET_MAGIC, encoding_of, text_chunks
from recommender.lookahead import ahead
from recommender.ratings.blocks import AlikeRows, add_alike_rows, read_alike_rows
from recommender.ratings.detection.explicit import detect_layout
from recommender.ratings.detection.kinds import ONE_KIND, understand
from recommender.ratings.detection.samples import SAMPLE_BYTES, sample_of
from recommender.ratings.detection.tables import find_table
from recommender.ratings.detection.times import time_form_of_json, time_form_of_table
from recommender.ratings.feedback import EXPLICIT, IMPLICIT
from recommender.ratings.form import RatingForm
from recommender.ratings.rows import json_feedback, read_delimited, read_json_lines
from recommender.ratings.table import (
    ALWAYS_ALLOWED_REJECTS,
    EXPECTED,
    EXPECTED_OF_INTERACTIONS,
    RatingsBuilder,
)

_SMALLEST_BLOCK = 16 << 10  # below this, rows one by one are as fast

_ANY_FORM = RatingForm()


def read_ratings(
    chunks: Iterator[bytes],
    into: RatingsBuilder,
    reject_limit: float,
    form: RatingForm = _ANY_FORM,
    threads: Executor | None = None,
) -> None:
    """Read a file of ratings as it streams in, whatever its format.

    Delimited text (tab, ``::``, comma, semicolon, pipe) with a header in any column order, or
    without one as user, item, rating and perhaps timestamp; JSON Lines; or Parquet; perhaps packed.
    Blank lines are neither rows nor rejects. A file whose columns have names, and none is a rating,
    tells what users did: see `RatingForm`. ``into.meaning`` says afterwards which kind it is.

    Args:
        chunks: the file's bytes, in pieces of any size.
        into: takes the usable rows in file order, and the others with their reasons.
        reject_limit: largest share of rows that may be unusable, 0 to 1; ten always may.
        form: what is known of the file's form beforehand.
        threads: read blocks ahead, two at a time or more.

    Raises:
        MalformedRatingsError: this is not a file of ratings, none of its rows can be used, or
            more of them than the limit cannot; or it holds no row, which the error then says.
    """
    refuse = partial(MalformedRatingsError, into.key)
    magic, chunks = peek(unpacked(chunks, refuse, into.account.note_packing), len(PARQUET_MAGIC))
    into.account.encoding = "" if magic.startswith(PARQUET_MAGIC) else encoding_of(magic)
    if magic.startswith(PARQUET_MAGIC):
        from recommender.ratings.parquet import read_parquet  # other files start sooner without it

        read_parquet(chunks, into, form)
    else:
        _read_text(Blocks(text_chunks(chunks, refuse), refuse), into, form, threads)
    into.flush()
    into.account.date_order = into.time_form.order
    _check_rejects(into, reject_limit)


def _read_text(
    blocks: "Blocks", into: RatingsBuilder, form: RatingForm, threads: Executor | None
) -> None:
    head = blocks.head(SAMPLE_BYTES)
    sample = sample_of(head, whole=len(head) < SAMPLE_BYTES)
    comment = form.writing.comment
    if comment:
        sample = [one for one in sample if not one[1].startswith(comment)] or sample
    if not sample:
        raise MalformedRatingsError(into.key, 1, "the file begins with nothing but blank lines")
    if sample[0][1].lstrip().startswith("{") and not form.separator:
        lines = [text for _, text in sample]
        understand(into, IMPLICIT if form.is_implicit else json_feedback(lines, form), form)
        into.account.format = "JSON Lines"
        into.time_form = time_form_of_json(head, form)
        _read_json(blocks, form, into)
    else:
        if b"\n" not in head[:SAMPLE_BYTES].lstrip() and len(head) >= SAMPLE_BYTES:
            told = f"its first line is longer than {SAMPLE_BYTES:,} bytes, as that of no table is"
            raise MalformedRatingsError(into.key, sample[0][0], told)
        table, form = find_table(into.key, sample, form)
        layout = detect_layout(into.key, table, form)
        understand(into, EXPLICIT if "rating" in layout.positions else IMPLICIT, form)
        names = cells_of(table[0][1], layout.delimiter, layout.quoting) if layout.header else []
        into.account.note_layout(layout, names, table[0][0] if layout.header else 0)
        into.time_form = time_form_of_table(head, table, layout, form)
        blocks.skip_lines(table[0][0] - (0 if layout.header else 1))
        _TableReader(layout, into, threads).read(blocks)
    into.account.windows_lines = blocks.foreign_lines


class _TableReader:
    """Reads delimited rows, block by block: alike ones fast, all others with care."""

    def __init__(self, layout: Layout, into: RatingsBuilder, threads: Executor | None) -> None:
        self._layout, self._into, self._threads = layout, into, threads
        self._open: list[bytes] = []  # lines whose quotation mark may be closed by the next block
        self._open_bytes = self._tried_bytes = 0
        self._line = 1

    def read(self, blocks: Blocks) -> None:
        """Read all rows."""
        self._line = blocks.line
        for block, rows in ahead(self._alike, blocks, self._threads):
            self._add(block, rows, more_follow=True)
        if self._open:
            read_delimited(b"".join(self._open), self._layout, self._line, self._into)

    def _alike(self, block: bytes) -> AlikeRows | None:
        return read_alike_rows(block, self._layout, self._into.numbers, self._into.time_form)

    def _add(self, block: bytes, rows: AlikeRows | None, *, more_follow: bool) -> None:
        was_open = bool(self._open)
        if was_open:
            self._open.append(block)
            self._open_bytes += len(block)
            if self._open_bytes < 2 * self._tried_bytes:
                return  # each try reads all again: as many bytes more make that linear
            block, rows = b"".join(self._open), None
            more_follow = more_follow and self._open_bytes < MOST_BYTES_OF_A_CELL
            self._open = []
        if rows is not None and add_alike_rows(rows, self._line, self._into):
            self._line += rows.timestamps.size
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
            at = len(block)
            for _ in range(left):
                at = block.rfind(b"\n", 0, at - 1) + 1
            self._open = [block[at:]]
            self._open_bytes = self._tried_bytes = len(block) - at


def _read_json(blocks: Blocks, form: RatingForm, into: RatingsBuilder) -> None:
    line = 1
    for block in blocks:
        read_json_lines(block, line, into, form)
        into.flush()
        line += count_lines(block)


def _check_rejects(into: RatingsBuilder, reject_limit: float) -> None:
    key, usable, rejected = into.key, into.rows, into.rejected
    first = into.first_reject
    usable += into.account.weightless + into.account.not_rated
    if first is None:
        if not usable:
            told = "the file has a header, but no rows"
            raise MalformedRatingsError(key, 1, told, has_no_rows=True)
        return
    rows = usable + rejected
    if usable and rejected <= max(ALWAYS_ALLOWED_REJECTS, reject_limit * rows):
        return
    help_with_all = ""
    if not usable:
        many = f"none of the {rows:,} rows can be used" if rows > 1 else "the only row is unusable"
        explicit = into.meaning.feedback == EXPLICIT
        expected = EXPECTED if explicit else EXPECTED_OF_INTERACTIONS
        help_with_all = f". A row holds {expected}, in this order unless a header names them"
        help_with_all += f". {ONE_KIND}" if first.reason == "has no rating" else ""
    else:
        many = (
            f"{rejected:,} of {rows:,} rows cannot be used, more than "
            f"{max(ALWAYS_ALLOWED_REJECTS, int(reject_limit * rows)):,} "
            f"(the limit is {reject_limit:.0%})"
        )
    raise MalformedRatingsError(
        key, first.line, f"{many}; this first one {first.reason}{help_with_all}"
    )
