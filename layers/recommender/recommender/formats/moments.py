"""Spellings of a moment, as databases, spreadsheets and programs write it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>[.,]\d{1,9})?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?"
)
_ZONE = r"(?:\s*(?P<zone>utc|gmt|z|[+-]\d\d(?::?\d\d)?))?"
_BEHIND = rf"(?:(?:\s*,\s*|\s+|t){_TIME}{_ZONE})?"
_DAY, _YEAR = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?", r"(?P<year>\d{4})"
# A day and a month that are both numbers stand in the order that the separator tells: 14.11.2023
# is written day first wherever it is written. 05/01/2024 is not read: nobody knows its month.
_SPELLINGS = tuple(
    re.compile(spelling, re.ASCII | re.IGNORECASE)
    for spelling in (
        rf"{_YEAR}(?P<by>[-/.])(?P<month>\d{{1,2}})(?P=by){_DAY}{_BEHIND}",
        rf"(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.{_YEAR}{_BEHIND}",
        rf"{_WEEKDAY}{_DAY}(?:\s+|-){_MONTH}(?:\s+|-|,\s*){_YEAR}{_BEHIND}",
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY},?\s+{_YEAR}{_BEHIND}",
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_TIME}{_ZONE}\s+{_YEAR}",
    )
)
_MOST_CHARACTERS = 64
_HOURS_OF_HALF_A_DAY = 12


def moment_of(text: str) -> datetime | None:
    """Read a date, perhaps with a time of day and a zone; without a zone it is UTC.

    Returns:
        None if the text is none, or if its day and month may be taken for each other.
    """
    if len(text) > _MOST_CHARACTERS:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _spelled(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _spelled(text: str) -> datetime | None:
    for spelling in _SPELLINGS:
        found = spelling.fullmatch(text)
        if found:
            try:
                return datetime.fromisoformat(_iso(found.groupdict()))
            except ValueError:  # the 31st of February
                return None
    return None


def _iso(parts: Mapping[str, str | None]) -> str:
    name = parts.get("name")
    month = int(parts.get("month") or 0)
    if name:
        month = 1 + _MONTHS.index(name[:3].lower())
    hour, half = int(parts["hour"] or 0), (parts["half"] or "").lower()
    if half:
        if not 1 <= hour <= _HOURS_OF_HALF_A_DAY:
            raise ValueError("no hour of half a day")
        hour = hour % _HOURS_OF_HALF_A_DAY + (_HOURS_OF_HALF_A_DAY if half == "p" else 0)
    fraction = (parts["fraction"] or ".")[1:7].ljust(6, "0")
    zone = (parts["zone"] or "utc").lower()
    if zone in ("utc", "gmt", "z"):
        zone = "+00:00"
    return (
        f"{parts['year']}-{month:02}-{int(parts['day'] or 0):02}"
        f"T{hour:02}:{int(parts['minute'] or 0):02}:{int(parts['second'] or 0):02}.{fraction}{zone}"
    )


def unwrapped(value: object) -> object:
    """Take a time out of the object that MongoDB's JSON wraps it in.

    ``{"$date": ...}`` holds a text or milliseconds, ``{"$timestamp": {"t": ...}}`` seconds.

    Returns:
        A text, or seconds since 1970; the value itself if it is no such object.
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    (name, inner), *_ = value.items()
    if name == "$date":
        milliseconds = _number(inner)
        return inner if milliseconds is None else milliseconds / 1000
    if name == "$timestamp" and isinstance(inner, Mapping):
        return _number(inner.get("t"))
    return _number(value)


def _number(value: object) -> float | None:
    """Read a number, or ``{"$numberLong": "..."}`` and its like."""
    if isinstance(value, Mapping) and len(value) == 1:
        (name, text), *_ = value.items()
        if name in ("$numberLong", "$numberInt", "$numberDouble"):
            try:
                return float(str(text))
            except ValueError:
                return None
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value
