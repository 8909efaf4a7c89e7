"""What the values of a Parquet column mean: numbers, texts, or times in nanoseconds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from recommender.formats.moments import DAY, LATEST, SECOND
from recommender.formats.parquet.pages import RawColumn
from recommender.formats.parquet.thrift import Struct, Value

BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = range(8)

Numbers = npt.NDArray[np.integer | np.floating]
Values = Numbers | list[str]
Holds = Literal["numbers", "texts", "booleans", "times", "times of day", "intervals"]

_NUMBERS = {INT32: "<i4", INT64: "<i8", FLOAT: "<f4", DOUBLE: "<f8"}
_JULIAN_DAY_OF_1970 = 2_440_588
_MOST_DIGITS = 76
_MOST_DECIMAL_BYTES = 32

# What a column is annotated with: by the numbers of the logical types in the format.
_DECIMAL, _DATE, _TIME, _TIMESTAMP, _INTEGER, _UUID, _HALF = 5, 6, 7, 8, 10, 14, 15
_INTERVAL = 0  # has no logical type
_UNITS = {1: 10**3, 2: 10**6, 3: 10**9}
_CONVERTED = {
    5: _DECIMAL,
    6: _DATE,
    **dict.fromkeys((7, 8), _TIME),
    **dict.fromkeys((9, 10), _TIMESTAMP),
    **dict.fromkeys((11, 12, 13, 14), _INTEGER),
    21: _INTERVAL,
}


@dataclass(frozen=True)
class Kind:
    """A type of column.

    Attributes:
        holds: what is in it.
        stored: the physical type as which it is decoded.
        width: bytes of each value, if that is `FIXED`.
        values: makes its values of what was decoded: all of them, or the distinct ones.
    """

    holds: Holds
    stored: int
    width: int
    values: Callable[[RawColumn], Values]


def kind_of(element: Struct) -> Kind | None:
    """Find the type of a column from its element of the schema; None for an unknown one."""
    physical, width = _whole(element.get(1), -1), _whole(element.get(2))
    note, detail = _annotation(element)
    time = _kind_of_time(physical, note, detail)
    if time is not None:
        return time
    if note == _INTERVAL and physical == FIXED:
        return Kind("intervals", FIXED, width, _texts)
    if physical == BOOLEAN:
        return Kind("booleans", BOOLEAN, 0, _booleans)
    if physical in _NUMBERS:
        return Kind("numbers", physical, 0, _reader_of_numbers(physical, note, detail))
    if physical not in (BYTE_ARRAY, FIXED):
        return None
    if note == _DECIMAL:
        return Kind("numbers", physical, width, partial(_decimals_of_bytes, detail))
    if note == _HALF and width == 2:
        return Kind("numbers", FIXED, width, lambda raw: np.frombuffer(raw.values, "<f2"))
    if note == _UUID and width == 16:
        return Kind("texts", FIXED, width, _uuids)
    return Kind("texts", physical, width, _texts)


def _kind_of_time(physical: int, note: int | None, detail: int) -> Kind | None:
    if note == _TIME and physical in (INT32, INT64):
        return Kind("times of day", physical, 0, _reader_of_times(physical, detail))
    if physical == INT96:  # as many bytes, which mean a time
        return Kind("times", FIXED, 12, _times_of_96_bits)
    if note == _DATE and physical == INT32:
        return Kind("times", INT32, 0, _dates)
    if note == _TIMESTAMP and physical == INT64 and detail:
        return Kind("times", INT64, 0, _reader_of_times(INT64, detail))
    return None


def _annotation(element: Struct) -> tuple[int | None, int]:
    """What a column is annotated with, and the number that belongs to it, if any.

    That is a decimal's scale, how many units of a time make a second, or 1 for an unsigned integer.
    """
    converted, logical = _whole(element.get(6), -1), element.get(10)
    note: int | None = _CONVERTED.get(converted)
    facts: Struct = {}
    if isinstance(logical, Mapping) and logical:
        note, value = next(iter(logical.items()))
        facts = value if isinstance(value, Mapping) else {}
    if note == _DECIMAL:
        return note, _whole(element.get(7, facts.get(1)))
    if note in (_TIME, _TIMESTAMP):
        unit = facts.get(2)
        units = _UNITS.get(next(iter(unit), 0), 0) if isinstance(unit, Mapping) else 0
        return note, units or {7: 10**3, 8: 10**6, 9: 10**3, 10: 10**6}.get(converted, 0)
    if note == _INTEGER:
        return note, int(facts.get(2) is False or 11 <= converted <= 14)
    return note, 0


def _whole(value: Value | None, otherwise: int = 0) -> int:
    return value if isinstance(value, int) else otherwise


def _reader_of_numbers(
    physical: int, note: int | None, detail: int
) -> Callable[[RawColumn], Values]:
    numbers = partial(_numbers, _NUMBERS[physical])
    if physical in (FLOAT, DOUBLE):
        return numbers
    if note == _INTEGER and detail:
        return partial(_numbers, _NUMBERS[physical].replace("i", "u"))
    if note == _DECIMAL and detail:
        return lambda raw: numbers(raw).astype(np.float64) / _power_of_ten(detail)
    return numbers


def _reader_of_times(physical: int, units: int) -> Callable[[RawColumn], Values]:
    """Read times of which so many units make a second."""
    dtype, nanoseconds = _NUMBERS[physical], SECOND // max(units, 1)
    return lambda raw: _nanoseconds(np.frombuffer(raw.values, dtype), nanoseconds)


def _dates(raw: RawColumn) -> Numbers:
    return _nanoseconds(np.frombuffer(raw.values, "<i4"), DAY)


def _nanoseconds(counts: Numbers, unit: int) -> npt.NDArray[np.int64]:
    """Multiply counts of a unit out, as far as int64 goes."""
    wide, furthest = counts.astype(np.int64), LATEST // unit
    times = np.clip(wide, -furthest, furthest) * unit
    times[wide > furthest] = LATEST
    return np.asarray(times)


def _numbers(dtype: str, raw: RawColumn) -> Numbers:
    return np.frombuffer(raw.values, dtype)


def _booleans(raw: RawColumn) -> Numbers:
    return np.unpackbits(np.frombuffer(raw.values, np.uint8), bitorder="little")


def _times_of_96_bits(raw: RawColumn) -> Numbers:
    stamps = np.frombuffer(raw.values, [("nanoseconds", "<u8"), ("day", "<i4")])
    days = stamps["day"].astype(np.int64) - _JULIAN_DAY_OF_1970
    midnight = _nanoseconds(days, DAY)
    within = np.minimum(stamps["nanoseconds"], np.uint64(DAY)).astype(np.int64)
    return np.asarray(np.where(midnight > LATEST - DAY, LATEST, midnight + within))


def _pieces(raw: RawColumn) -> list[bytes]:
    ends = np.frombuffer(raw.ends, "<i4").tolist()
    return [raw.values[start:end] for start, end in pairwise(ends)]


def _texts(raw: RawColumn) -> list[str]:
    if not raw.values.isascii():
        return [piece.decode("utf-8", "surrogateescape") for piece in _pieces(raw)]
    text = raw.values.decode("ascii")
    ends = np.frombuffer(raw.ends, "<i4").tolist()
    return [text[start:end] for start, end in pairwise(ends)]


def _uuids(raw: RawColumn) -> list[str]:
    digits = raw.values.hex()
    spelled = (digits[at : at + 32] for at in range(0, len(digits), 32))
    return ["-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:])) for h in spelled]


def _decimals_of_bytes(scale: int, raw: RawColumn) -> Values:
    divisor = _power_of_ten(scale)
    found = _pieces(raw)
    if max(map(len, found), default=0) > _MOST_DECIMAL_BYTES:
        raise ValueError("a decimal has more digits than any")
    numbers = [int.from_bytes(one, "big", signed=True) for one in found]
    if not scale:  # perhaps ids, and beyond 64 bits
        return [str(number) for number in numbers]
    return np.array([number / divisor for number in numbers])


def _power_of_ten(scale: int) -> int:
    if not 0 <= scale <= _MOST_DIGITS:
        raise ValueError(f"{scale} of a decimal's digits are behind its point")
    return int(10**scale)
