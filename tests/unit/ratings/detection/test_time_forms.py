"""How a file's times are told from each other: units, orders, columns, folders."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.formats.moments import SECOND
from recommender.ratings.detection.times import time_form_of
from recommender.ratings.form import RatingForm, Writing
from recommender.ratings.table import RatingsBuilder
from recommender.ratings.times import NO_TIMESTAMP, TimeForm, read_time

from testbed.ratings.datasets import read_into
from testbed.ratings.parquet_writers import by_pyarrow

WHEN = datetime(2024, 1, 31, 10, 0, 0, tzinfo=UTC)
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}


def read(data: bytes, form: RatingForm | None = None) -> tuple[list[int], RatingsBuilder]:
    """The times of a file in nanoseconds, and what read it."""
    into, parts, _ = read_into("a.csv", data, 0.0, form or RatingForm())
    return [time for part in parts for time in part.timestamps.tolist()], into


def table(*times: str, name: str = "date") -> bytes:
    rows = "".join(f'u{n},i,4,"{time}"\n' for n, time in enumerate(times))
    return f"user,item,rating,{name}\n{rows}".encode()


def nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND


@given(st.integers(10**8, 2**33 - 1), st.sampled_from(list(UNITS)))
def test_the_unit_of_a_number_follows_from_its_size(second: int, unit: str) -> None:
    found, into = read(table(str(second * UNITS[unit])))
    assert found == [second * SECOND]
    assert into.times.read == {f"{unit} since 1970": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1700000000.25", 1_700_000_000_250_000_000),
        ("1700000000.123456789", 1_700_000_000_123_456_789),
        ("1700000000123.5", 1_700_000_000_123_500_000),
        ("1.7e9", 1_700_000_000 * SECOND),
        ("1700000000123456789", 1_700_000_000_123_456_789),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123_456_789),
        ("2023-11-14 22:13:20,5 UTC", 1_700_000_000_500_000_000),
        ("14 Nov 2023 22:13:20.000001", 1_700_000_000_000_001_000),
    ],
)
def test_fractions_of_a_second_count(text: str, expected: int) -> None:
    assert read(table(text))[0] == [expected]


def test_a_float_of_parquet_keeps_its_fraction() -> None:
    columns = {"user": ["u"], "item": ["i"], "rating": [4.0], "time": pa.array([1.7e9 + 0.25])}
    assert read(by_pyarrow(pa.table(columns), {}))[0] == [1_700_000_000_250_000_000]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (["25/12/2023"], datetime(2024, 2, 1, tzinfo=UTC)),
        (["12/25/2023"], datetime(2024, 1, 2, tzinfo=UTC)),
        (["25/12/2023"] * 300, datetime(2024, 2, 1, tzinfo=UTC)),
        (["03/04/2023"] * 300 + ["12/25/2023"], datetime(2024, 1, 2, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("sort", [list, reversed])
def test_one_date_that_can_only_be_the_one_decides_for_all(
    others: list[str], expected: datetime, sort: type
) -> None:
    found, into = read(table(*sort(["01/02/2024", *others])))
    assert nanoseconds(expected) in (found[0], found[-1])
    assert not into.times.unread


def test_dates_that_may_be_either_are_counted_and_the_setting_named() -> None:
    found, into = read(table("01/02/2024", "03/04/2024 10:00", "2024-01-31 10:00"))
    assert found == [NO_TIMESTAMP, NO_TIMESTAMP, nanoseconds(WHEN)]
    assert into.times.unread == {"99/99/9999": 1, "99/99/9999 99:99": 1}
    (warning,) = into.account.warnings
    assert "2 dates" in warning
    assert "date_order" in warning


def test_where_dates_contradict_each_other_each_stands_for_itself() -> None:
    found, into = read(table("25/12/2023", "12/31/2023", "01/02/2024"))
    days = [datetime(2023, 12, 25, tzinfo=UTC), datetime(2023, 12, 31, tzinfo=UTC)]
    assert found == [*map(nanoseconds, days), NO_TIMESTAMP]
    assert into.times.unread == {"99/99/9999": 1}


@pytest.mark.parametrize(("order", "month"), [("day_first", 2), ("month_first", 1)])
def test_the_settings_say_the_order(order: str, month: int) -> None:
    form = RatingForm(writing=Writing(date_order=order))  # type: ignore[arg-type]
    found, _ = read(table("01/02/2024"), form)
    assert found == [nanoseconds(datetime(2024, month, 3 - month, tzinfo=UTC))]


@pytest.mark.parametrize("text", ["20240131", "20240131100000", "202401311000"])
def test_dates_of_digits_are_dates_where_all_are(text: str) -> None:
    found, into = read(table(text, "20231225"))
    assert found[0] in (nanoseconds(WHEN), nanoseconds(WHEN.replace(hour=0)))
    assert into.times.read == {"yyyymmdd": 2}


def test_a_counter_is_no_date_of_digits() -> None:
    found, _ = read(table("20240131", "20240132"))
    assert found == [20240131 * SECOND, 20240132 * SECOND]


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        ("date,time", "2024-01-31,10:00:00"),
        ("date,time", "2024-01-31,1000"),
        ("time,date", "10:00 am,2024-01-31"),
        ("date,time", "20240131,100000"),
        ("order_date,order_time", "31.01.2024,10:00"),
    ],
)
def test_a_date_and_a_time_of_day_in_two_columns(names: str, cells: str) -> None:
    data = f"user,item,rating,{names}\n" + "".join(f"u{n},i,4,{cells}\n" for n in range(3))
    found, into = read(data.encode())
    assert found == [nanoseconds(WHEN)] * 3
    assert "clock" in into.account.columns
    objects = [
        dict(zip(("user", "item", "rating", *names.split(",")), row.split(","), strict=True))
        for row in data.splitlines()[1:]
    ]
    lines = "\n".join(json.dumps(one) for one in objects).encode()
    assert read(lines)[0] == [nanoseconds(WHEN)] * 3
    parquet = pa.table({name: [one[name] for one in objects] for name in objects[0]})
    assert read(by_pyarrow(parquet, {}))[0] == [nanoseconds(WHEN)] * 3


def test_a_time_of_day_of_parquet_belongs_to_the_date_beside_it() -> None:
    columns = {
        "user": ["u"],
        "item": ["i"],
        "rating": [4.0],
        "date": pa.array([WHEN.date()], pa.date32()),
        "time": pa.array([WHEN.time()], pa.time64("us")),
    }
    assert read(by_pyarrow(pa.table(columns), {}))[0] == [nanoseconds(WHEN)]


def test_a_full_time_beside_a_date_is_no_time_of_day() -> None:
    data = b"user,item,rating,date,time\nu,i,4,2020-01-01,1706695200\n"
    found, _ = read(data)
    assert found == [nanoseconds(WHEN)]


@pytest.mark.parametrize("name", ["rated_at", "Rating Date", "updated_at", "last-updated"])
def test_of_several_times_that_of_the_rating_counts(name: str) -> None:
    data = (
        f"user,item,rating,created_at,{name},date\nu,i,4,2020-01-01,2024-01-31 10:00,2021-01-01\n"
    )
    assert read(data.encode())[0] == [nanoseconds(WHEN)]


def test_a_column_that_is_empty_for_most_rows_gives_way_to_the_next() -> None:
    rows = "".join(f"u{n},i,4,,2024-01-31 10:00\n" for n in range(9))
    data = f"user,item,rating,updated_at,created_at\nu,i,4,2023-01-01,2020-01-01\n{rows}"
    assert read(data.encode())[0][1:] == [nanoseconds(WHEN)] * 9


def test_an_object_of_json_without_its_first_time_has_its_next() -> None:
    rows = [
        {"user": "a", "item": "x", "rating": 4, "updated_at": None, "created_at": "2024-01-31T10Z"},
        {"user": "b", "item": "x", "rating": 4, "updated_at": "2024-01-31T10Z", "created_at": None},
    ]
    data = "\n".join(map(json.dumps, rows)).encode()
    assert read(data)[0] == [nanoseconds(WHEN)] * 2


def test_what_cannot_be_read_is_counted_by_its_shape() -> None:
    found, into = read(table("yesterday", "31.02.2024", "", "NULL", "29.02.2024", "-5"))
    assert [time < 0 for time in found] == [True] * 4 + [False, True]
    assert into.times.unread == {"a": 1, "99.99.9999": 1, "-9": 1}
    assert into.times.missing == 2
    assert into.account.to_dict()["times"]["missing"] == 2  # type: ignore[index]


@pytest.mark.parametrize("text", ["9999-12-31", "9" * 19, "31.12.9999 23:59"])
def test_what_is_later_than_all_times_is_the_latest(text: str) -> None:
    found, _ = read(table(text, "2200-01-01"))
    assert found[0] > found[1] > 0


# --- folders --------------------------------------------------------------------------------------

DAY = RatingForm(partitions={"dt": "2024-01-31", "country": "DE"})
FILES = {
    "header": b"user,item,rating\nu,i,4\n",
    "no header": b"u,i,4\n",
    "JSON": b'{"user": "u", "item": "i", "rating": 4}\n',
    "Parquet": by_pyarrow(pa.table({"user": ["u"], "item": ["i"], "rating": [4.0]}), {}),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_a_folders_name_says_when_its_rows_were_written(data: bytes) -> None:
    found, into = read(data, DAY)
    assert found == [nanoseconds(WHEN.replace(hour=0))]
    assert (into.rows, into.rejected) == (1, 0)


def test_a_files_own_time_is_nearer_than_its_folders() -> None:
    assert read(table("2024-01-31 10:00"), RatingForm(partitions={"dt": "1999-01-01"}))[0] == [
        nanoseconds(WHEN)
    ]


def test_a_parquet_files_own_time_is_told_of_as_its_own() -> None:
    columns = {"user": ["u"], "item": ["i"], "rating": [4.0], "date": ["2024-01-31 10:00"]}
    found, into = read(by_pyarrow(pa.table(columns), {}), DAY)
    assert found == [nanoseconds(WHEN)]
    assert into.account.columns["timestamp"] == "'date'"


@pytest.mark.parametrize("data", [b"user,item\nu,i\n", b'{"user": "u", "item": "i"}\n'])
def test_a_folders_name_may_hold_the_event(data: bytes) -> None:
    form = RatingForm(
        feedback="implicit",
        events={"buy": 3.0, "view": 1.0},
        partitions={"event_type": "buy"},
    )
    _, into = read(data, form)
    assert into.account.first[0].value == 3.0


def test_a_folders_name_may_hold_the_rating() -> None:
    _, into = read(b"user,item\nu,i\n", RatingForm(partitions={"rating": "5"}))
    assert into.account.first[0].value == 5.0


# --- the form itself ------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=12)))
def test_any_cells_have_a_form_and_are_read_or_not(cells: list[str]) -> None:
    form = time_form_of(cells)
    assert all(read_time(cell, form).nanoseconds >= NO_TIMESTAMP for cell in cells)


def test_no_cells_say_nothing() -> None:
    assert time_form_of([]) == TimeForm()
