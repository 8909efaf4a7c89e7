"""Parquet files of ratings: which column is what, and column by column to rows."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np
import numpy.typing as npt

from recommender.errors import MalformedRatingsError
from recommender.formats.moments import DAY, LATEST, time_of_day_in
from recommender.formats.parquet.files import Column, Field, ParquetError, ParquetFile
from recommender.ratings.detection.kinds import ONE_KIND, understand
from recommender.ratings.detection.samples import may_be_ratings
from recommender.ratings.detection.times import telling_column, time_form_of
from recommender.ratings.feedback import EXPLICIT, IMPLICIT
from recommender.ratings.form import RatingForm
from recommender.ratings.identifiers import IdTable
from recommender.ratings.rejects import Problem, by_reason
from recommender.ratings.table import (
    EXPECTED,
    EXPECTED_OF_INTERACTIONS,
    INTERACTION_COLUMNS,
    REQUIRED_COLUMNS,
    TIME_COLUMNS,
    RatingRows,
    RatingsBuilder,
)
from recommender.ratings.times import (
    NO_TIMESTAMP,
    TimeForm,
    known_times,
    read_times,
    times_of_numbers,
)
from recommender.ratings.values import MOST_COUNTED

_UNUSABLE = -1  # instead of an id's code
_SAMPLE_ROWS = 100
_NULL = -1  # instead of a value's place
_MOST_TOLD = 100_000

Codes = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.integer | np.floating]


def read_parquet(chunks: Iterator[bytes], into: RatingsBuilder, form: RatingForm) -> None:
    """Read the rows of a Parquet file; a row's line is its number, counted from 1.

    Args:
        chunks: the file's bytes. Its index is at its end, so they go to a temporary file first.
        into: takes the rows and the rejects.
        form: may name the columns.

    Raises:
        MalformedRatingsError: it is damaged, has no such columns, or uses what is not read here.
    """
    with tempfile.TemporaryFile() as file:
        for chunk in chunks:
            file.write(chunk)
        try:
            _read(ParquetFile(file), into, form)
        except ParquetError as error:
            raise MalformedRatingsError(into.key, 1, f"the file {error}") from None


def _read(file: ParquetFile, into: RatingsBuilder, form: RatingForm) -> None:
    found = _interactions(file, form)
    understand(into, EXPLICIT if found is None else IMPLICIT, form)
    beside = form.of_partitions(implicit=found is not None)
    if found is None:
        required = [role for role in REQUIRED_COLUMNS if role not in beside]
        found = _fields(file, form.find_columns, required, EXPECTED)
    found |= _time_column(file, form) | _clock_beside(file, found, form)
    _refuse_what_is_none(found)
    into.account.format = "Parquet"
    into.account.note_names({role: field.name for role, field in found.items()})
    line = 1
    cells = list(form.partitions.values())
    same = {role: [cells[at]] for role, at in beside.items() if role not in found}
    into.account.columns |= {role: f"the folder's name, {cell!r}" for role, (cell,) in same.items()}
    for columns in file.batches(list(found.values())):
        rows = columns[0].which.size
        named = dict(zip(found, columns, strict=True))
        named |= {role: Column(cell, np.zeros(rows, np.int32)) for role, cell in same.items()}
        if line == 1:
            into.time_form = _time_form(named, form)
        line += _add_batch(named, found, line, into)
        into.flush()


def _time_column(file: ParquetFile, form: RatingForm) -> dict[str, Field]:
    """Find the first of the columns that are called times in which half of the rows have one."""
    fields = [file.fields[at] for at in form.time_columns([one.name for one in file.fields])]
    if len(fields) < 2:
        return {}
    timed = next((at for at, field in enumerate(fields) if field.kind.holds == "times"), None)
    before = fields[:timed]
    with closing(file.batches(before)) as batches:
        samples = enumerate(map(_sample, next(batches, []))) if before else ()
        at = telling_column(samples, form.writing.date_order)
    at = timed if at is None else at
    return {} if at is None else {"timestamp": fields[at]}


def _clock_beside(
    file: ParquetFile, found: Mapping[str, Field], form: RatingForm
) -> dict[str, Field]:
    """Find a date and a time of day that stand in two columns."""
    pair = form.find_date_and_clock([field.name for field in file.fields])
    if pair is None or found.get("timestamp") not in [file.fields[at] for at in pair]:
        return {}
    date, clock = (file.fields[at] for at in pair)
    if clock.kind.holds != "times of day" and (date.kind.holds, clock.kind.holds) != ("texts",) * 2:
        return {}
    return {"timestamp": date, "clock": clock}


def _time_form(columns: Mapping[str, Column], form: RatingForm) -> TimeForm:
    order = form.writing.date_order
    if "timestamp" not in columns:
        return TimeForm(order)
    values = columns["timestamp"].values
    if isinstance(values, np.ndarray) and values.dtype.kind not in "iu":
        return TimeForm(order)
    return time_form_of((str(value) for value in values[:_MOST_TOLD]), order)


def _interactions(file: ParquetFile, form: RatingForm) -> dict[str, Field] | None:
    """Find the columns of a file without ratings; None if it is to hold some.

    Raises:
        ParquetError: the settings say that there are none, and the file names no user or no item.
    """
    if not form.is_implicit:
        columns = form.find_columns([field.name for field in file.fields])
        has_pairs = all(role in columns for role in INTERACTION_COLUMNS)
        if form.feedback == EXPLICIT or "rating" in {*form.columns, *columns} or not has_pairs:
            return None
    needed = form.needed_interactions
    found = _fields(file, form.find_interactions, needed, EXPECTED_OF_INTERACTIONS)
    is_sure = form.is_implicit or "count" in found or "event" in found
    return found if is_sure or not _may_hide_ratings(file, found) else None


def _may_hide_ratings(file: ParquetFile, found: Mapping[str, Field]) -> bool:
    """Whether a column that plays no role may hold ratings under a name that we do not know."""
    known = {field.name for field in found.values()}
    others = [one for one in file.fields if one.name not in known and one.kind.holds == "numbers"]
    if not others:
        return False
    with closing(file.batches(others)) as batches:
        columns = next(batches, [])
    return any(may_be_ratings(_sample(one)) for one in columns)


def _fields(
    file: ParquetFile,
    find: Callable[[Sequence[str]], Mapping[str, int]],
    required: Sequence[str],
    expected: str,
) -> dict[str, Field]:
    """Find the columns by their names: role -> field."""
    names = [field.name for field in file.fields]
    positions = find(names)
    missing = [role for role in required if role not in positions]
    if missing:
        shown = ", ".join(repr(name[:40]) for name in names[:10])
        hint = f". {ONE_KIND}" if missing == ["rating"] else ""
        raise ParquetError(
            f"is a Parquet file with no {' and no '.join(missing)}: its columns are {shown}. "
            f"Columns are called {expected}{hint}"
        )
    return {role: file.fields[at] for role, at in positions.items()}


def _refuse_what_is_none(fields: Mapping[str, Field]) -> None:
    for role in fields:
        if role in TIME_COLUMNS:
            continue
        name, holds = fields[role].shown, fields[role].kind.holds
        if holds not in ("numbers", "texts") and not (role == "rating" and holds == "booleans"):
            raise ParquetError(f"has a column {name} that holds {holds}, which are no {role}s")


def _add_batch(
    columns: Mapping[str, Column],
    fields: Mapping[str, Field],
    first_line: int,
    into: RatingsBuilder,
) -> int:
    """Add some rows; say how many they are."""
    problems: list[Problem] = []
    values = _values(columns, into, problems)
    users = _codes(columns["user"], into.users, problems)
    items = _codes(columns["item"], into.items, problems)
    size = values.size
    kinds = {role: field.kind.holds for role, field in fields.items()}
    times = _times(columns, kinds, into)
    bad = np.zeros(size, np.bool_)
    for problem in problems:
        bad |= problem.flags
    lines = np.arange(first_line, first_line + size, dtype=np.int64)
    good = slice(None) if not bad.any() else np.flatnonzero(~bad)
    rows = np.flatnonzero(bad)
    kept = into.rejects_to_keep
    for row in rows[:kept].tolist():
        reason = next(one.reason(row) for one in problems if one.flags[row])
        text = ", ".join(f"{role}={_shown(column, row)}" for role, column in columns.items())
        into.reject(first_line + row, reason, text)
    for reason, many in by_reason(rows[kept:], problems):
        into.count_rejects(reason, many)
    into.add_rows(RatingRows(users[good], items[good], values[good], times[good], lines[good]))
    return size


def _codes(column: Column, table: IdTable, problems: list[Problem]) -> Codes:
    reasons = {_NULL: f"{table.noun} id is null"}
    values, which = column.values, column.which
    if not isinstance(values, np.ndarray):
        codes = [table.known.get(cell, _UNUSABLE) for cell in values]
        for place in [at for at, code in enumerate(codes) if code == _UNUSABLE]:
            try:
                codes[place] = table.add(_sound(values[place], f"{table.noun} id"))
            except ValueError as problem:
                reasons[place] = str(problem)
        known = np.array(codes, np.int32)
    elif values.dtype.kind == "f":
        known = _codes_of_floats(values, table, reasons)
    elif values.size and int(values.min()) >= 0 and int(values.max()) < IdTable.MOST_PLAIN:
        known = values.astype(np.int32)
    else:
        distinct, which_value = np.unique(values, return_inverse=True)
        codes = [table.add(str(one)) for one in distinct.tolist()]
        known = np.array(codes, np.int32)[which_value]
    found = np.append(known, np.int32(_UNUSABLE))[which]
    problems.append(Problem(found == _UNUSABLE, which, reasons.__getitem__))
    return found


def _codes_of_floats(values: Numbers, table: IdTable, reasons: dict[int, str]) -> Codes:
    """Read whole numbers that were written as fractions, as a column of integers with gaps is."""
    wide = values.astype(np.float64)
    # Beyond it, neighbouring whole numbers are one float, and two users would be.
    exact = 2 << np.finfo(values.dtype.name).nmant
    codes = np.full(wide.size, _UNUSABLE, np.int32)
    whole = (np.abs(wide) <= exact) & (np.floor(wide) == wide)
    for place in np.flatnonzero(~whole).tolist():
        value = float(wide[place])
        what = "is null" if np.isnan(value) else f"{value:g} is no whole number that is exact"
        reasons[place] = f"{table.noun} id {what}"
    distinct, which = np.unique(wide[whole].astype(np.int64), return_inverse=True)
    known = np.array([table.add(str(one)) for one in distinct.tolist()], np.int32)
    codes[whole] = known[which]
    return codes


def _values(
    columns: Mapping[str, Column], into: RatingsBuilder, problems: list[Problem]
) -> npt.NDArray[np.float32]:
    """Read the ratings, or the counts times the weights of the events."""
    numbers = columns.get("rating", columns.get("count"))
    if numbers is None:
        values = np.ones(columns["user"].which.size, np.float32)
    else:
        values = _numbers(numbers, into, problems)
    if "event" in columns:
        values = (values * _weights(columns["event"], into, problems)).astype(np.float32)
    return values


def _numbers(
    column: Column, into: RatingsBuilder, problems: list[Problem]
) -> npt.NDArray[np.float32]:
    noun, check = into.meaning.noun, into.meaning.check
    reasons = {_NULL: f"{noun} is null"}
    values, which = column.values, column.which
    if isinstance(values, np.ndarray):
        wide = values.astype(np.float64)
        usable = np.abs(wide) <= float(np.finfo(np.float32).max)  # false for NaN as well
        if into.meaning.feedback == IMPLICIT:
            usable &= (wide >= 0) & (wide <= MOST_COUNTED)
        for place in np.flatnonzero(~usable)[:1000].tolist():
            try:
                check(float(wide[place]))
            except ValueError as problem:
                reasons[place] = str(problem)
        numbers = np.where(usable, wide, 0).astype(np.float32)
    else:
        numbers, usable = np.zeros(len(values), np.float32), np.ones(len(values), np.bool_)
        for place, cell in enumerate(values):
            try:
                numbers[place] = into.value(_sound(cell, noun))
            except ValueError as problem:
                reasons[place] = str(problem)
                usable[place] = False
    numbers[np.isin(numbers, np.array(into.meaning.missing_numbers, np.float32))] = np.nan
    has_nulls = "" in into.meaning.missing
    bad = ~np.append(usable, has_nulls)[which]
    unknown = f"{noun} is no finite number"
    problems.append(Problem(bad, which, lambda place: reasons.get(place, unknown)))
    return np.append(numbers, np.float32(np.nan if has_nulls else 0))[which]


def _weights(
    column: Column, into: RatingsBuilder, problems: list[Problem]
) -> npt.NDArray[np.float64]:
    """Look up how much each row's event counts."""
    values, which = column.values, column.which
    if isinstance(values, np.ndarray):
        distinct, places = np.unique(values, return_inverse=True)
        cells = [str(value) for value in distinct.tolist()]
        which = np.append(places, _NULL)[which]
    else:
        cells = list(values)
    reasons = {_NULL: "event is null"}
    weights = np.zeros(len(cells) + 1)
    for place, cell in enumerate(cells):
        try:
            weights[place] = into.meaning.event_weight(_sound(cell, "event"))
        except ValueError as problem:
            reasons[place] = str(problem)
    bad = np.isin(which, list(reasons))
    problems.append(Problem(bad, which, reasons.__getitem__))
    return weights[which]


def _sound(cell: str, what: str) -> str:
    """A text, if its bytes were UTF-8.

    Raises:
        ValueError: they were not.
    """
    if not cell.isascii() and any("\udc80" <= character <= "\udcff" for character in cell):
        raise ValueError(f"{what} is not UTF-8")
    return cell


def _times(
    columns: Mapping[str, Column], kinds: Mapping[str, str], into: RatingsBuilder
) -> npt.NDArray[np.int64]:
    """Read when the rows were written, in nanoseconds, and count how."""
    account, form = into.times, into.time_form
    column, holds = columns.get("timestamp"), kinds.get("timestamp", "texts")
    size = columns["user"].which.size
    if column is None or holds not in ("numbers", "texts", "times"):
        account.missing += size
        return np.full(size, NO_TIMESTAMP, np.int64)
    if "clock" in columns:
        return _times_of_two(column, columns["clock"], kinds["clock"], into)
    values, which = column.values, column.which
    if not isinstance(values, np.ndarray) or form.of_digits:
        return read_times([str(value) for value in values], which, form, account)
    if holds == "times":
        return known_times(np.asarray(values, np.int64), which, account)
    wide = values.astype(np.float64) if values.dtype.kind == "f" else values
    of_rows = which >= 0
    times = np.full(size, NO_TIMESTAMP, np.int64)
    times[of_rows] = times_of_numbers(wide[which[of_rows]], account)
    account.missing += size - int(np.count_nonzero(of_rows))
    return times


def _times_of_two(
    date: Column, clock: Column, holds: str, into: RatingsBuilder
) -> npt.NDArray[np.int64]:
    """Read a date and a time of day in two columns."""
    if isinstance(date.values, np.ndarray):
        days = known_times(np.asarray(date.values, np.int64), date.which, into.times)
    else:
        days = read_times(list(date.values), date.which, into.time_form, into.times)
    if holds == "times of day":
        within = np.asarray(clock.values, np.int64)
    else:
        found = (time_of_day_in(str(cell).strip()) for cell in clock.values)
        within = np.array([time or 0 for time in found], np.int64)
    beside = np.append(within, np.int64(0))[clock.which]
    return np.where(days < 0, days, np.minimum(days, LATEST - DAY) + beside)


def _sample(column: Column) -> list[str]:
    """The cells of the first rows."""
    return [_shown(column, row) for row in range(min(_SAMPLE_ROWS, column.which.size))]


def _shown(column: Column, row: int) -> str:
    place = int(column.which[row])
    if place < 0:
        return "null"
    return str(column.values[place])
