"""Parquet files of ratings: which column is what, and column by column to rows."""

import tempfile
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import numpy.typing as npt

from recommender.errors import MalformedRatingsError
from recommender.formats.parquet import Column, Field, ParquetError, ParquetFile
from recommender.ratings.form import RatingForm
from recommender.ratings.identifiers import IdTable
from recommender.ratings.table import EXPECTED, REQUIRED_COLUMNS, RatingRows, RatingsBuilder
from recommender.ratings.values import NO_TIMESTAMP, checked_rating, read_timestamp

_MOST_IN_MEMORY = 32 << 20
_UNUSABLE = -1
_MOST_PRECISE_INTEGER = 1 << 53

Codes = npt.NDArray[np.int32]


def read_parquet(chunks: Iterator[bytes], into: RatingsBuilder, form: RatingForm) -> None:
    """Read the rows of a Parquet file; a row's line is its number, counted from 1.

    Args:
        chunks: the file's bytes. Its index is at its end, so they go to a temporary file first.
        into: takes the rows and the rejects.
        form: may name the columns.

    Raises:
        MalformedRatingsError: it is damaged, has no such columns, or uses what is not read here.
    """
    with tempfile.SpooledTemporaryFile(max_size=_MOST_IN_MEMORY) as file:
        for chunk in chunks:
            file.write(chunk)
        try:
            _read(ParquetFile(file), into, form)  # type: ignore[arg-type]  # it is a BinaryIO
        except ParquetError as error:
            raise MalformedRatingsError(into.key, 1, f"the file {error}") from None


def _read(file: ParquetFile, into: RatingsBuilder, form: RatingForm) -> None:
    names = list(file.fields)
    found = {role: names[at] for role, at in form.find_columns(names).items()}
    missing = [role for role in REQUIRED_COLUMNS if role not in found]
    if missing:
        shown = ", ".join(repr(name[:40]) for name in names[:10])
        raise ParquetError(
            f"is a Parquet file with no {' and no '.join(missing)}: its columns are {shown}. "
            f"Columns are called {EXPECTED}"
        )
    line = 1
    for columns in file.row_groups(list(found.values())):
        by_role = {role: (file.fields[name], columns[name]) for role, name in found.items()}
        line += _add_group(by_role, line, into)
        into.flush()


def _add_group(
    columns: dict[str, tuple[Field, Column]], first_line: int, into: RatingsBuilder
) -> int:
    """Add the rows of one row group; say how many it has."""
    problems: list[tuple[npt.NDArray[np.bool_], Callable[[int], str]]] = []
    values = _ratings(columns["rating"][1], into, problems)
    users = _codes(columns["user"][1], into.users, problems)
    items = _codes(columns["item"][1], into.items, problems)
    times = _timestamps(*columns["timestamp"]) if "timestamp" in columns else None
    size = values.size
    if times is None:
        times = np.full(size, NO_TIMESTAMP, np.int64)
    bad = np.zeros(size, np.bool_)
    for flags, _ in problems:
        bad |= flags
    lines = np.arange(first_line, first_line + size, dtype=np.int64)
    good = slice(None) if not bad.any() else np.flatnonzero(~bad)
    for row in np.flatnonzero(bad).tolist():
        reason = next(told(row) for flags, told in problems if flags[row])
        text = ", ".join(f"{role}={_shown(column, row)}" for role, (_, column) in columns.items())
        into.reject(first_line + row, reason, text)
    if size:
        into.add_rows(RatingRows(users[good], items[good], values[good], times[good], lines[good]))
    return size


def _codes(
    column: Column,
    table: IdTable,
    problems: list[tuple[npt.NDArray[np.bool_], Callable[[int], str]]],
) -> Codes:
    reasons: dict[int, str] = {_UNUSABLE: f"{table.noun} id is null"}
    codes: list[int] = []
    values, which = column.values, column.which
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "f":
            raise ParquetError(f"has fractions as {table.noun} ids; write integers or texts")
        if values.size and int(values.min()) >= 0 and int(values.max()) < IdTable.MOST_PLAIN:
            known = values.astype(np.int32)
        else:
            distinct, which_value = np.unique(values, return_inverse=True)
            known = np.array([table.add(str(one)) for one in distinct.tolist()], np.int32)
            known = known[which_value]
    else:
        seen: dict[bytes, int] = {}
        for place, text in enumerate(values):
            code = seen.get(text)
            if code is None:
                try:
                    code = table.add(text.decode())
                except UnicodeDecodeError:
                    code, reasons[place] = _UNUSABLE, f"{table.noun} id is not UTF-8"
                except ValueError as problem:
                    code, reasons[place] = _UNUSABLE, str(problem)
                else:
                    seen[text] = code
            codes.append(code)
        known = np.array(codes, np.int32)
    found = np.append(known, np.int32(_UNUSABLE))[which]
    problems.append((found == _UNUSABLE, lambda row: reasons[int(which[row])]))
    return found.astype(np.int32)


def _ratings(
    column: Column,
    into: RatingsBuilder,
    problems: list[tuple[npt.NDArray[np.bool_], Callable[[int], str]]],
) -> npt.NDArray[np.float32]:
    reasons: dict[int, str] = {-1: "rating is null"}
    values, which = column.values, column.which
    if isinstance(values, np.ndarray):
        wide = values.astype(np.float64)
        usable = np.abs(wide) <= float(np.finfo(np.float32).max)  # false for NaN as well
        for place in np.flatnonzero(~usable)[:1000].tolist():
            try:
                checked_rating(float(wide[place]))
            except ValueError as problem:
                reasons[place] = str(problem)
        numbers = np.where(usable, wide, 0).astype(np.float32)
    else:
        read, flags = [], []
        for place, text in enumerate(values):
            try:
                read.append(into.value(text.decode()))
                flags.append(True)
            except UnicodeDecodeError:
                reasons[place] = "rating is not UTF-8"
                read.append(0.0)
                flags.append(False)
            except ValueError as problem:
                reasons[place] = str(problem)
                read.append(0.0)
                flags.append(False)
        numbers, usable = np.array(read, np.float32), np.array(flags, np.bool_)
    bad = ~np.append(usable, False)[which].astype(np.bool_)
    problems.append((bad, lambda row: reasons.get(int(which[row]), "rating is no finite number")))
    return np.append(numbers, np.float32(0))[which].astype(np.float32)


def _timestamps(field: Field, column: Column) -> npt.NDArray[np.int64]:
    values = column.values
    if not isinstance(values, np.ndarray):
        numbers = np.array(
            [read_timestamp(text.decode("utf-8", "replace")) for text in values], np.int64
        )
    elif values.dtype.kind == "f":
        real = values.astype(np.float64)
        sound = (real >= 0) & (real < _MOST_PRECISE_INTEGER)
        numbers = np.where(sound, real, NO_TIMESTAMP).astype(np.int64)
    else:
        numbers = values.astype(np.int64)
        if field.per_second:
            numbers = numbers // field.per_second
        numbers = np.maximum(numbers, NO_TIMESTAMP)
    return np.asarray(np.append(numbers, np.int64(NO_TIMESTAMP))[column.which])


def _shown(column: Column, row: int) -> str:
    place = int(column.which[row])
    if place < 0:
        return "null"
    value = cast("object", column.values[place])
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
