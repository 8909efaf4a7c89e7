"""How a text file without ratings is written: pairs of user and item, and what is told of them."""

from collections import Counter
from collections.abc import Mapping, Sequence

from recommender.errors import MalformedRatingsError
from recommender.formats.delimited import DELIMITERS, Layout
from recommender.formats.moments import SECOND
from recommender.ratings.detection.layouts import layout_of
from recommender.ratings.detection.samples import Sample, is_number, may_be_ratings
from recommender.ratings.form import RatingForm
from recommender.ratings.table import EXPECTED_OF_INTERACTIONS, INTERACTION_COLUMNS
from recommender.ratings.times import TimeForm, read_time

_EARLIEST_TIME = 100_000_000 * SECOND
"""In 1973. A smaller number is rather a count."""


def by_header(sample: Sample, form: RatingForm) -> Layout | None:
    """Read the columns from the first line, if it names user and item.

    Where it is not known that there are no ratings, a line that holds a number is no header, and a
    column of few distinct numbers that we have no name for may hold ratings: ours may be damaged.
    """
    if form.has_positions:
        return None
    for delimiter in (form.separator,) if form.separator else DELIMITERS:
        cells = form.split(sample[0][1], delimiter)
        found = form.find_interactions(cells)
        if not all(role in found for role in form.needed_interactions):
            continue
        if form.is_implicit or not (
            any(map(is_number, cells)) or _may_hide_ratings(sample, delimiter, found, form)
        ):
            return layout_of(sample, delimiter, found, INTERACTION_COLUMNS, form, header=True)
    return None


def detect_interactions(key: str, sample: Sample, form: RatingForm) -> Layout:
    """Tell the delimiter and the columns of a file that is known to hold no ratings.

    Without a header the columns are user and item. A third one is the time if it looks like one,
    else the count; a fourth is the time if it looks like one.

    Raises:
        MalformedRatingsError: no delimiter makes a table of the lines, or the header names no
            user or no item.
    """
    found = by_header(sample, form)
    if found is not None:
        return found
    line, first = sample[0]
    delimiters = (form.separator,) if form.separator else DELIMITERS
    positions = _given_positions(form)
    needed = 1 + max(at for role, at in positions.items() if role != "timestamp")
    delimiter = max(delimiters, key=lambda one: _alike(sample, one, needed, form))
    cells = [cell.strip() for cell in form.split(first, delimiter)]
    header = _is_header(sample, cells, form, delimiter)
    if form.names or (header and not form.has_positions):
        names = form.find_interactions(cells)
        missing = " and no ".join(one for one in form.needed_interactions if one not in names)
        shown = ", ".join(repr(cell[:40]) for cell in cells[:10])
        raise MalformedRatingsError(
            key,
            line,
            f"the first line names no {missing}: it says {shown}. Without ratings, columns are "
            f"called {EXPECTED_OF_INTERACTIONS}; `columns` in config.json says which is which",
        )
    if not _alike(sample, delimiter, needed, form):
        raise MalformedRatingsError(
            key,
            line,
            "this is not a table of users and items: "
            + (
                f"the separator {form.separator!r} of config.json does not split"
                if form.separator
                else "no tab, '::', comma, semicolon or '|' splits"
            )
            + f" its lines into {EXPECTED_OF_INTERACTIONS}",
        )
    rows = [form.split(text, delimiter) for _, text in sample[1 if header else 0 :]]
    if form.may_tell_more:
        _add_third_and_fourth(positions, rows, form)
    required = [role for role in positions if role != "timestamp"]
    return layout_of(sample, delimiter, positions, required, form, header=header)


def _given_positions(form: RatingForm) -> dict[str, int]:
    """Where the columns stand that are given by number; user and item come first among others."""
    positions = form.numbers
    taken = set(positions.values())
    free = (at for at in range(len(taken) + len(INTERACTION_COLUMNS)) if at not in taken)
    for role in INTERACTION_COLUMNS:
        if role not in positions:
            positions[role] = next(free)
    if "rating" in positions:
        positions.setdefault("count", positions.pop("rating"))
    return form.without_idle(positions)


def _add_third_and_fourth(
    positions: dict[str, int], rows: Sequence[Sequence[str]], form: RatingForm
) -> None:
    """Find the role of the columns behind user and item by what most rows hold there."""
    taken = set(positions.values())
    for at in (2, 3):
        column = [row[at] for row in rows if len(row) > at]
        if at in taken or "timestamp" in positions or len(column) * 2 <= len(rows):
            continue
        if sum(map(_is_time, column)) * 2 > len(column):
            positions["timestamp"] = at
        elif at == 2 and "count" not in positions and not form.has_positions:
            positions["count"] = at


def _may_hide_ratings(
    sample: Sample, delimiter: str, found: Mapping[str, int], form: RatingForm
) -> bool:
    """Whether a column that plays no role may hold ratings, where no count or event is named."""
    if "count" in found or "event" in found:
        return False
    rows = [form.split(text, delimiter) for _, text in sample[1:]]
    others = set(range(max(map(len, rows), default=0))) - set(found.values())
    columns = ([row[at] if len(row) > at else "" for row in rows] for at in others)
    return any(map(may_be_ratings, columns))


def _alike(sample: Sample, delimiter: str, needed: int, form: RatingForm) -> int:
    """How many lines have the most usual number of cells, if that is enough for a row."""
    widths = Counter(len(form.split(line, delimiter)) for _, line in sample)
    return max((count for width, count in widths.items() if width >= needed), default=0)


def _is_header(sample: Sample, cells: Sequence[str], form: RatingForm, delimiter: str) -> bool:
    """Whether the first line names columns: it knows one of ours, or has no digit as others do."""
    if any(map(is_number, cells)):
        return False
    if form.find_interactions(cells):
        return True
    rest = [text for _, text in sample[1:]]
    has_digits = [any(map(str.isdigit, text)) for text in rest]
    return bool(rest) and all(has_digits) and not any(map(str.isdigit, delimiter.join(cells)))


def _is_time(cell: str) -> bool:
    time = read_time(cell, TimeForm(of_digits=True)).nanoseconds
    return time >= 0 and (time >= _EARLIEST_TIME or not is_number(cell))
