"""A layout put together: how the lines of a file become cells, and which cell is what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from recommender.formats.delimited import Layout, has_row_names
from recommender.formats.moments import DAY, time_of_day_in
from recommender.formats.quoting import Records, cells_of, detect_quoting
from recommender.ratings.detection.samples import Sample
from recommender.ratings.detection.times import telling_column
from recommender.ratings.form import RatingForm
from recommender.ratings.times import TimeForm, read_time


def layout_of(
    sample: Sample,
    delimiter: str,
    positions: Mapping[str, int],
    required: Sequence[str],
    form: RatingForm,
    *,
    header: bool,
) -> Layout:
    """Put a layout together; its lines are as wide as most of the sample's are."""
    writing = form.writing
    texts = [line for _, line in sample]
    quoting = detect_quoting(texts, delimiter, writing.quote, writing.escape)
    found = Records(texts, delimiter, 1, quoting=quoting, comment=writing.comment, more_follow=True)
    rows = [one.cells for one in found if one.cells is not None]
    own = {role: at for role, at in positions.items() if at >= 0}
    # Most lines of a damaged file may be too short for a row.
    needed = 1 + max(own[role] for role in required if role in own)
    width = max(Counter(map(len, rows)).most_common(1)[0][0] if rows else 0, needed)
    if not header:
        most = max(width, *(at + 1 for at in own.values()))
        return _whole(Layout(delimiter, own, header, width, most, quoting), form, required)
    names = cells_of(texts[0], delimiter, quoting)
    while names and not names[-1].strip():
        names.pop()
    most = max(len(names), needed)
    number_at = own.get("rating", own.get("count"))
    if "timestamp" in own:
        own["timestamp"] = _time_column(names, rows[1:], own["timestamp"], form)
    own |= _clock_beside(names, rows[1:], own, form)
    if number_at is not None and has_row_names(names, rows[1:], number_at):
        own = {role: at + 1 for role, at in own.items()}
        most, width = most + 1, width + 1
    return _whole(Layout(delimiter, own, header, width, most, quoting), form, required)


def _whole(layout: Layout, form: RatingForm, required: Sequence[str]) -> Layout:
    """Add what the file's folder and the settings say."""
    positions = dict(layout.positions)
    for role, at in form.of_partitions(implicit="rating" not in required).items():
        if positions.get(role, layout.width) >= layout.width:  # none, or a usual place of no column
            positions[role] = at
    return replace(
        layout,
        positions=positions,
        comment=form.writing.comment,
        constants=tuple(form.partitions.values()),
    )


def _time_column(
    names: Sequence[str], rows: Sequence[Sequence[str]], usual: int, form: RatingForm
) -> int:
    """Find the first of the columns that are called times in which half of the rows have one."""
    candidates = form.time_columns(names)
    if len(candidates) < 2:
        return usual
    columns = ((at, [row[at] for row in rows if len(row) > at]) for at in candidates)
    found = telling_column(columns, form.writing.date_order)
    return usual if found is None else found


def _clock_beside(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    positions: Mapping[str, int],
    form: RatingForm,
) -> dict[str, int]:
    """Find a date and a time of day that stand in two columns: "timestamp" and "clock".

    Returns:
        Nothing if there are none, or if what a column holds is not what it is called.
    """
    found = form.find_date_and_clock(names)
    if found is None or positions.get("timestamp") not in found:
        return {}
    date_at, clock_at = found
    pairs = [(row[date_at], row[clock_at]) for row in rows if len(row) > max(found)]
    pairs = [(date, clock.strip()) for date, clock in pairs if date.strip() and clock.strip()]
    times = TimeForm(form.writing.date_order, of_digits=True)
    fit = sum(
        time_of_day_in(clock) is not None and read_time(date, times).nanoseconds % DAY == 0
        for date, clock in pairs
    )
    return {"timestamp": date_at, "clock": clock_at} if 2 * fit > len(pairs) else {}
