"""What quotation marks mean: as real programs write them, and as damage leaves them."""

import csv
import io
import random
from collections.abc import Sequence

import pytest
from recommender.formats.quoting import Records

from testbed.ratings.datasets import parse_ratings
from testbed.ratings.files import KEY, Row, accepted, rows_of

HEADER = "user,item,review,rating"


def read(text: str) -> tuple[list[tuple[str, str, float]], list[int]]:
    table, rejects = parse_ratings(KEY, text.encode(), 1.0)
    return [row[:3] for row in rows_of(table)], [one.line for one in rejects]


def test_backslashes_before_marks_are_found_out() -> None:
    text = HEADER + '\nu1,i1,"said \\"great, 5, wow\\"",1\nu1,i2,fine,4\n'
    assert read(text) == ([("u1", "i1", 1), ("u1", "i2", 4)], [])


def test_backslashes_stand_for_backslashes_in_such_a_file_and_for_themselves_in_others() -> None:
    told = '"a\\\\b",i,"said \\"x, y\\"",1\n'
    assert read(f"{HEADER}\n{told}") == ([("a\\b", "i", 1)], [])
    assert read(f'{HEADER}\n"a\\b",i,"x ""y"", z",1\n') == ([("a\\b", "i", 1)], [])


def test_a_null_word_is_no_escape_in_a_file_of_backslashes() -> None:
    text = HEADER + '\nu1,i1,"said \\"x, y\\"",1\n\\N,i2,z,4\nu2,i3,w,4\n'
    assert read(text) == ([("u1", "i1", 1), ("u2", "i3", 4)], [3])


def test_marks_between_tabs_that_do_not_pair_up_are_characters() -> None:
    lines = ['u1\ti1\t"Heat" is good\t4', 'u2\ti2\t"open\t3', "u3\ti3\tplain\t5"]
    text = "\n".join([HEADER.replace(",", "\t"), *lines, ""])
    assert read(text) == ([("u1", "i1", 4), ("u2", "i2", 3), ("u3", "i3", 5)], [])


@pytest.mark.parametrize("lines", [1, 150, 5_000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_cell_goes_over_any_number_of_lines(lines: int, end: str) -> None:
    review = end.join(f"{at}. item, point, x, 5" for at in range(lines))
    rows = [f'u0,i0,"{review}",1', *(f"u{at},i,fine,4" for at in range(1, 500))]
    if end == "\r" and lines > 1:
        rows = [row.replace("\r", "\n") for row in rows]
    data = end.join([HEADER, *rows, ""])
    found, rejected = read(data)
    assert found == [("u0", "i0", 1), *((f"u{at}", "i", 4) for at in range(1, 500))]
    assert not rejected


def test_a_cell_of_many_blocks_is_read() -> None:
    line = "so, it, goes, 5\n"
    text = f'{HEADER}\nu1,i1,"{line * 300_000}",1\nu2,i2,fine,4\n'
    assert read(text) == ([("u1", "i1", 1), ("u2", "i2", 4)], [])


def test_a_line_like_a_row_stays_in_its_cell_if_the_marks_close() -> None:
    text = HEADER + '\nu1,i1,"my\nstory,cast,plot,5\nend",1\nu2,i2,fine,3\n'
    assert read(text) == ([("u1", "i1", 1), ("u2", "i2", 3)], [])


def test_an_open_mark_costs_its_own_row_however_long_the_file_is() -> None:
    rows = [f"u{at},i{at % 7},fine,{at % 5}" for at in range(200_000)]
    rows[1000] = 'u1000,i6,"fine,0'
    found, rejected = read("\n".join([HEADER, *rows]))
    assert rejected == [1002]
    assert len(found) == len(rows) - 1


def test_whatever_python_writes_with_backslashes_is_read_back() -> None:
    rng = random.Random(5)
    for _ in range(50):
        out = io.StringIO()
        writer = csv.writer(out, doublequote=False, escapechar="\\", quoting=csv.QUOTE_ALL)
        writer.writerow(HEADER.split(","))
        rows = []
        for at in range(20):
            review = "".join(rng.choices('ab",\\\n', k=12))
            rows.append((f"u{at}", f"i{rng.randrange(5)}", float(rng.randrange(1, 6))))
            writer.writerow((*rows[-1][:2], review + '"', rows[-1][2]))
        assert [row[:3] for row in accepted(out.getvalue().encode())] == rows


def test_line_ends_of_one_kind_may_hold_another_within_cells() -> None:
    data = HEADER.encode() + b'\r\nu1,i1,"a\nb\r\nc",1\r\nu2,i2,"d",3\r\n'
    assert accepted(data) == [Row("u1", "i1", 1, -1, 2), Row("u2", "i2", 3, -1, 5)]


class _FollowingEach(Records):
    """Follows every mark that opens a cell, whatever came of those before it."""

    @property
    def _hopeless(self) -> int:
        return 0

    @_hopeless.setter
    def _hopeless(self, _: int) -> None:
        return


def _is_wide(cells: Sequence[str]) -> bool:
    return len(cells) > 2


def test_marks_that_are_not_followed_would_have_closed_nothing() -> None:
    rng = random.Random(1)
    over_lines = 0
    for _ in range(4000):
        lines = [
            "".join(rng.choice('aa,,"') for _ in range(rng.randint(0, 7)))
            for _ in range(rng.randint(1, 9))
        ]
        more_follow, fits = rng.random() < 0.3, rng.choice((None, _is_wide))
        readers = [
            kind(lines, ",", 1, more_follow=more_follow, fits=fits)
            for kind in (Records, _FollowingEach)
        ]
        found = [(list(reader), reader.unread) for reader in readers]
        assert found[0] == found[1]
        over_lines += any("\n" in record.text for record in found[0][0])
    assert over_lines > 500
