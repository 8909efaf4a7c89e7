"""Rating files of every format, and everything that is wrong with some of them."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.errors import MalformedRatingsError
from recommender.formats import lines as text_lines
from recommender.formats import uploads
from recommender.formats.delimited import Layout
from recommender.ratings import blocks as rating_blocks
from recommender.ratings.identifiers import IdTable
from recommender.ratings.rejects import Reject, RejectLog
from recommender.ratings.rows import read_delimited
from recommender.ratings.table import RatingRows, RatingsBuilder
from recommender.ratings.values import read_timestamp

from testbed.datasets import Ratings, ids_of, parse_ratings

KEY = "ratings/films/ua.base"

# What ``ua.base`` looks like: user, item, rating, seconds.
ROWS = [(1, 242, 3, 881250949), (186, 302, 5, 891717742), (1, 377, 1, 878887116)]


class Row(NamedTuple):
    user: str
    item: str
    value: float
    timestamp: int
    line: int


def rows_of(table: Ratings) -> list[Row]:
    columns = (table.values.tolist(), table.timestamps.tolist(), table.lines.tolist())
    return [Row(*row) for row in zip(table.users, table.items, *columns, strict=True)]


def builder() -> tuple[RatingsBuilder, list[RatingRows]]:
    """A builder with tables of its own, and the rows it is handed."""
    rows: list[RatingRows] = []
    users, items = IdTable("user"), IdTable("item")
    return RatingsBuilder(KEY, users, items, rows.append, RejectLog()), rows


def spelled(into: RatingsBuilder, parts: Sequence[RatingRows]) -> list[Row]:
    return [
        Row(user, item, *row)
        for part in parts
        for user, item, *row in zip(
            ids_of(into.users, part.users),
            ids_of(into.items, part.items),
            *(column.tolist() for column in (part.values, part.timestamps, part.lines)),
            strict=True,
        )
    ]


def accepted(data: bytes) -> list[Row]:
    table, rejects = parse_ratings(KEY, data, reject_limit=0.1)
    assert rejects == []
    return rows_of(table)


def refusal(data: bytes, limit: float = 0.1) -> MalformedRatingsError:
    with pytest.raises(MalformedRatingsError) as caught:
        parse_ratings(KEY, data, limit)
    assert caught.value.key == KEY
    return caught.value


def delimited(delimiter: str, rows: Sequence[Sequence[object]] = ROWS, end: str = "\n") -> bytes:
    return "".join(delimiter.join(map(str, row)) + end for row in rows).encode()


def expected(first_line: int) -> list[Row]:
    return [
        Row(str(user), str(item), rating, time, line)
        for line, (user, item, rating, time) in enumerate(ROWS, first_line)
    ]


JSON_LINES = "".join(
    json.dumps({"user_id": u, "item_id": str(i), "rating": r, "timestamp": t}) + "\n"
    for u, i, r, t in ROWS
).encode()


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


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="UTF-8 with mark"),
        pytest.param(lambda data: data.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(
            lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"), id="UTF-16 big-endian"
        ),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]), id="members"),
        pytest.param(lambda data: gzip.compress(data) + bytes(512), id="gzip with padding"),
        pytest.param(lambda data: data.rstrip(b"\n"), id="no last line end"),
        pytest.param(lambda data: data + b"\n  \n\r\n", id="blank lines at the end"),
    ],
)
@pytest.mark.parametrize("data", [delimited("\t"), delimited("::"), JSON_LINES])
def test_what_wraps_the_text_changes_nothing(wrap, data: bytes) -> None:  # type: ignore[no-untyped-def]
    assert accepted(wrap(data)) == expected(1)


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


def test_ids_stay_as_they_are_written_apart_from_white_space_around_them() -> None:
    data = "007,1e3,4\n 7 ,1.0,4\n7,É,4\n\u0667,日本 映画,4\n12345678901234567890,b:c|d,4\n"
    assert [(row.user, row.item) for row in accepted(data.encode())] == [
        ("007", "1e3"),
        ("7", "1.0"),
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


BAD_ROWS = {
    b"a,x": "2 fields",
    b"a": "1 field,",
    b",x,4": "user id is empty",
    b"  ,x,4": "user id is empty",
    b"a,,4": "item id is empty",
    b"a,x,": "rating is empty",
    b",,": "empty",
    b"a,x,good": "'good' is not a number",
    b"a,x,nan": "'nan' is not a finite number",
    b"a,x,-inf": "'-inf' is not a finite number",
    b"a,x,Infinity": "not a finite number",
    b"a,x,1e39": "too large",
    b"a,x,1e999": "too large",
    b"a,x,4_0": "not a number",
    b"a,x,0x4": "not a number",
    b"a,x,4 stars": "not a number",
    "a,x,٤".encode(): "not a number",
    b"u" * 257 + b",x,4": "user id is 257 characters long",
    b"a," + "ü".encode() * 257 + b",4": "item id is 257 characters long",
    b"a\0,x,4": "NUL",
    b"a,x,4,\0": "NUL",
    b"a\x07b,x,4": "U+0007",
    b"a,x\xff,4": "byte 0xff",
    b"a,x,4,caf\xe9": "byte 0xe9",
    b'"a,x,4': "quotation",
    b'"a\nb",x,4': "U+000A",
}


@pytest.mark.parametrize(
    "data",
    [b"user;item;rating\na;b;4,5\n", b"1;2;4,5\n1;3;3\n", b'user,item,rating\na,b,"4,5"\n'],
)
def test_a_decimal_comma_is_understood(data: bytes) -> None:
    assert accepted(data)[0].value == 4.5


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS.items())
def test_a_bad_row_is_rejected_with_its_line_reason_and_text(row: bytes, reason: str) -> None:
    table, rejects = parse_ratings(KEY, b"a,x,4\n\n" + row + b"\nb,y,5\n", 0.1)
    assert [(found.user, found.value) for found in rows_of(table)] == [("a", 4.0), ("b", 5.0)]
    assert len(rejects) == 1
    assert (rejects[0].key, rejects[0].line) == (KEY, 3)
    assert reason in rejects[0].reason
    assert rejects[0].text == row.decode("utf-8", "backslashreplace")[:200]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{"user": 1, "item": 2}', "no rating"),
        ('{"rating": 2}', "no user and no item"),
        ('{"user": null, "item": 2, "rating": 3}', "user id is null"),
        ('{"user": true, "item": 2, "rating": 3}', "user id is true or false"),
        ('{"user": 1.0, "item": 2, "rating": 3}', "user id is a fraction"),
        ('{"user": 1, "item": {"id": 2}, "rating": 3}', "item id is an object"),
        ('{"user": 1, "item": "", "rating": 3}', "item id is empty"),
        ('{"user": "\\ud800", "item": 2, "rating": 3}', "U+D800"),
        ('{"user": "\\u0000", "item": 2, "rating": 3}', "U+0000"),
        ('{"user": 1, "item": 2, "rating": null}', "rating is null"),
        ('{"user": 1, "item": 2, "rating": false}', "rating is true or false"),
        ('{"user": 1, "item": 2, "rating": [3]}', "rating is an array"),
        ('{"user": 1, "item": 2, "rating": "three"}', "'three' is not a number"),
        ('{"user": 1, "item": 2, "rating": NaN}', "not a finite number"),
        ('{"user": 1, "item": 2, "rating": 1e39}', "too large"),
        ('{"user": 1, "item": 2, "rating": 1' + "0" * 400 + "}", "too large"),
        ('{"user": 1' + "0" * 5000 + ', "item": 2, "rating": 3}', "too many digits"),
        ('{"user": 1, "item": 2, "rating": 3', "not JSON"),
        ("[1, 2, 3]", "not an object"),
        ("1,2,3", "not JSON"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_json_row_is_rejected_with_its_reason(row: str, reason: str) -> None:
    good = b'{"user": "a", "item": "x", "rating": 4}\n'
    table, rejects = parse_ratings(KEY, good + row.encode() + b"\n" + good, 0.1)
    assert [found.line for found in rows_of(table)] == [1, 3]
    assert [reject.line for reject in rejects] == [2]
    assert reason in rejects[0].reason
    assert rejects[0].text == row[:200]


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
        ("1700000000123", 1700000000123),
        ("881250949.9", 881250949),
        ("8.8e8", 880000000),
        ("1970-01-02", 86400),
        ("1970-01-02T01:00:00Z", 90000),
        ("1970-01-02 01:00:00+01:00", 86400),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", -1),
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
    assert read_timestamp(text) == timestamp
    assert [row.timestamp for row in accepted(f"a,x,4,{text}\n".encode())] == [timestamp]


def test_ten_bad_rows_are_always_allowed() -> None:
    table, rejects = parse_ratings(KEY, b"a,x,4\n" + b"bad\n" * 10, 0.0)
    assert (len(table), len(rejects)) == (1, 10)


def test_one_more_than_ten_bad_rows_refuses_a_small_file() -> None:
    error = refusal(b"a,x,4\n" + b"a,x,bad\n" * 11)
    assert error.line == 2
    assert "11 of 12 rows" in error.reason
    assert "'bad' is not a number" in error.reason


@pytest.mark.parametrize(("bad", "refused"), [(100, False), (101, True)])
def test_the_limit_is_a_share_of_the_rows(bad: int, refused: bool) -> None:  # noqa: FBT001
    data = b"a,x,4\n" * (1000 - bad) + b"bad\n" * bad
    if refused:
        assert "101 of 1,000 rows" in refusal(data).reason
    else:
        assert len(parse_ratings(KEY, data, 0.1)[1]) == bad


def test_every_row_is_counted_when_far_too_many_are_bad() -> None:
    assert "90,000 of 90,001 rows" in refusal(b"a,x,4\n" + b"b,y,?\n" * 90_000).reason


PROSE = b"""# MovieLens

This data set consists of ratings (1-5), from users, on movies.
Each user has rated 20 movies; it was collected at the University.
"""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["empty"]),
        (b"\n\n \r\n", ["blank"]),
        ("\N{NO-BREAK SPACE}\n".encode(), ["blank"]),
        (b"\xef\xbb\xbf", ["empty"]),
        (gzip.compress(b""), ["empty"]),
        (b"user,item,rating\n", ["header", "no rows"]),
        (b"userId\tmovieId\trating", ["header", "no rows"]),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", ["PDF"]),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ["PNG"]),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", ["JPEG"]),
        (b"PK\x03\x04\x14\0\0\0", ["zip"]),
        (b"PAR1\x15\x04\x15", ["cut off"]),
        (b"PAR1" + bytes(20) + b"PAR1", ["Parquet", "footer"]),
        (b"BZh91AY&SY", ["bzip2"]),
        (bytes(range(256)) * 4, ["binary"]),
        ("user,item,rating\n1,2,3\n".encode("utf-16-le"), ["binary", "UTF-16"]),
        (b"\xff\xfea", ["UTF-16"]),
        (PROSE, ["none of the 3 rows", "user, item, rating"]),
        (b"Ratings, reviews, and more\nare here, as you see, friend\n", ["header", "no user"]),
        (b"hello\n", ["not a table of ratings"]),
        (b"<!DOCTYPE html>\n<html><body>1,2,3</body></html>", ["HTML"]),
        (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', ["XML"]),
        (b'[{"user": 1, "item": 2, "rating": 3}]', ["JSON array", "one object a line"]),
        (b"[\n", ["JSON array"]),
        (b'{\n  "user": 1,\n  "item": 2,\n  "rating": 3\n}\n', ["none of the 5 rows", "JSON"]),
        (b"user,item,timestamp\n1,2,3\n", ["no rating", "'timestamp'"]),
        (b"userId,movieId\n1,2\n", ["no rating", "'movieId'"]),
        (b"title,reviewer,grade\nAlien,Ann,4\n", ["header", "no item and no rating", "'grade'"]),
        (b"1,2,good\n", ["the only row", "'good' is not a number"]),
        (b"1 2 3\n4 5 6\n", ["not a table of ratings"]),
        (b"1,2,x\n3,4,y\n", ["none of the 2 rows", "'x'"]),
        (gzip.compress(delimited("\t"))[:-9], ["cut off"]),
        (gzip.compress(delimited("\t"))[:10] + b"\xff" * 20, ["damaged"]),
        (gzip.compress(gzip.compress(delimited("\t"))), ["gzipped twice"]),
        (b"\x1f\x8b", ["gzip"]),
    ],
)
def test_what_is_not_a_file_of_ratings_is_refused_with_a_helpful_reason(
    data: bytes, words: list[str]
) -> None:
    error = refusal(data)
    for word in words:
        assert word in error.reason


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "RATIO_IS_CHECKED_FROM", 1 << 20)
    bomb = gzip.compress(b"1,2,3\n" * 1_000_000)
    assert len(bomb) * uploads.MAX_INFLATION_RATIO < 6_000_000
    assert "unpacks to more than" in refusal(bomb).reason


def test_an_upload_that_unpacks_past_the_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_INFLATED_BYTES", 1000)
    assert "more than 1,000" in refusal(gzip.compress(delimited("\t") * 100)).reason


@pytest.mark.parametrize("delimiter", ["\t", "::"])
def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch, delimiter: str) -> None:
    rows = [(n % 7, n, n % 5, n) for n in range(500)]
    data = delimited(delimiter, rows) + b"bad\n" + delimited(delimiter, rows)
    whole, whole_rejects = parse_ratings(KEY, data, 0.1)
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", 100)
    parts, part_rejects = parse_ratings(KEY, data, 0.1)
    assert rows_of(parts) == rows_of(whole)
    assert [row.line for row in rows_of(parts)] == [*range(1, 501), *range(502, 1002)]
    assert part_rejects == whole_rejects
    assert part_rejects[0].line == 501


def test_a_line_longer_than_a_block_is_still_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", 10)
    data = b"a,x,4,9," + b"n" * 50 + b"\nb,y,5,8\n"
    assert accepted(data) == [Row("a", "x", 4, 9, 1), Row("b", "y", 5, 8, 2)]


CELL = st.one_of(
    st.sampled_from(["1", "22", "007", "4.5", " 3", "", "nan", "a", "é", "x" * 9, "881250949"]),
    st.text(alphabet="ab1 9.:\t|,;éЖ\u2028\x1c\r\0", max_size=10),
)
GOOD_CELL = st.sampled_from(["1", "22", "007", "4.5", "3", "12345678", "123456789", "881250949"])


@pytest.mark.parametrize("delimiter", ["\t", "::", ","])
@given(data=st.data())
def test_the_fast_reader_finds_what_the_careful_reader_finds(
    delimiter: str, data: st.DataObject
) -> None:
    cell = data.draw(st.sampled_from([CELL, GOOD_CELL]))
    least = data.draw(st.integers(2, 5))
    most = data.draw(st.sampled_from([least, 5]))  # all rows alike, or not
    rows = data.draw(st.lists(st.lists(cell, min_size=least, max_size=most), max_size=8))
    block = "".join(delimiter.join(row) + "\n" for row in rows).encode() or b"\n"
    layout = Layout(
        delimiter, {"user": 0, "item": 1, "rating": 2, "timestamp": 3}, header=False, width=4
    )
    fast, fast_rows = builder()
    careful, careful_rows = builder()
    alike = rating_blocks.read_alike_rows(block, layout, fast.numbers)
    was_read = alike is not None and rating_blocks.add_alike_rows(alike, 5, fast)
    read_delimited(block, layout, 5, careful)
    careful.flush()
    if was_read:
        assert careful.rejected == 0
        assert spelled(fast, fast_rows) == spelled(careful, careful_rows)
    else:
        assert fast_rows == []


def test_two_short_rows_are_not_taken_for_a_long_one() -> None:
    table, rejects = parse_ratings(KEY, b"1,2,3,4\n5,6\n7,8\n", 0.1)
    assert rows_of(table) == [Row("1", "2", 3, 4, 1)]
    assert [reject.line for reject in rejects] == [2, 3]


def test_a_plain_file_is_read_fast() -> None:
    layout = Layout(
        "\t", {"user": 0, "item": 1, "rating": 2, "timestamp": 3}, header=False, width=4
    )
    into, rows = builder()
    alike = rating_blocks.read_alike_rows(delimited("\t"), layout, into.numbers)
    assert alike is not None
    assert rating_blocks.add_alike_rows(alike, 1, into)
    assert spelled(into, rows) == expected(1)


IDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=12)


@given(
    rows=st.lists(
        st.tuples(IDS, IDS, st.floats(-1e6, 1e6, width=32), st.integers(0, 2**62)),
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
        st.tuples(IDS, IDS, st.floats(-1e6, 1e6, width=32), st.integers(0, 2**62)),
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


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(alphabet='1a,;\t|:"\n\r{}[]. é', max_size=200).map(str.encode),
        st.binary(max_size=100).map(lambda tail: delimited("\t") + tail),
        st.binary(max_size=50).map(lambda tail: gzip.compress(delimited(","))[:-20] + tail),
    )
)
def test_any_bytes_are_ratings_or_malformed_ratings(data: bytes) -> None:
    try:
        table, rejects = parse_ratings(KEY, data, 0.1)
    except MalformedRatingsError:
        return
    assert len(table) > 0
    assert len(rejects) <= max(10, 0.1 * (len(table) + len(rejects)))
    assert np.isfinite(table.values).all()
    assert all(isinstance(reject, Reject) and reject.text.encode() for reject in rejects)
    assert all(user == user.strip() and 0 < len(user) <= 256 for user in table.users)


def test_a_stray_quotation_mark_takes_no_good_row_with_it() -> None:
    lines = [f"{n},{n + 1},4,{n}" for n in range(1, 9)]
    lines[2], lines[6] = '3,4,4,"3', '7,8,4,"7'  # the second would close what the first opened
    table, rejects = parse_ratings(KEY, "\n".join(lines).encode(), 0.1)
    assert [found.user for found in rows_of(table)] == ["1", "2", "4", "5", "6", "8"]
    assert [(one.line, "do not pair up" in one.reason) for one in rejects] == [(3, True), (7, True)]


def test_a_cell_over_several_lines_stays_one_row() -> None:
    text = b'user,item,rating,review\n1,2,4,"Good, long,\nand 3,5,1\n\nfine"\n2,2,5,short\n'
    table, rejects = parse_ratings(KEY, text, 0.0)
    assert [(found.user, found.value) for found in rows_of(table)] == [("1", 4.0), ("2", 5.0)]
    assert rejects == []


@pytest.mark.parametrize(
    "header", ["stars,ts,uid,isb1176532641,2,27", "stars,tsbn", "sta,ubn", "s"]
)
def test_a_header_that_is_damaged_does_not_put_the_columns_into_another_order(header: str) -> None:
    rows = "".join(f"{n % 5 + 1},{n},{n % 7},{n % 9}\n" for n in range(50))
    with pytest.raises(MalformedRatingsError, match="looks like a header") as caught:
        parse_ratings(KEY, f"{header}\n{rows}".encode(), 0.1)
    assert caught.value.line == 1


def test_a_file_most_of_whose_lines_are_too_short_is_refused_all_the_same() -> None:
    with pytest.raises(MalformedRatingsError):
        parse_ratings(KEY, b'"\r\r;;', 0.1)
