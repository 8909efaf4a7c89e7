"""What a table of ratings means, told from what pyarrow reads and from nothing of ours."""

import datetime as dt
import math
import re
import uuid
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
NO_TIME = -1
LATEST = (2**63 - 1) // 10**9
_AROUND = re.compile(
    "^[\\s\ufeff\u200b-\u200f\u2060\u00ad]+|[\\s\ufeff\u200b-\u200f\u2060\u00ad]+$"
)
_WHOLE = re.compile(r"^(-?[0-9]+)\.0+$")
_NULLS = {
    *("\\N", "NULL", "Null", "null", "None", "nan", "NaN", "NAN"),
    *("<NA>", "NaT", "#N/A", "#NULL!"),
}


class Meaning(NamedTuple):
    """The rows that can be used, each with its number, and the numbers of the others."""

    rows: list[tuple[int, str, str, float, int]]
    rejected: list[int]


def meaning_of(table: pa.Table, names: dict[str, str]) -> Meaning:
    """Tell the rows of a table; ``names`` says which column is user, item, rating and timestamp."""
    users, items, ratings = (cells(table[names[role]]) for role in ("user", "item", "rating"))
    times = [NO_TIME] * len(table)
    if "timestamp" in names:
        times = seconds(table[names["timestamp"]])
    rows, rejected = [], []
    for number, row in enumerate(zip(users, items, ratings, times, strict=True), 1):
        user, item, rating = spelled(row[0]), spelled(row[1]), number_of(row[2])
        if user and item and rating is not None:
            rows.append((number, user, item, rating, row[3]))
        else:
            rejected.append(number)
    return Meaning(rows, rejected)


def cells(column: pa.ChunkedArray) -> list[object]:
    """The values of a column, texts from bytes and dictionaries included."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.to_pylist()


def spelled(value: object) -> str | None:
    """An id, as it is to be written."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int | uuid.UUID | Decimal):
        return str(value)
    if not isinstance(value, str):
        return None
    text = _WHOLE.sub(r"\1", _AROUND.sub("", value))
    if text in _NULLS:
        return None
    writable = not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
    return text if writable and len(text) <= 256 else None


def number_of(value: object) -> float | None:
    """A rating, as a 32-bit float holds it."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, bool | int | float | Decimal | np.floating):
        return None
    wide = float(value)
    if not math.isfinite(wide) or abs(wide) > float(np.finfo(np.float32).max):
        return None
    return float(np.float32(wide))


def seconds(column: pa.ChunkedArray) -> list[int]:
    """Times in seconds since 1970, without fractions; numbers in the unit that their size tells."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        whole = [
            None if n is None else n // UNITS[kind.unit] for n in cells(column.cast(pa.int64()))
        ]
    elif pa.types.is_date(kind):
        days = cells(pc.cast(column, pa.date32()).cast(pa.int32()))
        whole = [None if n is None else n * 86_400 for n in days]
    elif pa.types.is_time(kind) or pa.types.is_boolean(kind):
        whole = [None] * len(column)
    else:
        whole = [moment(value) for value in cells(column)]
    return [NO_TIME if n is None or n < 0 else min(n, LATEST) for n in whole]


def moment(value: object) -> int | None:
    """A time out of a plain number or a text."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            try:
                found = dt.datetime.fromisoformat(value)
            except ValueError:
                return None
            aware = found if found.tzinfo else found.replace(tzinfo=dt.UTC)
            return (aware - EPOCH) // dt.timedelta(seconds=1)
    if isinstance(value, Decimal | float | np.floating):
        return in_seconds(value) if math.isfinite(value) else None
    return in_seconds(value) if isinstance(value, int) else None


def in_seconds(number: Decimal | float) -> int | None:
    """A number of seconds, or of the finer unit in which it is before the year 2242."""
    for unit in (1, 10**3, 10**6, 10**9):
        if number < 2**33 * unit or (unit == 10**9 and number < 2**64):
            return math.floor(number / unit)
    return None
