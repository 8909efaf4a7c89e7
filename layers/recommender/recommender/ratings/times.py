"""When ratings were given: nanoseconds since 1970, and how that was written."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from recommender.formats.moments import (
    DAY_FIRST,
    LATEST,
    SECOND,
    DateOrder,
    Moment,
    moment_of,
    moment_of_digits,
    time_of_day_in,
)
from recommender.ratings.identifiers import NULL_WORDS

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.integer | np.floating]

NO_TIMESTAMP = -1

# A number is in the largest unit in which it is before the year 2242; all files of a catalog are
# read so, and rows of one in milliseconds compare with rows of one in seconds.
_BEYOND = 1 << 33
_UNITS = (
    ("seconds", _BEYOND, SECOND),
    ("milliseconds", _BEYOND * 10**3, 10**6),
    ("microseconds", _BEYOND * 10**6, 10**3),
    ("nanoseconds", 1 << 64, 1),
)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LETTERS, _DIGIT = re.compile(r"[^\W\d_]+"), re.compile(r"\d")
_EXACT = float((1 << 63) - 1024)  # the greatest float64 that int64 holds
_MOST_CHARACTERS = 64
_MOST_SHOWN = 32
_MOST_SPELLINGS = 20


@dataclass(frozen=True)
class TimeForm:
    """How the times of a file are written, as far as a single one does not say it.

    Attributes:
        order: what comes first in ``05/01/2024``; empty if nobody knows.
        of_digits: whether ``20240131`` is a date; else it is a number of seconds.
    """

    order: DateOrder = ""
    of_digits: bool = False


@dataclass
class TimeAccount:
    """What became of the times of some rows.

    Attributes:
        read: spelling -> how many rows have it.
        unread: what no time was made of, each digit as ``9`` and each word as ``a`` -> how often.
        missing: how many rows have none.
    """

    read: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    missing: int = 0

    def count(self, moment: Moment, rows: int = 1) -> None:
        """Count rows that have this time."""
        if moment.nanoseconds >= 0:
            self.read[moment.spelling] += rows
        elif moment.spelling:
            known = moment.spelling in self.unread or len(self.unread) < _MOST_SPELLINGS
            self.unread[moment.spelling if known else "other"] += rows
        else:
            self.missing += rows

    def add(self, other: "TimeAccount") -> None:
        """Count the rows that another account has counted."""
        self.read.update(other.read)
        for spelling, rows in other.unread.items():
            self.count(Moment(NO_TIMESTAMP, spelling), rows)
        self.missing += other.missing

    def to_dict(self) -> dict[str, object]:
        """For the manifest; what is 0 is left out."""
        told: dict[str, object] = {}
        if self.read:
            told["read"] = dict(self.read.most_common())
        if self.unread:
            told["unread"] = dict(self.unread.most_common())
        if self.missing and told:
            told["missing"] = self.missing
        return told


_NONE = Moment(NO_TIMESTAMP, "")


def read_time(cell: str, form: TimeForm) -> Moment:
    """Read when a rating was given.

    Only repeated ratings of one pair, ageing and the split by time look at it, so what cannot be
    read costs no row.

    Returns:
        A number as seconds since 1970 or, by its size, a finer unit; a date in any spelling of
        `moment_of`. Its nanoseconds are `NO_TIMESTAMP` for an empty cell, whose spelling is empty,
        and for what is before 1970 or cannot be read, whose spelling is its shape.
    """
    text = cell.strip()
    if not text or text in NULL_WORDS:
        return _NONE
    found: Moment | None = None
    if form.of_digits:
        found = moment_of_digits(text)
    if found is None and len(text) <= _MOST_CHARACTERS:
        found = _read(text, form.order)
    if found is None or found.nanoseconds < 0:
        return Moment(NO_TIMESTAMP, shape_of(text))
    return found if found.nanoseconds <= LATEST else Moment(LATEST, found.spelling)


def _read(text: str, order: DateOrder) -> Moment | None:
    # Most dates have one of these, and few numbers do: then those need no second look.
    is_dated = "-" in text or ":" in text
    found = moment_of(text, order) if is_dated else None
    if found is None and _NUMBER.fullmatch(text):
        return _of_number(text)
    return found if is_dated else moment_of(text, order)


def share_of_times(cells: Sequence[str], order: DateOrder = "") -> float:
    """How many of some cells are times, in either order where that is not known: 0 to 1."""
    form = TimeForm(order or DAY_FIRST, of_digits=True)
    return sum(read_time(cell, form).nanoseconds >= 0 for cell in cells) / max(1, len(cells))


def read_date_and_clock(date: str, clock: str, form: TimeForm) -> Moment:
    """Read a date and a time of day that stand in two cells; without the second it is midnight."""
    day, text = read_time(date, form), clock.strip()
    if day.nanoseconds < 0 or not text or text in NULL_WORDS:
        return day
    nanoseconds = time_of_day_in(text)
    if nanoseconds is None:
        return Moment(NO_TIMESTAMP, shape_of(f"{date.strip()}, {text}"))
    return Moment(day.nanoseconds + nanoseconds, f"{day.spelling}, time of day beside it")


def read_times(
    cells: Sequence[str], which: npt.NDArray[np.integer], form: TimeForm, account: TimeAccount
) -> Integers:
    """Read a column of which the distinct cells are known.

    Args:
        cells: these.
        which: ``(n,)`` each row's index among them; negative for none.
        form: how the file writes times.
        account: counts the rows.

    Returns:
        ``(n,)`` nanoseconds.
    """
    return spread([read_time(cell, form) for cell in cells], which, account)


def spread(
    moments: Sequence[Moment], which: npt.NDArray[np.integer], account: TimeAccount
) -> Integers:
    """Give rows their times, and count them; see `read_times`."""
    moments = [*moments, _NONE]  # also where `which` is -1
    counts = np.bincount(which % len(moments) if which.size else which, minlength=len(moments))
    many: dict[tuple[str, bool], int] = {}
    for (time, spelling), rows in zip(moments, counts.tolist(), strict=True):
        kind = spelling, time < 0
        many[kind] = many.get(kind, 0) + rows
    for (spelling, is_none), rows in many.items():
        if rows:
            account.count(Moment(NO_TIMESTAMP if is_none else 0, spelling), rows)
    times = np.fromiter((moment.nanoseconds for moment in moments), np.int64, len(moments))
    return np.asarray(times[which])


def known_times(times: Integers, which: npt.NDArray[np.integer], account: TimeAccount) -> Integers:
    """Give rows the times of a column of times; negative ones, and ``which``, are none."""
    every = np.append(np.maximum(times, NO_TIMESTAMP), np.int64(NO_TIMESTAMP))
    found = np.asarray(every[which])
    read, missing = int(np.count_nonzero(found >= 0)), int(np.count_nonzero(which < 0))
    if read:
        account.read["column of times"] += read
    account.missing += missing
    if read + missing < found.size:
        account.count(Moment(NO_TIMESTAMP, "before 1970"), found.size - read - missing)
    return found


def times_of_numbers(numbers: Numbers, account: TimeAccount) -> Integers:
    """Read a column of numbers, each in the unit that its size tells, as `read_time` does.

    Args:
        numbers: ``(n,)`` integers, or float64.
        account: counts the rows.

    Returns:
        ``(n,)`` nanoseconds.
    """
    is_float = numbers.dtype.kind == "f"
    if numbers.size and numbers.min() >= 0 and numbers.max() < _BEYOND and not is_float:
        account.read["seconds since 1970"] += numbers.size
        return np.asarray(numbers.astype(np.int64) * SECOND)
    times = np.full(numbers.size, NO_TIMESTAMP, np.int64)
    left = np.isfinite(numbers) & (numbers >= 0)
    account.missing += int(np.count_nonzero(np.isnan(numbers))) if is_float else 0
    lowest = 0
    for unit, beyond, nanoseconds in _UNITS:
        here = left & (numbers >= lowest) & (numbers < beyond)
        many = int(np.count_nonzero(here))
        lowest = beyond
        if not many:
            continue
        account.read[f"{unit} since 1970"] += many
        some = numbers[here]
        whole = _whole(some)
        times[here] = whole * nanoseconds
        if is_float and nanoseconds > 1:
            times[here] += ((some - whole) * nanoseconds).astype(np.int64)
    unread = times < 0
    if is_float:
        unread &= ~np.isnan(numbers)
    distinct, rows = np.unique(numbers[unread], return_counts=True)
    for number, many in zip(distinct, rows.tolist(), strict=True):
        account.count(Moment(NO_TIMESTAMP, shape_of(str(number))), many)
    return times


def _whole(numbers: Numbers) -> Integers:
    """Leave fractions out; what int64 cannot hold is as much as it can."""
    if numbers.dtype.kind == "f":
        return np.minimum(np.floor(numbers), _EXACT).astype(np.int64)
    if numbers.dtype.kind == "u":
        return np.minimum(numbers.astype(np.uint64), np.uint64(LATEST)).astype(np.int64)
    return numbers.astype(np.int64)


def _of_number(text: str) -> Moment | None:
    number = int(text) if text.isdecimal() else Decimal(text)
    for unit, beyond, nanoseconds in _UNITS:
        if number < beyond:
            return Moment(math.floor(number * nanoseconds), f"{unit} since 1970")
    return None


def shape_of(text: str) -> str:
    """Tell how something is written, not what it says: ``Nov 31, 2023`` is ``a 99, 9999``."""
    shown = text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"
    return _DIGIT.sub("9", _LETTERS.sub("a", shown))


def told_order(unread: Mapping[str, int]) -> str:
    """Say what to do about dates whose day and month may be taken for each other, if any are."""
    either = sum(rows for shape, rows in unread.items() if re.match(r"9{1,2}[/-]9{1,2}[/-]", shape))
    if not either:
        return ""
    return (
        f"{either:,} dates may be read day first or month first, and nothing in the file tells "
        "which; `date_order` in config.json does"
    )
