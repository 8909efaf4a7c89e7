"""Rating rows one by one: every kind of row is understood or rejected with its reason."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from recommender.formats.delimited import Layout
from recommender.formats.json_rows import id_of, json_object, kind_of
from recommender.formats.moments import unwrapped
from recommender.formats.quoting import Records
from recommender.ratings.feedback import EXPLICIT, IMPLICIT
from recommender.ratings.form import RatingForm
from recommender.ratings.interactions import may_be_ratings
from recommender.ratings.table import INTERACTION_COLUMNS, REQUIRED_COLUMNS, RatingsBuilder
from recommender.ratings.values import NO_TIMESTAMP, read_timestamp

_NO_COLUMN: Final = sys.maxsize


def lines_of(block: bytes) -> tuple[list[str], bool]:
    r"""Decode a block and split it at each ``\n``.

    Returns:
        The lines, and whether all of them were UTF-8. If not, the offending bytes stand in their
        lines as lone surrogates, for `damage_in` to find.
    """
    try:
        text, sound = block.decode(), True
    except UnicodeDecodeError:
        text, sound = block.decode("utf-8", "surrogateescape"), False
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines, sound


def damage_in(line: str) -> str | None:
    """Say what makes a line unusable whatever its format is: NUL, or bytes that are not UTF-8."""
    if "\0" in line:
        return "holds a NUL character (is the file UTF-16 without a byte order mark?)"
    try:
        line.encode()
    except UnicodeEncodeError as error:
        return f"is not UTF-8: byte 0x{ord(line[error.start]) & 0xFF:02x} cannot be read"
    return None


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
    lines, sound = lines_of(block)
    sound = sound and b"\0" not in block
    known_users, known_items = into.users.known, into.items.known
    user_at, item_at = (layout.positions[role] for role in INTERACTION_COLUMNS)
    time_at = layout.positions.get("timestamp", _NO_COLUMN)
    needed = 1 + max(at for role, at in layout.positions.items() if role != "timestamp")
    most = layout.most or _NO_COLUMN
    value_of = _value_reader(layout, into)
    rows = Records(
        lines,
        layout.delimiter,
        first_line,
        quoting=layout.quoting,
        more_follow=more_follow,
        fits=lambda cells: len(cells) >= needed and not layout.surplus_of(cells),
    )
    for record in rows:
        cells, text = record.cells, record.text
        damage = None if sound else damage_in(text)
        if damage:
            into.reject(record.line, damage, text)
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
        timestamp = read_timestamp(cells[time_at]) if time_at < len(cells) else NO_TIMESTAMP
        into.add(user, item, value, timestamp, record.line)
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


def read_json_lines(block: bytes, first_line: int, into: RatingsBuilder, form: RatingForm) -> None:
    """Read rows of JSON Lines; names may differ from row to row.

    Args:
        block: whole lines.
        first_line: number of the block's first line.
        into: takes the rows and the rejects.
        form: may name the columns.
    """
    lines, _ = lines_of(block)
    columns: dict[tuple[str, ...], dict[str, str]] = {}
    for number, text in enumerate(lines, first_line):
        if not text or text.isspace():
            continue
        damage = damage_in(text)
        if damage:
            into.reject(number, damage, text)
            continue
        try:
            row = json_object(text)
            names = tuple(row)
            if names not in columns:
                columns[names] = _named_columns(names, form, into.meaning.feedback)
            found = columns[names]
            value = _json_value(row, found, into)
            user = into.users.add(id_of(row[found["user"]], "user"))
            item = into.items.add(id_of(row[found["item"]], "item"))
        except ValueError as problem:
            into.reject(number, str(problem), text)
            continue
        time = unwrapped(row.get(found["timestamp"])) if "timestamp" in found else None
        timed = isinstance(time, str | int | float) and not isinstance(time, bool)
        timestamp = read_timestamp(str(time)) if timed else NO_TIMESTAMP
        into.add(user, item, value, timestamp, number)


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
    names = list(dict.fromkeys(name for row in rows for name in row))
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
    return {role: names[index] for role, index in found.items()}


def _json_value(
    row: Mapping[str, object], columns: Mapping[str, str], into: RatingsBuilder
) -> float:
    """Read a row's rating, or its count times the weight of its event."""
    if into.meaning.feedback == EXPLICIT:
        return _json_number(row[columns["rating"]], into)
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
