"""Rating files of every format, as they should be."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.formats.moments import SECOND
from recommender.ratings.identifiers import NULL_WORDS, canonical_id
from recommender.ratings.times import TimeForm, read_time

from testbed.ratings.datasets import parse_ratings
from testbed.ratings.files import KEY, ROWS, Row, accepted, delimited, expected, rows_of


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", ["\t", "::", ",", ";", "|"])
def test_rows_without_a_header_are_user_item_rating_timestamp(delimiter: str, end: str) -> None:
    assert accepted(delimited(delimiter, end=end)) == expected(1)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", ["\t", "::", ",", ";", "|"])
def test_a_header_names_the_columns_in_any_order(delimiter: str, end: str) -> None:
    header = ("timestamp", "note", "rating", "movieId", "userId")
    rows = [(t, "n", r, i, u) for u, i, r, t in ROWS]
    assert accepted(delimited(delimiter, [header, *rows], end)) == expected(2)


@pytest.mark.parametrize(
    "header",
    [
        "user,item,rating,timestamp",
        "userId,movieId,rating,timestamp",
        "user_id,product_id,score,ts",
        "user_id,anime_id,rating,date",
        "User-ID,ISBN,Book-Rating,time",
        '"User ID","Item ID","Rating","Date"',
        " USER , ITEM , STARS , TS ",
        "reviewerID,asin,overall,unixReviewTime",
        "user_id,business_id,stars,date",
        "#user,item,rating,timestamp",
    ],
)
def test_common_column_names_are_known(header: str) -> None:
    assert accepted(header.encode() + b"\n" + delimited(",")) == expected(2)


def test_the_more_telling_of_two_names_for_a_column_wins() -> None:
    data = b"user,user_id,item,rating\nAnn,7,x,4\n"
    assert accepted(data) == [Row("7", "x", 4, -1, 2)]


def test_a_column_without_a_name_does_not_hide_the_others() -> None:
    assert accepted(b",user,item,rating\n0,a,x,4\n1,b,y,2\n") == [
        Row("a", "x", 4, -1, 2),
        Row("b", "y", 2, -1, 3),
    ]


def test_blank_lines_count_as_lines_but_not_as_rows() -> None:
    data = b"\n \t \nuser,item,rating\n\n\na,x,4\n\n"
    assert accepted(data) == [Row("a", "x", 4, -1, 6)]


def test_json_lines_take_the_same_names_in_any_order_and_mixture() -> None:
    data = b"""{"rating": 4.5, "movieId": 12, "userId": "007", "genres": ["a"]}
{"user": "007", "item": "12", "score": "3", "time": "1970-01-02"}
{"reviewerID": "A1", "asin": "B0", "overall": -1, "timestamp": null}
"""
    assert accepted(data) == [
        Row("007", "12", 4.5, -1, 1),
        Row("007", "12", 3, 86400, 2),
        Row("A1", "B0", -1, -1, 3),
    ]


def test_ids_stay_as_they_are_written_but_for_what_stands_around_and_fractions_of_nothing() -> None:
    data = "007,1e3,4\n 7 ,1.0,4\n7,É,4\n\u0667,日本 映画,4\n12345678901234567890,b:c|d,4\n"
    assert [(row.user, row.item) for row in accepted(data.encode())] == [
        ("007", "1e3"),
        ("7", "1"),
        ("7", "É"),
        ("\u0667", "日本 映画"),
        ("12345678901234567890", "b:c|d"),
    ]


def test_each_distinct_id_is_kept_once_and_only_if_a_row_uses_it() -> None:
    table, rejects = parse_ratings(KEY, b"only-here,,4\na,x,4\na,x,5\n", 0.1)
    assert len(rejects) == 1
    assert (table.users.names, table.items.names) == (("a",), ("x",))
    assert table.users.numbers.tolist() == [0, 0]
    assert (table.users[1], len(table.users)) == ("a", 2)


def test_quoted_cells_hold_delimiters_quotes_and_line_ends() -> None:
    data = b"""user,item,rating,review
"Doe, J.","a ""b"" c",4,"fine,
really"
plain,x,3,6" tall
"p", "y" ,"2","end"
"""
    assert accepted(data) == [
        Row("Doe, J.", 'a "b" c', 4, -1, 2),
        Row("plain", "x", 3, -1, 4),
        Row("p", "y", 2, -1, 5),
    ]


def test_a_quotation_mark_that_is_never_closed_costs_one_row() -> None:
    rest = b"".join(b"u%d,x,4\n" % n for n in range(300))
    table, rejects = parse_ratings(KEY, b'a,x,4\nb,"y,4\n' + rest, 0.1)
    assert [(reject.line, reject.text) for reject in rejects] == [(2, 'b,"y,4')]
    assert "quotation" in rejects[0].reason
    assert len(table) == 301
    assert table.lines[1] == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4.0),
        ("-0.5", -0.5),
        ("+3.", 3.0),
        (".25", 0.25),
        ("1e2", 100.0),
        (" 4.5 ", 4.5),
        ("0.1", float(np.float32(0.1))),
        ("3.4e38", float(np.float32(3.4e38))),
        ("1e-60", 0.0),
        ("0.123456789012345678901234567890", float(np.float32(0.12345679))),
    ],
)
def test_a_rating_is_a_decimal_number(text: str, value: float) -> None:
    assert [row.value for row in accepted(f"a,x,{text}\n".encode())] == [value]


@pytest.mark.parametrize(
    "data",
    [b"user;item;rating\na;b;4,5\n", b"1;2;4,5\n1;3;3\n", b'user,item,rating\na,b,"4,5"\n'],
)
def test_a_decimal_comma_is_understood(data: bytes) -> None:
    assert accepted(data)[0].value == 4.5


def test_more_columns_than_needed_are_no_fault() -> None:
    assert accepted(b"a,x,4,9,more,and more\nb,y,5\n") == [
        Row("a", "x", 4, 9, 1),
        Row("b", "y", 5, -1, 2),
    ]


@pytest.mark.parametrize(
    ("text", "timestamp"),
    [
        ("881250949", 881250949),
        ("0", 0),
        ("1700000000123", 1700000000),
        ("881250949.9", 881250949),
        ("8.8e8", 880000000),
        ("1970-01-02", 86400),
        ("1970-01-02T01:00:00Z", 90000),
        ("1970-01-02 01:00:00+01:00", 86400),
        ("9223372036854775807", 9223372036),
        ("9223372036854775808", 9223372036),
        ("1e400", -1),
        ("-5", -1),
        ("1969-12-31", -1),
        ("", -1),
        ("yesterday", -1),
        ("nan", -1),
        ("٣", -1),
        ("9" * 5000, -1),
    ],
)
def test_a_timestamp_is_a_number_or_a_date_and_anything_else_is_none(
    text: str, timestamp: int
) -> None:
    assert read_time(text, TimeForm()).nanoseconds // SECOND == timestamp
    assert [row.timestamp for row in accepted(f"a,x,4,{text}\n".encode())] == [timestamp]


IDS = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Z"]), min_size=1, max_size=12)
IDS = IDS.filter(lambda one: canonical_id(one) == one and one not in NULL_WORDS)


@given(
    rows=st.lists(
        st.tuples(IDS, IDS, st.floats(-1e6, 1e6, width=32), st.integers(0, 2**33 - 1)),
        min_size=1,
        max_size=20,
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_whatever_the_csv_module_writes_is_read_back(
    rows: list[tuple[str, str, float, int]], delimiter: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["timestamp", "rating", "item", "user"])
    writer.writerows((time, rating, item, user) for user, item, rating, time in rows)
    found = [row[:4] for row in accepted(out.getvalue().encode())]
    assert found == rows


@given(
    st.lists(
        st.tuples(IDS, IDS, st.floats(-1e6, 1e6, width=32), st.integers(0, 2**33 - 1)),
        min_size=1,
        max_size=20,
    ),
    st.booleans(),
)
def test_whatever_the_json_module_writes_is_read_back(
    rows: list[tuple[str, str, float, int]],
    ascii_only: bool,  # noqa: FBT001
) -> None:
    names = ("user", "item", "rating", "timestamp")
    lines = (json.dumps(dict(zip(names, r, strict=True)), ensure_ascii=ascii_only) for r in rows)
    assert [row[:4] for row in accepted("\n".join(lines).encode())] == rows


def test_a_cell_over_several_lines_stays_one_row() -> None:
    text = b'user,item,rating,review\n1,2,4,"Good, long,\nand 3,5,1\n\nfine"\n2,2,5,short\n'
    table, rejects = parse_ratings(KEY, text, 0.0)
    assert [(found.user, found.value) for found in rows_of(table)] == [("1", 4.0), ("2", 5.0)]
    assert rejects == []
