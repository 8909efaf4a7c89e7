"""Rows that cannot be used, and files that are refused for them."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.errors import MalformedRatingsError
from recommender.formats.lines import decoded
from recommender.ratings.rejects import Reject

from testbed.ratings.datasets import parse_ratings
from testbed.ratings.files import KEY, delimited, refusal, rows_of

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
    b"a,x\x81,4": "U+0081",
    b'"a,x,4': "quotation",
    b'"a\nb",x,4': "U+000A",
}


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS.items())
def test_a_bad_row_is_rejected_with_its_line_reason_and_text(row: bytes, reason: str) -> None:
    table, rejects = parse_ratings(KEY, b"a,x,4\n\n" + row + b"\nb,y,5\n", 0.1)
    assert [(found.user, found.value) for found in rows_of(table)] == [("a", 4.0), ("b", 5.0)]
    assert len(rejects) == 1
    assert (rejects[0].key, rejects[0].line) == (KEY, 3)
    assert reason in rejects[0].reason
    assert rejects[0].text == decoded(row)[:200]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{"user": 1, "item": 2}', "no rating"),
        ('{"rating": 2}', "no user and no item"),
        ('{"user": null, "item": 2, "rating": 3}', "user id is null"),
        ('{"user": true, "item": 2, "rating": 3}', "user id is true or false"),
        ('{"user": 1.5, "item": 2, "rating": 3}', "user id is a fraction"),
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
        (PROSE, ["looks like a header", "user, item, rating"]),
        (b"Ratings, reviews, and more\nare here, as you see, friend\n", ["header", "no user"]),
        (b"hello\n", ["not a table of ratings"]),
        (b"<!DOCTYPE html>\n<html><body>1,2,3</body></html>", ["HTML"]),
        (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', ["XML"]),
        (b'[{"user": 1, "item": 2, "rating": 3}]', ["JSON array", "one object a line"]),
        (b"[\n", ["JSON array"]),
        (b'{\n  "user": 1,\n  "item": 2,\n  "rating": 3\n}\n', ["none of the 5 rows", "JSON"]),
        (b"user,item,grade\n1,2,3\n", ["no rating", "'grade'", '"feedback": "implicit"']),
        (b"user,item,5\n1,2,3\n", ["no rating", "'5'"]),
        (b"1,2\n3,4\n", ["not a table of ratings", '"feedback": "implicit"']),
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
