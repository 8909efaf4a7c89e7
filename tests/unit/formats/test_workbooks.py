"""Excel workbooks: what a sheet says, row by row; damaged and hostile ones refused in words."""

import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
from recommender.catalog.sheets import read_sheet
from recommender.catalog.titles import titles_of
from recommender.formats import compression, workbooks
from recommender.formats.uploads import text_of

from testbed.ratings.datasets import parse_ratings
from testbed.ratings.files import KEY, accepted, refusal

WHEN = dt.datetime(2024, 1, 31, 10, 0, 5)
SECONDS = int(WHEN.replace(tzinfo=dt.UTC).timestamp())
HEADER = ("user", "item", "rating", "date")


def workbook(*rows: Sequence[Any], **sheets: list[Sequence[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, others in sheets.items():
        sheet = book.create_sheet(name)
        for row in others:
            sheet.append(row)
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def changed(data: bytes, name: str, make: Any) -> bytes:
    """A workbook with one of its parts made anew."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, make(content) if member == name else content)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def test_ratings_are_read_as_the_sheet_shows_them() -> None:
    data = workbook(
        HEADER, (7, "007", 4.5, WHEN), (8.0, "a, b", 3, WHEN.date()), (9, 'say "hi"', 1, None)
    )
    rows = [(row.user, row.item, row.value, row.timestamp) for row in accepted(data)]
    midnight = SECONDS - SECONDS % 86_400
    assert rows == [
        ("7", "007", 4.5, SECONDS),
        ("8", "a, b", 3.0, midnight),
        ("9", 'say "hi"', 1.0, -1),
    ]


def test_a_row_keeps_its_number() -> None:
    data = workbook(("All ratings",), (), HEADER, (1, "x", 4), (), (2, "two\nlines, 2", "bad"))
    found, (reject,) = parse_ratings(KEY, data, 0.5)
    assert found.lines.tolist() == [4]
    assert reject.line == 6


def test_what_a_formula_came_to_and_errors_that_it_came_to() -> None:
    data = workbook(HEADER, (1, "x", 4), (2, "y", 5))
    data = changed(
        data,
        SHEET,
        lambda xml: xml.replace(b"<v>4</v>", b"<f>2+2</f><v>3.5</v>").replace(
            b'<c r="A3" t="n"><v>2</v></c>', b'<c r="A3" t="e"><v>#REF!</v></c>'
        ),
    )
    found, (reject,) = parse_ratings(KEY, data, 0.5)
    assert (found.users[0], found.values.tolist()) == ("1", [3.5])
    assert reject.reason == "user id is empty"


def test_an_end_of_line_in_an_id_stays_a_reject() -> None:
    _, (reject,) = parse_ratings(KEY, workbook(HEADER, ("a\nb", "x", 4), ("a", "x", 3)), 0.5)
    assert "U+000B" in reject.reason


def test_a_flag_is_a_word() -> None:
    text = text_of(workbook(("a", "b"), (True, False)), ValueError, 1000)  # type: ignore[arg-type]
    assert text == b"a,b\nTRUE,FALSE\n"


def test_the_first_visible_sheet_that_is_not_empty() -> None:
    book = openpyxl.Workbook()
    hidden = book.create_sheet("Old", 0)
    hidden.append(HEADER)
    hidden.append((0, "old", 1))
    hidden.sheet_state = "hidden"
    book.create_sheet("New").append(HEADER)
    book["New"].append((1, "new", 5))
    book.create_sheet("Other").append((2, "other", 5))
    assert [row.item for row in accepted(saved(book))] == ["new"]


def test_items_may_come_in_a_workbook() -> None:
    data = workbook(("movieId", "title"), (1, "Heat, cut"), (2, "Two\nlines"))
    titles = titles_of(read_sheet("catalogs/films/items.xlsx", data, "item"))
    assert titles == {"1": "Heat, cut", "2": "Two lines"}


def test_many_rows_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "_ROWS_OF_A_PIECE", 7)
    rows = [(n, f"i{n}", n % 5) for n in range(100)]
    found = accepted(workbook(HEADER, *rows))
    assert [(int(row.user), row.item, int(row.value)) for row in found] == rows


def far(row: int, column: str) -> bytes:
    """A sheet whose second row, or its last cell, claims to stand far away."""
    data = workbook(HEADER, (1, "x", 4))
    return changed(
        data,
        SHEET,
        lambda xml: xml.replace(b'<row r="2"', b'<row r="%d"' % row).replace(
            b'r="C2"', b'r="%s%d"' % (column.encode(), row)
        ),
    )


@pytest.mark.parametrize("data", [far(2**40, "A"), far(2**21, "A")])
def test_a_row_beyond_the_last_that_a_sheet_has_is_refused(data: bytes) -> None:
    assert "ends earlier" in refusal(data).reason


def test_a_sheet_that_is_wide_and_says_little_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_CELLS", 10_000)
    assert "ends earlier" in refusal(far(2, "XFD")).reason


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_BYTES", 1 << 20)
    bomb = changed(workbook(HEADER), "docProps/app.xml", lambda _: bytes(2 << 20))
    assert "more than 1 MiB" in refusal(bomb).reason


def test_a_small_workbook_may_not_unpack_to_as_much_as_a_large_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compression, "RATIO_IS_CHECKED_FROM", 1 << 20)
    bomb = changed(workbook(HEADER), "docProps/app.xml", lambda _: bytes(8 << 20))
    assert "Excel workbook that unpacks to more than" in refusal(bomb).reason


ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12))
    + b"]>"
)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda xml: xml[: len(xml) // 2], SHEET),
        (lambda _: b"", SHEET),
        (lambda _: b"", "xl/workbook.xml"),
        (lambda _: b"<a/>", "xl/_rels/workbook.xml.rels"),
        (lambda xml: ENTITIES + xml.replace(b"<v>4</v>", b"<v>&m;</v>"), SHEET),
        (lambda xml: xml.replace(b'r="A2"', b'r="2A"'), SHEET),
        (lambda xml: xml.replace(b"<v>1</v>", b"<v>one</v>"), SHEET),
    ],
)
def test_a_damaged_workbook_is_refused_as_one(make: Any, part: str) -> None:
    assert "Excel workbook" in refusal(changed(workbook(HEADER, (1, 2, 4)), part, make)).reason


def test_an_empty_workbook_is_refused_in_words() -> None:
    assert "without a row" in refusal(workbook()).reason


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("xl/workbook.bin", "binary Excel workbook"),
        ("word/document.xml", "a Word document"),
        ("META-INF/manifest.xml", "an OpenDocument file"),
    ],
)
def test_other_documents_are_refused_by_name(name: str, words: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "")
        archive.writestr(name, "")
    assert words in refusal(out.getvalue()).reason


def test_a_workbook_with_a_password_is_refused_in_words() -> None:
    assert "encrypted" in refusal(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)).reason
