"""Titles of items, from the files that people have."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.catalog.sheets import read_sheet
from recommender.catalog.titles import titles_of
from recommender.errors import MalformedItemsError

KEY = "catalogs/films/items.csv"


def titles_in(data: bytes) -> dict[str, str]:
    return titles_of(read_sheet(KEY, data, "item"))


def refusal(data: bytes) -> MalformedItemsError:
    with pytest.raises(MalformedItemsError) as caught:
        titles_in(data)
    assert caught.value.key == KEY
    return caught.value


def test_u_item_is_read_as_latin_1_without_a_header() -> None:
    data = (
        "1|Café Film (1995)|01-Jan-1995||http://example.test/1|0|1\n"
        '2|"Quoted" and, comma (1995)|01-Jan-1995||http://example.test/2|0|0\n'
    ).encode("latin-1")
    assert titles_in(data) == {
        "1": "Café Film (1995)",
        "2": '"Quoted" and, comma (1995)',
    }


def test_movies_dat_is_read_without_a_header() -> None:
    data = b"1::First Film (1995)::Comedy|Drama\r\n2::A: the second (1996)::Action\r\n"
    assert titles_in(data) == {"1": "First Film (1995)", "2": "A: the second (1996)"}


@pytest.mark.parametrize(
    "data",
    [
        b'movieId,title,genres\n1,"Film, the (1995)",Comedy\n02,Other,Drama\n',
        b'\xef\xbb\xbfgenres;Name;ITEM_ID\r\nComedy;"Film, the (1995)";1\r\nDrama;Other;02\r\n',
        b"item\ttitle\n1\tFilm, the (1995)\n02\tOther\n",
        b"id|name\n1|Film, the (1995)\n02|Other\n",
        b'{"item_id": 1, "title": "Film, the (1995)"}\n\n{"asin": "02", "title": "Other"}\n',
        gzip.compress(b"item,title\n1,'x'\n1,\"Film, the (1995)\"\n 02 ,  Other \n"),
        'item,title\n1,"Film, the (1995)"\n02,Other\n'.encode("utf-16"),
        b'item,title\n1,"Film,\nthe (1995)"\n02,Other\n',
    ],
    ids=["csv", "semicolons", "tabs", "pipes", "JSON Lines", "gzip", "UTF-16", "two lines"],
)
def test_every_known_format_gives_the_same_titles(data: bytes) -> None:
    assert titles_in(data) == {"1": "Film, the (1995)", "02": "Other"}


def test_utf_8_is_preferred_to_latin_1() -> None:
    assert titles_in("item,title\n1,Amélie 映画\n".encode()) == {"1": "Amélie 映画"}


def test_a_row_without_a_title_is_passed_over() -> None:
    assert titles_in(b"item,title\n1,\n2\n3,Third\n") == {"3": "Third"}


def test_a_few_bad_rows_cost_only_themselves() -> None:
    bad = b",no id\n" + b"x" * 257 + b",too long\n4," + b"t" * 1001 + b"\n"
    assert titles_in(b"item,title\n1,First\n" + bad) == {"1": "First"}


def test_many_bad_rows_refuse_the_file_with_the_first_of_them() -> None:
    error = refusal(b"item,title\n1,First\n" + b",nameless\n" * 11)
    assert error.line == 3
    assert "11 of 12 rows" in error.reason
    assert "item id is empty" in error.reason


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b" \n\r\n", "blank"),
        ("\N{NO-BREAK SPACE}\n".encode(), "blank"),
        (b"item,title\n", "no rows"),
        (b"item,title\n1,\n", "no row holds a title"),
        (b"1,Film\n2,Other\n", "names no item and title"),
        (b"# Titles\n\nSee the wiki.\n", "names no item and title"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b'[{"item": 1, "title": "x"}]', "JSON array"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (gzip.compress(b"item,title\n")[:10] + b"\xff" * 20, "damaged"),
        (gzip.compress(b"item,title\n1,x\n")[:-9], "cut off"),
        (b'{"title": "x"}\n', "has no item"),
        (b'{"item": null, "title": "x"}\n', "null"),
        (b'{"item": 1, "title"', "not JSON"),
        (b'item,title\n"1,Film\n', "quotation"),
    ],
)
def test_what_is_not_an_item_file_is_refused_with_the_reason(data: bytes, word: str) -> None:
    assert word in refusal(data).reason


@given(st.binary(max_size=300))
def test_any_bytes_are_items_or_malformed_items(data: bytes) -> None:
    try:
        titles = titles_in(data)
    except MalformedItemsError:
        return
    assert titles
    assert all(titles.values())


def test_a_first_line_that_splits_otherwise_than_all_others_does_not_lose_their_titles() -> None:
    data = b"id|::titlt|kind\n" + b"".join(b"%d|Film %d|a\n" % (n, n) for n in range(30))
    assert titles_in(data)["7"] == "Film 7"


def test_a_stray_quotation_mark_costs_its_own_row_only() -> None:
    data = b'item,title\n1,First\n2,"Stray\n3,Third\n4,"Fourth, the"\n5,"Fifth"\n'
    assert titles_in(data) == {"1": "First", "3": "Third", "4": "Fourth, the", "5": "Fifth"}


def test_a_quoted_title_may_go_over_lines() -> None:
    data = b'item,title\n1,"First ""of"",\nall, 2,"\n3,Third\n'
    assert titles_in(data) == {"1": 'First "of", all, 2,', "3": "Third"}


@pytest.mark.parametrize(
    "opening",
    ["", "sep=,\n", "# exported\n", "Our films\n\nas of today\n"],
)
def test_a_header_below_other_lines_is_found(opening: str) -> None:
    data = opening + "movieId,title\n10,Heat\n11,Alien\n"
    assert titles_in(data.encode()) == {"10": "Heat", "11": "Alien"}


def test_a_row_that_says_movie_is_no_header() -> None:
    rows = b"a::Heat::Crime\nb::Game::Drama\nc::Movie::Comedy\n"
    assert titles_in(rows) == {"a": "Heat", "b": "Game", "c": "Movie"}


def test_row_names_are_passed_over_and_surplus_cells_are_not_guessed_at() -> None:
    data = b'"movieId","title"\n"1",5,"Foo"\n"2",6,"Bar"\n'
    assert titles_in(data) == {"5": "Foo", "6": "Bar"}
    split = b"movieId,title\n1,Good, Bad\n2,Heat\n3,Alien\n"
    assert titles_in(split) == {"2": "Heat", "3": "Alien"}


def test_lines_that_are_not_utf8_are_windows_1252() -> None:
    data = "item,title\n1,Amélie\n".encode() + "2,Schindler\u2019s List\n".encode("cp1252")
    assert titles_in(data) == {"1": "Amélie", "2": "Schindler\u2019s List"}
