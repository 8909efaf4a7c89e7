"""Spellings of a moment, as databases, spreadsheets and programs write it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

DateOrder = Literal["", "day_first", "month_first"]
DAY_FIRST: Final = "day_first"
MONTH_FIRST: Final = "month_first"

SECOND = 10**9
"""In nanoseconds, as all times here are."""
DAY = 86_400 * SECOND
LATEST = (1 << 63) - 1
"""In the year 2262; all that is said to be later is taken to be as late."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?:\s*(?P<half>[ap])\.?m\.?)?"
_ZONE = r"(?:\s*(?P<zone>utc|gmt|z|[+-]\d\d(?::?\d\d)?))?"
_BEHIND = rf"(?:(?:\s*,\s*|\s+|t){_CLOCK}{_ZONE})?"
_DAY, _YEAR = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?", r"(?P<year>\d{4})"
_SHORT_YEAR = r"(?P<year>\d{4}|\d\d)"


def _spelling(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


# A day and a month that are both numbers stand in the order that the separator tells: 14.11.2023
# is written day first wherever it is written. 05/01/2024 is either: see `date_order_in`.
_SPELLINGS = (
    (
        "year-month-day",
        _spelling(rf"{_YEAR}(?P<by>[-/.])(?P<month>\d{{1,2}})(?P=by){_DAY}{_BEHIND}"),
    ),
    ("day.month.year", _spelling(rf"(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.{_YEAR}{_BEHIND}")),
    (
        "day month year",
        _spelling(rf"{_WEEKDAY}{_DAY}(?:\s+|-){_MONTH}(?:\s+|-|,\s*){_YEAR}{_BEHIND}"),
    ),
    ("month day, year", _spelling(rf"{_WEEKDAY}{_MONTH}\s+{_DAY},?\s+{_YEAR}{_BEHIND}")),
    (
        "month day time year",
        _spelling(rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_CLOCK}{_ZONE}\s+{_YEAR}"),
    ),
    ("month day, year", _spelling(rf"(?P<month>\d{{1,2}}) {_DAY}, {_YEAR}")),  # Amazon's reviews
)
_EITHER = _spelling(
    rf"(?P<first>\d{{1,2}})(?P<by>[-/])(?P<next>\d{{1,2}})(?P=by){_SHORT_YEAR}{_BEHIND}"
)
_FRACTION = re.compile(r"(?<=:\d\d)[.,](\d{1,9})\d*", re.ASCII)
_CLOCK_ALONE = _spelling(rf"{_CLOCK}{_ZONE}")
_CLOCK_DIGITS = re.compile(r"(\d{1,2})(\d\d)|(\d{1,2})(\d\d)(\d\d)", re.ASCII)
_DATE_DIGITS = re.compile(
    r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?:([01]\d|2[0-3])([0-5]\d)([0-5]\d)?)?",
    re.ASCII,
)
_MOST_CHARACTERS = 64
_HOURS_OF_HALF_A_DAY = 12
_PARTS_OF_A_PAIR = 2
_MONTHS_OF_A_YEAR = 12
_FIRST_SHORT_YEAR = 69  # of 1900; 68 is 2068, as POSIX has it
_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(NamedTuple):
    """A point in time: nanoseconds since 1970 in UTC, and a name for how it was written."""

    nanoseconds: int
    spelling: str


def moment_of(text: str, order: DateOrder = "") -> Moment | None:
    """Read a date, perhaps with a time of day and a zone; without a zone it is UTC.

    Args:
        text: what is written.
        order: what comes first where day and month are numbers between slashes or dashes.

    Returns:
        None if the text is none, or if its day and month may be taken for each other.
    """
    if len(text) > _MOST_CHARACTERS:
        return None
    text, nanoseconds = _without_fraction(text)
    try:
        moment, spelling = datetime.fromisoformat(text), "ISO 8601"
    except ValueError:
        found = _spelled(text, order)
        if found is None:
            return None
        moment, spelling = found
    return Moment(_since_1970(moment) + nanoseconds, spelling)


def date_order_in(text: str) -> DateOrder | None:
    """Tell what comes first in a date like ``25/12/2024``: a month is 12 at most.

    Returns:
        An empty text if it may be either; None if this is no such date.
    """
    found = _EITHER.fullmatch(_without_fraction(text)[0])
    if found is None:
        return None
    first, following = int(found["first"]), int(found["next"])
    if (first > _MONTHS_OF_A_YEAR) == (following > _MONTHS_OF_A_YEAR):
        return ""
    return DAY_FIRST if first > _MONTHS_OF_A_YEAR else MONTH_FIRST


def moment_of_digits(text: str) -> Moment | None:
    """Read ``20240131``, ``202401311530`` or ``20240131153000``; None if this is none."""
    found = _DATE_DIGITS.fullmatch(text)
    if found is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return Moment(_since_1970(moment), "yyyymmdd")


def time_of_day_in(text: str) -> int | None:
    """Read a time of day: ``21:05``, ``9:05:30.5 pm``, or ``2105`` and ``905`` in digits alone.

    Returns:
        Nanoseconds since midnight; None if this is none.
    """
    digits = _CLOCK_DIGITS.fullmatch(text)
    if digits:
        hour, minute, second = (
            (int(digits[1]), int(digits[2]), 0)
            if digits[1]
            else (int(digits[3]), int(digits[4]), int(digits[5]))
        )
        if hour >= 24 or max(minute, second) >= 60:
            return None
        return (hour * 3600 + minute * 60 + second) * SECOND
    if len(text) > _MOST_CHARACTERS:
        return None
    text, nanoseconds = _without_fraction(text)
    found = _CLOCK_ALONE.fullmatch(text)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat("1970-01-01" + _clock(found.groupdict()))
    except ValueError:
        return None
    return _since_1970(moment) + nanoseconds


def iso_of(nanoseconds: int) -> str:
    """Write a time in UTC as ISO 8601; an empty text for none."""
    if nanoseconds < 0:
        return ""
    moment = _1970 + timedelta(microseconds=nanoseconds // 1000)
    return moment.isoformat(timespec="microseconds" if nanoseconds % SECOND else "seconds")


def _since_1970(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _1970
    return since.days * DAY + since.seconds * SECOND + since.microseconds * 1000


def _without_fraction(text: str) -> tuple[str, int]:
    """Take the fraction of a second out: what is left, and it in nanoseconds."""
    if "." not in text and "," not in text:
        return text, 0
    found = _FRACTION.search(text)
    if found is None:
        return text, 0
    return text[: found.start()] + text[found.end() :], int(found[1].ljust(9, "0"))


def _spelled(text: str, order: DateOrder) -> tuple[datetime, str] | None:
    for name, spelling in _SPELLINGS:
        found = spelling.fullmatch(text)
        if found:
            return _checked(found.groupdict(), name)
    either = _EITHER.fullmatch(text)
    if either is None:
        return None
    order = date_order_in(text) or order
    if not order:
        return None
    parts = either.groupdict()
    names = ("day", "month") if order == DAY_FIRST else ("month", "day")
    parts |= dict(zip(names, (parts["first"], parts["next"]), strict=True))
    by = parts["by"]
    return _checked(parts, by.join((*names, "year")))


def _checked(parts: Mapping[str, str | None], name: str) -> tuple[datetime, str] | None:
    try:
        return datetime.fromisoformat(_iso(parts)), name
    except ValueError:  # the 31st of February
        return None


def _iso(parts: Mapping[str, str | None]) -> str:
    name, year = parts.get("name"), int(parts["year"] or 0)
    month = int(parts.get("month") or 0)
    if name:
        month = 1 + _MONTHS.index(name[:3].lower())
    if len(parts["year"] or "") == 2:
        year += 1900 if year >= _FIRST_SHORT_YEAR else 2000
    clock = _clock(parts) if parts.get("hour") else ""
    return f"{year:04}-{month:02}-{int(parts['day'] or 0):02}{clock}"


def _clock(parts: Mapping[str, str | None]) -> str:
    """Write a time of day and its zone as ISO does."""
    hour, half = int(parts["hour"] or 0), (parts["half"] or "").lower()
    if half:
        if not 1 <= hour <= _HOURS_OF_HALF_A_DAY:
            raise ValueError("no hour of half a day")
        hour = hour % _HOURS_OF_HALF_A_DAY + (_HOURS_OF_HALF_A_DAY if half == "p" else 0)
    zone = (parts["zone"] or "utc").lower()
    if zone in ("utc", "gmt", "z"):
        zone = "+00:00"
    return f"T{hour:02}:{int(parts['minute'] or 0):02}:{int(parts['second'] or 0):02}{zone}"


def unwrapped(value: object) -> object:
    """Take a time out of the object that MongoDB's, Firestore's or Protobuf's JSON wraps it in.

    ``{"$date": ...}`` holds a text or milliseconds, ``{"$timestamp": {"t": ...}}`` seconds,
    ``{"seconds": ..., "nanos": ...}`` both of its names.

    Returns:
        A text, or seconds since 1970; the value itself if it is no such object.
    """
    if isinstance(value, Mapping) and len(value) == _PARTS_OF_A_PAIR:
        return _of_pair(value)
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    (name, inner), *_ = value.items()
    if name == "$date":
        milliseconds = _number(inner)
        if isinstance(milliseconds, int) and milliseconds >= 0:
            return f"{milliseconds // 1000}.{milliseconds % 1000:03}"
        return inner if milliseconds is None else milliseconds / 1000
    if name == "$timestamp" and isinstance(inner, Mapping):
        return _number(inner.get("t"))
    return _number(value)


def _of_pair(value: Mapping[str, object]) -> object:
    """Read seconds and nanoseconds; the value itself if it is no such object."""
    parts = {name.strip("_").lower(): _number(part) for name, part in value.items()}
    seconds, nanos = parts.get("seconds"), parts.get("nanos", parts.get("nanoseconds"))
    if not isinstance(seconds, int) or not isinstance(nanos, int) or not 0 <= nanos < SECOND:
        return value
    return f"{seconds}.{nanos:09}"


def _number(value: object) -> float | None:
    """Read a number, or ``{"$numberLong": "..."}`` and its like."""
    if isinstance(value, Mapping) and len(value) == 1:
        (name, text), *_ = value.items()
        if name in ("$numberLong", "$numberInt", "$numberDouble"):
            try:
                return int(str(text))
            except ValueError:
                pass
            try:
                return float(str(text))
            except ValueError:
                return None
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value
