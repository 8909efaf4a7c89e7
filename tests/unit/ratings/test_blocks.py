"""Blocks of a stream, and alike rows read at once: the same rows as one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.formats import lines as text_lines
from recommender.formats.delimited import Layout
from recommender.ratings import blocks as rating_blocks
from recommender.ratings.rows import read_delimited

from testbed.ratings.datasets import parse_ratings
from testbed.ratings.files import KEY, Row, accepted, builder, delimited, expected, rows_of, spelled


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
    alike = rating_blocks.read_alike_rows(block, layout, fast.numbers, fast.time_form)
    was_read = alike is not None and rating_blocks.add_alike_rows(alike, 5, fast)
    read_delimited(block, layout, 5, careful)
    careful.flush()
    if was_read:
        assert careful.rejected == 0
        assert spelled(fast, fast_rows) == spelled(careful, careful_rows)
        assert fast.times == careful.times
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
    alike = rating_blocks.read_alike_rows(delimited("\t"), layout, into.numbers, into.time_form)
    assert alike is not None
    assert rating_blocks.add_alike_rows(alike, 1, into)
    assert spelled(into, rows) == expected(1)
