"""Rating rows one by one: every kind of row is understood or rejected with its reason."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from recommender.formats.delimited import Layout
from recommender.formats.json_rows import id_of, json_object, kind_of
from recommender.formats.lines import lines_of
from recommender.formats.moments import Moment, time_of_day_in, unwrapped
from recommender.formats.quoting import Records
from recommender.ratings.detection.samples import may_be_ratings
from recommender.ratings.feedback import EXPLICIT, IMPLICIT
from recommender.ratings.form import RatingForm
from recommender.ratings.table import (
    INTERACTION_COLUMNS,
    REQUIRED_COLUMNS,
    TIME_COLUMNS,
    RatingsBuilder,
)
from recommender.ratings.times import (
    NO_TIMESTAMP,
    TimeForm,
    read_date_and_clock,
    read_time,
)

_NO_COLUMN: Final = sys.maxsize
_NUL = "holds a NUL character (is the file UTF-16 without a byte order mark?)"


def read_delimited(
    block: bytes,
    layout: Layout,
    first_line: int,
    into: RatingsBuilder,
    *,
    more_follow: bool = False,
) -> int:
    """Read the rows of delimited text.

    Args:
        block: whole lines, without the header.
        layout: how to read them.
        first_line: number of the block's first line.
        into: takes the rows and the rejects.
        more_follow: whether more lines come after the block.

    Returns:
        How many lines at the end were not read: a quotation mark among them is still open, and a
        line that follows may close it.
    """
    lines = lines_of(block)
    has_nul = b"\0" in block
    known_users, known_items = into.users.known, into.items.known
    user_at, item_at = (layout.positions[role] for role in INTERACTION_COLUMNS)
    needed = 1 + max(at for role, at in layout.positions.items() if role not in TIME_COLUMNS)
    most = layout.most or _NO_COLUMN
    value_of, time_of = _value_reader(layout, into), _time_reader(layout, into)
    rows = Records(
        lines,
        layout.delimiter,
        first_line,
        quoting=layout.quoting,
        comment=layout.comment,
        more_follow=more_follow,
        fits=lambda cells: len(cells) >= needed and not layout.surplus_of(cells),
    )
    for record in rows:
        cells, text = record.cells, record.text
        if has_nul and "\0" in text:
            into.reject(record.line, _NUL, text)
            continue
        if cells is None:
            into.reject(record.line, "has quotation marks that do not pair up", text)
            continue
        if len(cells) < needed:
            found = f"{len(cells)} field" + ("s" if len(cells) > 1 else "")
            into.reject(record.line, f"has {found}, at least {needed} are needed", text)
            continue
        surplus = len(cells) > most and layout.surplus_of(cells)
        if surplus:
            into.reject(record.line, surplus, text)
            continue
        if layout.constants:
            cells = [*cells, *layout.constants]
        try:
            value = value_of(cells)
            user = known_users.get(cells[user_at])
            if user is None:
                user = into.users.add(cells[user_at])
            item = known_items.get(cells[item_at])
            if item is None:
                item = into.items.add(cells[item_at])
        except ValueError as problem:
            into.reject(record.line, str(problem), text)
            continue
        into.add(user, item, value, time_of(cells), record.line)
    return len(lines) - rows.unread


def _value_reader(layout: Layout, into: RatingsBuilder) -> Callable[[Sequence[str]], float]:
    """What reads a row's value: its rating, or its count times the weight of its event."""
    rating_at = layout.positions.get("rating", layout.positions.get("count"))
    event_at = layout.positions.get("event")
    if event_at is None:
        if rating_at is None:
            return lambda _: 1.0
        return lambda cells: into.value(cells[rating_at])
    weight = into.meaning.event_weight
    if rating_at is None:
        return lambda cells: weight(cells[event_at])
    return lambda cells: into.value(cells[rating_at]) * weight(cells[event_at])


def _time_reader(layout: Layout, into: RatingsBuilder) -> Callable[[Sequence[str]], int]:
    """What reads when a row was written, and counts how."""
    time_at = layout.positions.get("timestamp", _NO_COLUMN)
    clock_at = layout.positions.get("clock", _NO_COLUMN)
    form, account = into.time_form, into.times

    def read(cells: Sequence[str]) -> int:
        clock = cells[clock_at] if clock_at < len(cells) else ""
        time = cells[time_at] if time_at < len(cells) else ""
        moment = read_date_and_clock(time, clock, form) if clock else read_time(time, form)
        account.count(moment)
        return moment.nanoseconds

    return read


def read_json_lines(block: bytes, first_line: int, into: RatingsBuilder, form: RatingForm) -> None:
    """Read rows of JSON Lines; names may differ from row to row.

    Args:
        block: whole lines.
        first_line: number of the block's first line.
        into: takes the rows and the rejects.
        form: may name the columns.
    """
    columns: dict[tuple[str, ...], dict[str, str]] = {}
    comment = form.writing.comment
    for number, text in enumerate(lines_of(block), first_line):
        if not text or text.isspace() or (comment and text.startswith(comment)):
            continue
        if "\0" in text:
            into.reject(number, _NUL, text)
            continue
        try:
            row = {**form.partitions, **json_object(text)}
            names = tuple(row)
            if names not in columns:
                columns[names] = _named_columns(names, form, into.meaning.feedback)
                into.account.note_names(columns[names])
            found = columns[names]
            value = _json_value(row, found, into)
            user = into.users.add(id_of(row[found["user"]], "user"))
            item = into.items.add(id_of(row[found["item"]], "item"))
        except ValueError as problem:
            into.reject(number, str(problem), text)
            continue
        moment = _json_time(row, found, form, into.time_form)
        into.times.count(moment)
        into.add(user, item, value, moment.nanoseconds, number)


def _json_time(
    row: Mapping[str, object], columns: Mapping[str, str], rating_form: RatingForm, form: TimeForm
) -> Moment:
    """Read when a row was written: by the most telling of its times that is not empty."""
    if "timestamp" not in columns:
        return read_time("", form)
    time = unwrapped(row[columns["timestamp"]])
    if time is None or time == "":
        names = list(row)
        others = (unwrapped(row[names[at]]) for at in rating_form.time_columns(names))
        time = next((other for other in others if other is not None and other != ""), None)
    if isinstance(time, bool) or not isinstance(time, str | int | float):
        shape = "" if time is None else kind_of(time)
        return Moment(NO_TIMESTAMP, shape)
    clock = row[columns["clock"]] if "clock" in columns else None
    if isinstance(clock, str | int) and time_of_day_in(str(clock).strip()) is not None:
        return read_date_and_clock(str(time), str(clock), form)
    return read_time(str(time), form)


def json_feedback(lines: Sequence[str], form: RatingForm) -> str:
    """Tell what JSON Lines hold by the names of the first ones: `EXPLICIT` or `IMPLICIT`.

    They hold no ratings where some name user and item and none a rating; and where nothing that
    we have no name for may be a rating.
    """
    rows: list[Mapping[str, object]] = []
    for text in lines:
        try:
            rows.append(json_object(text))
        except ValueError:
            continue
    names = list(dict.fromkeys(name for row in rows for name in (*form.partitions, *row)))
    found = form.find_columns(names)
    if "rating" in form.columns or "rating" in found or not {"user", "item"} <= set(found):
        return EXPLICIT
    known = form.find_interactions(names)
    if "count" not in known and "event" not in known:
        others = set(range(len(names))) - set(known.values())
        cells = ([_spelled(row.get(names[at])) for row in rows] for at in others)
        if any(map(may_be_ratings, cells)):
            return EXPLICIT
    return IMPLICIT


def _spelled(value: object) -> str:
    return "" if isinstance(value, bool) or not isinstance(value, str | int | float) else str(value)


def _named_columns(names: Sequence[str], form: RatingForm, feedback: str) -> dict[str, str]:
    if feedback == IMPLICIT:
        required: Sequence[str] = INTERACTION_COLUMNS
        found = form.find_interactions(names)
        if not form.is_implicit and "rating" in form.find_columns(names):
            raise ValueError("has a rating, which the first rows of the file have not")
    else:
        required, found = REQUIRED_COLUMNS, form.find_columns(names)
    missing = [role for role in required if role not in found]
    if missing:
        raise ValueError(f"has no {' and no '.join(missing)}")
    pair = form.find_date_and_clock(names)
    if pair is not None and found.get("timestamp") in pair:
        found |= dict(zip(("timestamp", "clock"), pair, strict=True))
    return {role: names[index] for role, index in found.items()}


def _json_value(
    row: Mapping[str, object], columns: Mapping[str, str], into: RatingsBuilder
) -> float:
    """Read a row's rating, or its count times the weight of its event."""
    if into.meaning.feedback == EXPLICIT:
        rating = row[columns["rating"]]
        if rating is None and "" in into.meaning.missing:
            return math.nan
        return _json_number(rating, into)
    value = _json_number(row[columns["count"]], into) if "count" in columns else 1.0
    if "event" in columns:
        event = row[columns["event"]]
        if isinstance(event, bool) or not isinstance(event, str | int):
            raise ValueError(f"event is {kind_of(event)}, not a string or an integer")
        value *= into.meaning.event_weight(str(event))
    return value


def _json_number(value: object, into: RatingsBuilder) -> float:
    noun = into.meaning.noun
    if isinstance(value, str):
        return into.value(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{noun} is {kind_of(value)}, not a number")
    try:
        return into.meaning.check(float(value))
    except OverflowError:
        raise ValueError(f"{noun} is too large for a 32-bit float") from None
