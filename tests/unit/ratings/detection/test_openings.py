"""Where the table begins, how wide its rows may be, and when the first cell is a row's name."""

import itertools

import pytest

from testbed.ratings.datasets import parse_ratings
from testbed.ratings.files import KEY, Row, accepted, refusal, rows_of


def pairs(data: bytes) -> list[tuple[str, str, float]]:
    return [(row.user, row.item, row.value) for row in accepted(data)]


def rejects_of(data: bytes) -> list[tuple[int, str]]:
    _, rejects = parse_ratings(KEY, data, 1.0)
    return [(one.line, one.reason) for one in rejects]


# --- the header, wherever it is -------------------------------------------------------------------


@pytest.mark.parametrize(
    "opening",
    [
        b"# exported 2024-01-31\n",
        b"#\n# of 3 rows\n\n",
        b"Ratings of our shop\n",
        b"Ratings of our shop\n\nas of 2024-01-31\n\n",
        b"Report;;;\n;;;\n",
        b"2024-01-31,5\n",
        b"\xef\xbb\xbfsep=,\n",
        b'"sep=,"\n',
        b"SEP=,\r\n",
    ],
)
def test_a_header_below_other_lines_names_the_columns(opening: bytes) -> None:
    table = b"product_id,customer_id,rating\n10,ann,4\n11,bob,5\n"
    line = opening.count(b"\n") + 2
    assert accepted(opening + table) == [
        Row("ann", "10", 4, -1, line),
        Row("bob", "11", 5, -1, line + 1),
    ]


@pytest.mark.parametrize("separator", [";", "|", "\t", "::", "^"])
def test_the_separator_that_the_file_itself_names_is_taken(separator: str) -> None:
    lines = [("item", "user", "rating"), ("10", "a,n,n", "4")]
    text = f"sep={separator}\n" + "".join(separator.join(line) + "\n" for line in lines)
    assert pairs(text.encode()) == [("a,n,n", "10", 4)]


def test_comments_before_rows_without_a_header_are_no_rows() -> None:
    data = b"# of our shop\n# as of 2024-01-31, in stars\na,x,4\n"
    assert accepted(data) == [Row("a", "x", 4, -1, 3)]


def test_a_comment_of_as_many_cells_as_a_row_may_be_a_header_and_is_not_passed_over() -> None:
    error = refusal(b"# exported\n# person,film,grade\nfilm1,ann,4\nfilm2,bob,5\n")
    assert error.line == 2
    assert "looks like a header" in error.reason


def test_an_id_that_begins_as_a_comment_does_is_an_id() -> None:
    assert pairs(b"#a,x,4\n#b,y,3\n") == [("#a", "x", 4), ("#b", "y", 3)]


def test_rows_before_a_header_are_not_lost_in_silence() -> None:
    error = refusal(b"a,x,4\nb,y,5\nuser,item,rating\nc,z,3\n")
    assert error.line == 3
    assert "line 1 before it looks like a row" in error.reason


def test_nothing_but_a_separator_line_is_refused() -> None:
    assert "nothing but 'sep=;'" in refusal(b"sep=;\n").reason


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"74,-7.82,8.79,-9.66,-8.16,-7.52\n100,4.08,-0.29,6.36,4.37,-2.38\n", "a matrix"),
        (b"user,1,2,3\nann,5,3,4\nbob,4,4,1\n", "a pivot table"),
        (b"userId;10;20\nann;5;3\n", "a pivot table"),
        (b",1,2,3\nann,5,3,4\n", "a pivot table"),
        (b"movie_id,1,2,3\n7,5,3,4\n", "a pivot table"),
    ],
)
def test_a_column_for_each_item_is_refused(data: bytes, words: str) -> None:
    assert words in refusal(data).reason


# --- width ----------------------------------------------------------------------------------------


def test_a_row_that_is_wider_than_the_header_is_a_reject_that_names_both_counts() -> None:
    header = b"user,title,year,item,rating\n"
    data = header + b"u1,Powell, Ann,1999,77,4\nu2,Emma,1815,78,5\n"
    table, rejects = parse_ratings(KEY, data, 0.1)
    assert [row[:3] for row in rows_of(table)] == [("u2", "78", 5)]
    assert rejects[0].line == 2
    assert "has 6 fields, and the header names 5" in rejects[0].reason


def test_a_row_that_is_wider_than_the_other_lines_is_a_reject() -> None:
    data = b"a,x,4\nb,y,3\nDoe, J.,x,4\nc,x,1\n"
    assert [line for line, _ in rejects_of(data)] == [3]


def test_times_in_some_rows_of_a_file_without_a_header_are_not_too_much() -> None:
    assert len(accepted(b"a,x,4\nb,y,3\nc,x,4,881250949\n")) == 3


def test_empty_cells_beyond_the_header_cost_nothing() -> None:
    data = b"user,item,rating\na,x,4,\nb,y,3,, \n" * 1
    assert pairs(data) == [("a", "x", 4), ("b", "y", 3)]


def test_a_decimal_comma_where_commas_separate_is_not_two_cells() -> None:
    for users in (("u1", "u2"), ("1", "2"), ("7", "8")):
        rows = "".join(f"{user},i{at},4,5\n" for at, user in enumerate(users))
        error = refusal(b"user,item,rating\n" + rows.encode())
        assert "has 4 fields, and the header names 3" in error.reason


def test_wide_rows_in_the_midst_of_many_are_found() -> None:
    lines = [f"u{at % 700},i{at % 90},{at % 5}" for at in range(100_000)]
    for at in (10, 5_000, 77_777):
        lines[at] = "Doe, J.,i1,4"
    data = "\n".join(["user,item,rating", *lines]).encode()
    assert [line for line, _ in rejects_of(data)] == [12, 5_002, 77_779]


# --- row names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("quote", ["", '"'])
def test_row_names_that_count_the_rows_are_passed_over(first: int, quote: str) -> None:
    rows = [("196", "242", "3", "881250949"), ("186", "302", "3", "891717742")]
    lines = [",".join((f"{quote}{number}{quote}", *row)) for number, row in enumerate(rows, first)]
    data = "\n".join(['"user","item","rating","timestamp"', *lines]).encode()
    assert accepted(data) == [
        Row("196", "242", 3, 881250949, 2),
        Row("186", "302", 3, 891717742, 3),
    ]


def test_row_names_that_are_texts_are_passed_over_where_nothing_else_is_a_rating() -> None:
    data = b"user item rating\nr1 ann x 4\nr2 bob y 5\n".replace(b" ", b"\t")
    assert pairs(data) == [("ann", "x", 4), ("bob", "y", 5)]


# --- ids ------------------------------------------------------------------------------------------

ALIKE = ["7", " 7", "7.0", "7.000", "\ufeff7", "7\u200b", "\u20607 "]


@pytest.mark.parametrize(("one", "other"), list(itertools.pairwise(ALIKE)))
def test_one_id_has_one_spelling(one: str, other: str) -> None:
    rows = accepted(f"user,item,rating\n{one},x,4\n{other},y,3\n".encode())
    assert {row.user for row in rows} == {"7"}


@pytest.mark.parametrize("one", ["007", "7.5", "7.", ".0", "v1.0", "1e3", "7,0", "-7", "0"])
def test_other_ids_stay_as_they_are(one: str) -> None:
    assert accepted(f"{one};x;4\nb;y;3\n".encode())[0].user == one


@pytest.mark.parametrize(
    "word", ["\\N", "NULL", "null", "None", "nan", "NaN", "<NA>", "NaT", "#N/A", " NULL ", ""]
)
def test_words_for_nothing_are_no_ids(word: str) -> None:
    data = f"user,item,rating\na,x,4\n{word},y,3\nb,{word},2\n".encode()
    found = rejects_of(data)
    assert [line for line, _ in found] == [3, 4]
    assert all("id is " in reason for _, reason in found)


def test_whole_fractions_in_json_are_the_ids_that_integers_are() -> None:
    data = b'{"user": 1.0, "item": "2.0", "rating": 3}\n{"user": 1, "item": 2, "rating": 4}\n'
    assert pairs(data) == [("1", "2", 3), ("1", "2", 4)]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("time", ["", ",881250949"])
def test_an_index_without_a_name_is_refused_as_one(first: int, time: str) -> None:
    rows = "".join(
        f"{first + n},u{n % 3}7,{n * 37 % 500 + 101},{n % 5 + 1}{time}\n" for n in range(9)
    )
    assert "index column" in refusal(rows.replace("u", "").encode()).reason


@pytest.mark.parametrize("time", ["", ",881250949"])
def test_users_that_count_up_are_no_index(time: str) -> None:
    rows = "".join(f"{n},{n * 37 % 500},{n % 5 + 1}{time}\n" for n in range(9))
    assert [row.user for row in accepted(rows.encode())] == [str(n) for n in range(9)]
