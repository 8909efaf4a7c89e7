"""Spellings of the time of a rating."""

import datetime as dt
import email.utils
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.formats.moments import SECOND
from recommender.ratings.times import NO_TIMESTAMP, TimeForm, read_time

from testbed.ratings.files import accepted

MOMENT = dt.datetime(2023, 11, 14, 22, 13, 21, tzinfo=dt.UTC)
SECONDS = int(MOMENT.timestamp())
MIDNIGHT = SECONDS - SECONDS % 86_400


@pytest.mark.parametrize(
    "text",
    [
        *("2023-11-14 22:13:21 UTC", "2023-11-14 22:13:21.5 UTC", "2023-11-14T22:13:21.000Z"),
        *("2023-11-14 22:13:21 GMT", "2023-11-14 22:13:21Z", "2023-11-14 23:13:21+01"),
        *("2023-11-14T22:13:21.123456789Z", "2023-11-14 17:13:21-05:00", "20231114T221321"),
        *("2023/11/14 22:13:21", "2023.11.14 22:13:21", "14.11.2023 22:13:21"),
        *("14.11.2023, 22:13:21", "14 Nov 2023 22:13:21", "14-Nov-2023 22:13:21"),
        *(
            "Nov 14, 2023 10:13:21 PM",
            "November 14, 2023, 10:13:21 p.m.",
            "14th November 2023 22:13:21",
        ),
        *("Tue, 14 Nov 2023 22:13:21 GMT", "Tue, 14 Nov 2023 23:13:21 +0100"),
        *("Tue Nov 14 22:13:21 2023", "Tue Nov 14 22:13:21 UTC 2023"),
    ],
)
def test_spellings_of_one_moment(text: str) -> None:
    assert read_time(text, TimeForm()).nanoseconds // SECOND == SECONDS
    quoted = text.replace('"', "")
    assert accepted(f'user,item,rating,date\na,x,4,"{quoted}"\n'.encode())[0].timestamp == SECONDS


@pytest.mark.parametrize(
    "text",
    ["2023/11/14", "2023-11-14", "14.11.2023", "14 Nov 2023", "Nov 14, 2023", "20231114T00"],
)
def test_spellings_of_one_day(text: str) -> None:
    assert read_time(text, TimeForm()).nanoseconds == MIDNIGHT * SECOND


@pytest.mark.parametrize(
    "text",
    [
        *(
            "11/12/2023",
            "31.02.2023",
            "2023-13-01",
            "14.11.23",
            "Nov 2023",
            "22:13:21",
        ),
        *("Nov 14, 2023 13:13 PM", "0:13:21 AM", "tomorrow", "2023-11/14", "14 Novem 2023"),
    ],
)
def test_what_may_mean_another_day_or_none_is_no_time(text: str) -> None:
    assert read_time(text, TimeForm()).nanoseconds == NO_TIMESTAMP


@given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1)), st.integers(-12, 12))
def test_what_python_spells_is_read(naive: dt.datetime, hours: int) -> None:
    moment = naive.replace(microsecond=0, tzinfo=dt.timezone(dt.timedelta(hours=hours)))
    expected = int(moment.timestamp())
    spellings = [
        email.utils.format_datetime(moment),
        moment.isoformat(),
        moment.isoformat(" "),
        moment.strftime("%d %B %Y %I:%M:%S %p %z"),
        moment.strftime("%Y/%m/%d %H:%M:%S%z"),
    ]
    for text in spellings:
        found = read_time(text, TimeForm()).nanoseconds // SECOND
        assert found == max(expected, NO_TIMESTAMP), text


@pytest.mark.parametrize(
    "value",
    [
        {"$date": "2023-11-14T22:13:21Z"},
        {"$date": SECONDS * 1000},
        {"$date": {"$numberLong": str(SECONDS * 1000)}},
        {"$timestamp": {"t": SECONDS, "i": 1}},
        {"$numberLong": str(SECONDS)},
        {"seconds": SECONDS, "nanos": 0},
        {"_seconds": SECONDS, "_nanoseconds": 999_999_999},
        {"seconds": {"$numberLong": str(SECONDS)}, "nanos": 5},
        str(SECONDS),
        SECONDS,
    ],
)
def test_times_in_objects_of_json(value: object) -> None:
    line = json.dumps({"user": "a", "item": "x", "rating": 4, "timestamp": value})
    assert accepted(line.encode())[0].timestamp == SECONDS


@pytest.mark.parametrize(
    "value",
    [
        {"$date": None},
        {"seconds": 5, "nanos": 10**9},
        {"a": 1, "b": 2},
        {"$date": {"$numberLong": "x"}},
        {"date": 5},
        {},
        [],
        True,
        None,
    ],
)
def test_other_objects_are_no_times_and_cost_no_row(value: object) -> None:
    line = json.dumps({"user": "a", "item": "x", "rating": 4, "timestamp": value})
    assert accepted(line.encode())[0].timestamp == NO_TIMESTAMP
