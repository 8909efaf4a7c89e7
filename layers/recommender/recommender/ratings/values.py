"""What a cell may say: a rating, or a count."""

import math
import re
from collections.abc import Sequence

import numpy as np

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,]\d{3})+", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3},\d{1,2}", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_GREATEST = float(np.finfo(np.float32).max)
MOST_COUNTED = 1e12


def read_rating(cell: str, decimal: str = "") -> float:
    """Read a rating: a plain decimal number that a float32 can hold. ``4,5`` is ``4.5``.

    Args:
        cell: what is written.
        decimal: what stands before a fraction, if that is said; then the other of the two may
            stand between thousands.

    Raises:
        ValueError: it is none; the message says why.
    """
    return checked_rating(_read_number(cell, "rating", decimal))


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


def read_count(cell: str, decimal: str = "") -> float:
    """Read how often something happened: a plain decimal number, as `read_rating` reads one.

    Raises:
        ValueError: it is none, or what `checked_count` refuses; the message says why.
    """
    return checked_count(_read_number(cell, "count", decimal))


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


def is_one_of(words: Sequence[str], cell: str) -> bool:
    """Whether a cell says what one of some words does: the same text, or the same number."""
    text = cell.strip()
    if text in words:
        return True
    number = number_in(text)
    return number is not None and any(number == number_in(word) for word in words)


def number_in(text: str) -> float | None:
    """Read a plain number; None if a text is none."""
    return float(text) if _NUMBER.fullmatch(text) else None


def _read_number(cell: str, noun: str, decimal: str) -> float:
    text = cell.strip()
    if not text:
        raise ValueError(f"{noun} is empty")
    if decimal:
        plain = _with_point(text, decimal)
    else:
        plain = text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text
    if not _NUMBER.fullmatch(plain):
        what = "a finite number" if _NOT_FINITE.fullmatch(text) else "a number"
        raise ValueError(f"{noun} {_quoted(text)} is not {what}")
    return float(plain)


def _with_point(text: str, decimal: str) -> str:
    """Write a number with a point and without marks between thousands; else an empty text."""
    thousands = "," if decimal == "." else "."
    if thousands in text:
        whole, _, fraction = text.partition(decimal)
        if not _THOUSANDS.fullmatch(whole) or thousands in fraction:
            return ""
        text = whole.replace(thousands, "") + (decimal + fraction if fraction else "")
    return text.replace(decimal, ".")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
