"""How a file writes times where a single one does not say it: told from its first rows."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from recommender.formats.delimited import Layout
from recommender.formats.json_rows import json_object
from recommender.formats.lines import lines_of
from recommender.formats.moments import DateOrder, date_order_in, moment_of_digits
from recommender.formats.quoting import Records
from recommender.ratings.detection.samples import SAMPLE_BYTES, Sample
from recommender.ratings.form import RatingForm
from recommender.ratings.identifiers import NULL_WORDS
from recommender.ratings.times import TimeForm, share_of_times

_FIRST_ROWS = 100
_HALF = 0.5


def time_form_of(cells: Iterable[str], order: DateOrder = "") -> TimeForm:
    """Tell how times are written.

    A hundred cells tell whether digits are dates. Whether a day or a month comes first is told by
    any cell that can only be the one; where some can only be the one and some only the other,
    each stands for itself and the rest is not read.

    Args:
        cells: those of the first rows; no more are taken than are needed.
        order: what comes first where both may, if the settings say so.
    """
    filled = (cell.strip() for cell in cells)
    filled = (cell for cell in filled if cell and cell not in NULL_WORDS)
    first = list(islice(filled, _FIRST_ROWS))
    of_digits = bool(first) and all(map(moment_of_digits, first))
    if order or not any(date_order_in(cell) is not None for cell in first):
        return TimeForm(order, of_digits)
    orders = {date_order_in(cell) for cell in (*first, *filled)} - {"", None}
    decided = orders.pop() if len(orders) == 1 else None
    return TimeForm(decided or "", of_digits)


def telling_column(
    columns: Iterable[tuple[int, Sequence[str]]], order: DateOrder = ""
) -> int | None:
    """Find the first of some columns in which half of the cells are times.

    Args:
        columns: the place of each and its first cells, the most telling one first.
        order: what comes first in a date, if that is known.
    """
    for at, cells in columns:
        if cells and share_of_times(cells, order) >= _HALF:
            return at
    return None


def time_form_of_table(head: bytes, table: Sample, layout: Layout, form: RatingForm) -> TimeForm:
    """Tell how a table of text writes times.

    Args:
        head: the file's first bytes.
        table: its first lines from the table on.
        layout: how to read them.
        form: may say what comes first in a date.
    """
    at = layout.positions.get("timestamp")
    if at is None:
        return TimeForm(form.writing.date_order)
    if at < 0:
        return time_form_of([layout.constants[at]], form.writing.date_order)

    def cells() -> Iterator[str]:
        first = table[0][0] - 1 + layout.header
        for record in Records(
            lines_of(head[:SAMPLE_BYTES])[first:],
            layout.delimiter,
            first + 1,
            quoting=layout.quoting,
            comment=layout.comment,
            more_follow=True,
        ):
            if record.cells is not None and at < len(record.cells):
                yield record.cells[at]

    return time_form_of(cells(), form.writing.date_order)


def time_form_of_json(head: bytes, form: RatingForm) -> TimeForm:
    """Tell how JSON Lines write times; ``head`` is the file's first bytes."""

    def cells() -> Iterator[str]:
        for line in lines_of(head[:SAMPLE_BYTES]):
            try:
                row = json_object(line)
            except ValueError:  # no row, or one that is cut off
                continue
            names = list(row)
            pair = form.find_date_and_clock(names)
            at = pair[0] if pair else form.find_columns(names).get("timestamp")
            value = None if at is None else row[names[at]]
            if isinstance(value, str | int) and not isinstance(value, bool):
                yield str(value)

    return time_form_of(cells(), form.writing.date_order)
