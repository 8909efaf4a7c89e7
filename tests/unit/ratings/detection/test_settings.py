"""Settings that say how cells are written, in every kind of file."""

import json

import pyarrow as pa
import pytest
from recommender.errors import MalformedRatingsError
from recommender.ratings.account import FileAccount
from recommender.ratings.form import RatingForm, Writing
from recommender.ratings.rejects import Reject

from testbed.ratings.datasets import read_into
from testbed.ratings.files import spelled
from testbed.ratings.parquet_writers import by_pyarrow

Row = tuple[str, str, float]


def read(data: bytes, writing: Writing) -> tuple[list[Row], list[Reject], FileAccount]:
    into, parts, log = read_into("a.csv", data, 0.5, RatingForm(writing=writing))
    rows = [(row.user, row.item, row.value) for row in spelled(into, parts)]
    return rows, log.kept, into.account


def good(data: bytes, writing: Writing) -> list[Row]:
    rows, rejects, _ = read(data, writing)
    assert rejects == []
    return rows


# Many rows go the fast way, few the careful one.
MANY = 3000


@pytest.mark.parametrize("many", [1, MANY])
def test_another_mark_around_cells(many: int) -> None:
    row = b"'a, b',\"x\",'4'\n"
    found = good(b"'user','item','rating'\n" + row * many, Writing(quote="'"))
    assert found == [("a, b", '"x"', 4.0)] * many


@pytest.mark.parametrize("many", [1, MANY])
def test_marks_that_mean_nothing(many: int) -> None:
    found = good(b"user,item,rating\n" + b'"a,x",4\n' * many, Writing(quote=""))
    assert found == [('"a', 'x"', 4.0)] * many


@pytest.mark.parametrize("many", [1, MANY])
def test_another_escape(many: int) -> None:
    row = b'"a ^"b^" ^^, c",x,4\n'
    found = good(b"user,item,rating\n" + row * many, Writing(escape="^"))
    assert found == [('a "b" ^, c', "x", 4.0)] * many


def test_an_escape_that_is_the_mark_forbids_backslashes() -> None:
    data = b'user,item,rating\n"a\\",x,4\n'
    assert good(data, Writing(escape='"')) == [("a\\", "x", 4.0)]


@pytest.mark.parametrize("many", [1, MANY])
def test_comments_anywhere_but_within_cells(many: int) -> None:
    data = b"// from the shop\nuser,item,rating\n" + b"a,x,4\n// b,x,5\n" * many
    data += b'"c\n// d",x,3\n'
    rows, rejects, _ = read(data, Writing(comment="//"))
    assert rows == [("a", "x", 4.0)] * many
    assert [reject.reason for reject in rejects] == [
        "user id holds the unwritable character U+000A"
    ]


def test_comments_between_objects_of_json() -> None:
    data = b'# one\n{"user": "a", "item": "x", "rating": 4}\n# two\n'
    assert good(data, Writing(comment="#")) == [("a", "x", 4.0)]


def test_a_file_of_comments_alone_has_no_rows() -> None:
    with pytest.raises(MalformedRatingsError):
        read(b"# one\n# two\n", Writing(comment="#"))


def parquet(ratings: pa.Array) -> bytes:
    users = pa.array([f"u{n}" for n in range(len(ratings))])
    return by_pyarrow(pa.table({"user": users, "item": users, "rating": ratings}), {})


@pytest.mark.parametrize("many", [1, MANY])
@pytest.mark.parametrize("cell", ["0", "0.0", "-0", "NR", "", " "])
def test_ratings_that_say_that_there_is_none(cell: str, many: int) -> None:
    data = b"user,item,rating\n" + f"a,x,{cell}\nb,x,4\n".encode() * many
    rows, rejects, account = read(data, Writing(missing=("0", "NR", "")))
    assert (rows, rejects) == ([("b", "x", 4.0)] * many, [])
    assert (account.rows, account.not_rated) == (many, many)
    assert account.to_dict()["notRated"] == many


@pytest.mark.parametrize("value", [0, 0.0, "0", "NR", None, ""])
def test_objects_that_say_that_there_is_no_rating(value: object) -> None:
    rows = [{"user": "a", "item": "x", "rating": value}, {"user": "b", "item": "x", "rating": 4}]
    data = "\n".join(map(json.dumps, rows)).encode()
    found, rejects, account = read(data, Writing(missing=("0", "NR", "")))
    assert (found, rejects, account.not_rated) == ([("b", "x", 4.0)], [], 1)


@pytest.mark.parametrize(
    "ratings",
    [
        pa.array([0.0, 4.0, None, 0.0]),
        pa.array([0, 4, None, 0], pa.int8()),
        pa.array(["0", "4", None, "NR"]),
    ],
)
def test_columns_that_say_that_there_is_no_rating(ratings: pa.Array) -> None:
    found, rejects, account = read(parquet(ratings), Writing(missing=("0", "NR", "")))
    assert (found, rejects, account.not_rated) == ([("u1", "u1", 4.0)], [], 3)


def test_without_the_setting_nothing_is_missing() -> None:
    rows, rejects, account = read(b"user,item,rating\na,x,0\nb,x,4\nc,x,NR\n", Writing())
    assert rows == [("a", "x", 0.0), ("b", "x", 4.0)]
    assert [reject.line for reject in rejects] == [4]
    assert account.not_rated == 0


@pytest.mark.parametrize(
    ("decimal", "cell", "value"),
    [
        (",", "4,5", 4.5),
        (",", "1.234,5", 1234.5),
        (",", "1.234", 1234.0),
        (",", "5", 5.0),
        (".", "4.5", 4.5),
        (".", "1,234.5", 1234.5),
        (".", "1,234", 1234.0),
        ("", "1,25", 1.25),
    ],
)
@pytest.mark.parametrize("many", [1, MANY])
def test_what_stands_before_a_fraction(decimal: str, cell: str, value: float, many: int) -> None:
    data = b"user;item;rating\n" + f"a;x;{cell}\n".encode() * many
    assert good(data, Writing(decimal=decimal)) == [("a", "x", value)] * many


@pytest.mark.parametrize(
    ("decimal", "cell"),
    [
        (",", "4.5"),
        (".", "4,5"),
        (",", "1.23,4"),
        (".", "12,34.5"),
        (",", "1,2,3"),
        ("", "1.234,5"),
    ],
)
def test_a_number_that_is_written_otherwise_is_rejected(decimal: str, cell: str) -> None:
    data = f"user;item;rating\na;x;{cell}\nb;x;4\n".encode()
    rows, (reject,), _ = read(data, Writing(decimal=decimal))
    assert rows == [("b", "x", 4.0)]
    assert "is not a number" in reject.reason
