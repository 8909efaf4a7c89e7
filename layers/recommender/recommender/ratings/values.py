"""What a cell may say: a rating, a count, or when it was given."""

import math
import re

import numpy as np

from recommender.formats.moments import moment_of

NO_TIMESTAMP = -1
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3},\d{1,2}", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_GREATEST = float(np.finfo(np.float32).max)
MOST_COUNTED = 1e12
_INT64_LIMIT = 1 << 63
_SURELY_INT64 = 18  # digits
_MAX_TIMESTAMP_TEXT = 200


def read_rating(cell: str) -> float:
    """Read a rating: a plain decimal number that a float32 can hold. ``4,5`` is ``4.5``.

    Raises:
        ValueError: it is none; the message says why.
    """
    return checked_rating(_read_number(cell, "rating"))


def checked_rating(value: float) -> float:
    """Make sure that a float32 can hold a rating.

    Raises:
        ValueError: it cannot; the message says why.
    """
    if math.isnan(value):
        raise ValueError("rating 'nan' is not a finite number")
    if abs(value) > _GREATEST:
        raise ValueError("rating is too large for a 32-bit float")
    return value


def read_count(cell: str) -> float:
    """Read how often something happened: a plain decimal number, as `read_rating` reads one.

    Raises:
        ValueError: it is none, or what `checked_count` refuses; the message says why.
    """
    return checked_count(_read_number(cell, "count"))


def checked_count(value: float) -> float:
    """Make sure that a number can be a count: from 0 to `MOST_COUNTED`.

    More than that is a time or an id in the wrong column.

    Returns:
        It, as a float32 holds it.

    Raises:
        ValueError: it cannot; the message says why.
    """
    if math.isnan(value):
        raise ValueError("count 'nan' is not a finite number")
    if value < 0:
        raise ValueError(f"count {value:g} is negative")
    if value > MOST_COUNTED:
        raise ValueError(f"count {value:g} is more than {MOST_COUNTED:g} and can be no count")
    return float(np.float32(value))


def _read_number(cell: str, noun: str) -> float:
    text = cell.strip()
    if not text:
        raise ValueError(f"{noun} is empty")
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        what = "a finite number" if _NOT_FINITE.fullmatch(text) else "a number"
        raise ValueError(f"{noun} {_quoted(text)} is not {what}")
    return float(text)


def read_timestamp(cell: str) -> int:
    """Read when a rating was given, as an integer that orders ratings.

    Only repeated ratings of one pair look at it, so what cannot be read costs no row.

    Returns:
        A number as it stands, without its fraction; a date as seconds since 1970, in any spelling
        of `moment_of`; `NO_TIMESTAMP` for anything else and for negative numbers.
    """
    text = cell.strip()
    if len(text) <= _SURELY_INT64 and text.isdecimal() and text.isascii():
        return int(text)
    if len(text) <= _MAX_TIMESTAMP_TEXT and _NUMBER.fullmatch(text):
        if text.isdecimal():
            number = int(text)
        else:
            real = float(text)
            number = math.floor(real) if math.isfinite(real) else NO_TIMESTAMP
    else:
        moment = moment_of(text)
        if moment is None:
            return NO_TIMESTAMP
        number = math.floor(moment.timestamp())
    return number if 0 <= number < _INT64_LIMIT else NO_TIMESTAMP


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
