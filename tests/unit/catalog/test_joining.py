"""Side files and ratings come together by the ids that they share."""

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.catalog.joining import Join, joined
from recommender.catalog.sheets import Sheet, read_sheet
from recommender.catalog.side_tables import table_of
from recommender.catalog.titles import titles_of
from recommender.errors import MalformedItemsError
from recommender.ratings.identifiers import IdTable

from testbed import films, runs
from testbed.machine import STEPS
from testbed.stage import Stage

BOOKS = (
    "book_id,goodreads_book_id,isbn,authors,title\n"
    "1,1007,0439000001,Author 1,Title 1\n"
    "2,2007,0439000002,Author 2,Title 2\n"
    "3,3007,0439000003,Author 3,Title 3\n"
    "4,4007,0439000004,Author 4,Title 4\n"
)


def ids_of(*names: object, noun: str = "item") -> IdTable:
    table = IdTable(noun)
    table.use(np.array([table.add(str(name)) for name in names], np.int32))
    return table


def join(
    text: str, ids: IdTable, noun: str = "item", names: tuple[str, ...] = ()
) -> tuple[Sheet, Join]:
    return joined(read_sheet(f"catalogs/shop/{noun}s.csv", text.encode(), noun), ids, names)


def as_json(text: str) -> str:
    names, *rows = (line.split(",") for line in text.splitlines())
    return "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows)


@pytest.mark.parametrize("write", [str, as_json])
def test_of_several_ids_the_one_that_the_ratings_have_counts(write: type) -> None:
    sheet, told = join(write(BOOKS), ids_of(1, 2, 3, 4))
    assert titles_of(sheet) == {str(n): f"Title {n}" for n in range(1, 5)}
    assert (told.column, told.known, told.ids, told.share) == ("book_id", 4, 4, 1.0)
    assert told.warning == ""


def test_a_column_that_nobody_calls_an_id_is_one_if_the_ratings_say_so() -> None:
    sheet, told = join(BOOKS, ids_of(1007, 2007, 3007, 4007))
    assert told.column == "goodreads_book_id"
    assert titles_of(sheet)["2007"] == "Title 2"


def test_leading_zeros_are_part_of_an_id() -> None:
    assert join(BOOKS, ids_of("0439000001", "0439000002"))[1].column == "isbn"
    assert join(BOOKS, ids_of(439000001, 439000002))[1].known == 0


def test_a_whole_fraction_is_the_same_id() -> None:
    text = "movie_id,title\n1.0,One\n2.0,Two\n"
    sheet, told = join(text, ids_of(1, 2))
    assert told.known == 2
    assert titles_of(sheet) == {"1": "One", "2": "Two"}


def test_where_all_match_the_name_decides() -> None:
    text = "track_id,song,title\n1,1,One\n2,2,Two\n"
    assert join(text, ids_of(1, 2))[1].column == "track_id"


def test_a_column_of_the_same_name_as_the_ratings_counts_before_a_more_telling_one() -> None:
    text = "track_id,artist_id,title\n" + "".join(f"{n},{n % 5 + 1},T{n}\n" for n in range(1, 40))
    ids = ids_of(*range(1, 6))
    assert join(text, ids)[1].column == "track_id"
    assert join(text, ids, names=("Artist-ID",))[1].column == "artist_id"


@pytest.mark.parametrize("column", ["year", "rank", "pages", "age"])
def test_numbers_that_meet_ids_by_chance_are_none(column: str) -> None:
    rng = random.Random(1)
    rows = list(range(1, 101))
    values = rows if column == "rank" else [rng.randrange(1, 60) for _ in rows]
    text = f"sku,{column},title\n" + "".join(
        f"S{n},{value},T{n}\n" for n, value in zip(rows, values, strict=True)
    )
    _, told = join(text, ids_of(*rows))
    assert told.column == "sku"
    assert told.known == 0
    assert "knows 0 of the 100 items" in told.warning


def test_a_file_without_a_known_name_is_joined_by_what_it_holds() -> None:
    text = "ean,produkt_nr,bezeichnung\n" + "".join(f"{n * 13},{n * 7},T{n}\n" for n in range(9))
    _, told = join(text, ids_of(*(n * 7 for n in range(1, 9))))
    assert told.column == "produkt_nr"


def test_a_file_without_a_column_of_ids_is_refused_in_words() -> None:
    with pytest.raises(MalformedItemsError, match=r"names no item.*'ean', 'bezeichnung'"):
        join("ean,bezeichnung\n4001,T\n4002,U\n", ids_of("a", "b"))


def test_few_matches_are_a_warning_with_examples_of_both_sides() -> None:
    _, told = join("item,title\nx1,One\nx2,Two\nb,Three\n", ids_of("a", "b", "c"))
    assert told.share == pytest.approx(1 / 3)
    for words in ("items.csv", "1 of the 3", "'x1', 'x2'", "'a', 'c'", "'item'"):
        assert words in told.warning


def test_users_are_joined_alike() -> None:
    text = "customer_id,member_id,age\nc1,7,30\nc2,8,40\n"
    ids = ids_of(7, 8, noun="user")
    sheet, told = join(text, ids, "user")
    assert told.column == "member_id"
    assert dict(table_of(sheet).rows)["7"] == ["c1", "30"]


def test_formats_without_a_header_keep_their_first_column() -> None:
    text = "1::Toy Story::Comedy\n2::Heat::Crime\n"
    _, told = join(text, ids_of("Toy Story", "Heat"))
    assert (told.column, told.known) == ("", 0)
    assert "its first column" in told.warning


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True), st.integers(2, 5), st.data())
def test_the_share_is_what_it_says(rated: list[str], columns: int, data: st.DataObject) -> None:
    cell = st.sampled_from([*"abcdefgh", "", "NULL", "zz"])
    rows = data.draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), max_size=9))
    names = ["item", *(f"c{n}" for n in range(columns - 1))]
    text = "\n".join(",".join(row) for row in [names, *rows])
    sheet, told = join(text, ids_of(*rated))
    column = {row[sheet.id_at] for row in rows}
    assert told.known == len(column & set(rated))
    assert told.ids == len(rated)
    assert bool(told.warning) == (told.share < 0.5)


def test_a_run_tells_how_its_side_files_were_joined(stage: Stage) -> None:
    runs.upload_films(stage)
    rows = [f"97{n:08},{item},Film {item}" for n, item in enumerate(films.ITEMS)]
    stage.upload(films.ITEMS_KEY, "\n".join(["isbn,filmnummer,title", *rows]))
    stage.upload("catalogs/films/config.json", '{"features": {"users": {"age": {}}}}')
    stage.upload("catalogs/films/users.csv", f"user_id,age\n{films.USERS[0]},30\n101,40\n")
    manifest = runs.manifest_of(stage, runs.run(stage, runs.admit(stage)["execution"]))
    run = f"runs/films/{manifest['runId']}"
    titles = stage.kept_json(f"{run}/vocabulary/titles.json")
    assert titles == {item: f"Film {item}" for item in films.ITEMS}
    items, users = manifest["sideFiles"]
    assert (items["column"], items["share"]) == ("filmnummer", 1.0)
    assert items["titled"] == len(films.ITEMS)
    assert "titled" not in users
    assert (users["column"], users["known"], users["ids"]) == ("user_id", 1, len(films.USERS))
    (warning,) = manifest["warnings"]
    assert f"users.csv knows 1 of the {len(films.USERS)} users" in warning
    report = stage.kept(f"{run}/report.html").decode()
    assert f"{len(films.ITEMS)} of {len(films.ITEMS)} items that have ratings (100%)" in report
    assert f"users.csv knows 1 of the {len(films.USERS)} users" in report
    (notice,) = stage.notices()
    assert notice.facts["warnings"] == [warning]
    assert "Warning: catalogs/films/users.csv" in notice.facts["summary"]


def test_few_titles_are_warned_of(stage: Stage) -> None:
    runs.upload_films(stage)
    rows = [f"{item},{'Film' if at < 3 else ''}" for at, item in enumerate(films.ITEMS)]
    stage.upload(films.ITEMS_KEY, "\n".join(["item,title", *rows]))
    manifest = runs.manifest_of(stage, runs.run(stage, runs.admit(stage)["execution"]))
    assert manifest["sideFiles"][0]["titled"] == 3
    (warning,) = manifest["warnings"]
    assert f"has titles for 3 of the {len(films.ITEMS)} items that have ratings" in warning


def test_what_stands_in_a_column_is_counted_for_those_with_ratings(stage: Stage) -> None:
    runs.upload_films(stage)
    stage.upload("catalogs/films/config.json", '{"features": {"items": {"mood": {}}}}')
    rows = [f"{item},{'dark' if at < 6 else ''}" for at, item in enumerate(films.ITEMS)]
    rows += [f"new{n},odd" for n in range(9)]
    stage.upload(films.ITEMS_KEY, "\n".join(["item,mood", *rows]))
    event = {"catalog": "films", "execution": runs.admit(stage)["execution"]}
    encoded = stage.run("EncodeRatings", STEPS["EncodeRatings"], event)
    (told,) = stage.kept_json(f"runs/films/{encoded['runId']}/plan.json")["features"]
    assert (told["features"], told["known"]) == (1, 6)
