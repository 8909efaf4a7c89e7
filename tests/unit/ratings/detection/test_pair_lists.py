"""Pair lists: user and item out of any file that ratings may come in, whatever else it holds."""

import gzip
import io
import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recommender.errors import MalformedRatingsError
from recommender.ratings.form import PairForm, RatingForm, Writing
from recommender.ratings.identifiers import IdTable
from recommender.ratings.reading import read_ratings
from recommender.ratings.rejects import RejectLog
from recommender.ratings.table import RatingRows, RatingsBuilder

PAIRS = [("anna", "242"), ("b", "7"), ("anna", "242"), ("7", "x y")]


def read(data: bytes, form: RatingForm | None = None) -> tuple[list[tuple[str, str]], list[int]]:
    """The pairs of a file, and the lines of its rejects."""
    users, items, log = IdTable("user"), IdTable("item"), RejectLog()
    found: list[tuple[str, str]] = []

    def take(rows: RatingRows) -> None:
        codes = zip(rows.users.tolist(), rows.items.tolist(), strict=True)
        found.extend((users.spelling(user), items.spelling(item)) for user, item in codes)

    into = RatingsBuilder("pairs", users, items, take, log)
    read_ratings(iter([data]), into, 1.0, PairForm.of(form or RatingForm()))
    return found, [one.line for one in log.kept]


def parquet(**columns: list[object]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def csv(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


USERS, ITEMS = [user for user, _ in PAIRS], [item for _, item in PAIRS]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(csv("user,item", *map(",".join, PAIRS)), id="header"),
        pytest.param(csv("item,user", *(f"{i},{u}" for u, i in PAIRS)), id="other order"),
        pytest.param(csv(*map("\t".join, PAIRS)), id="no header"),
        pytest.param(csv(*(f"{u},{i},5,880000000" for u, i in PAIRS)), id="as ratings, no header"),
        pytest.param(
            csv("user_id;movieId;rating;timestamp", *(f"{u};{i};;" for u, i in PAIRS)),
            id="empty ratings",
        ),
        pytest.param(
            csv("userId,itemId,score,event", *(f"{u},{i},n/a,view" for u, i in PAIRS)),
            id="ratings that are none",
        ),
        pytest.param(
            csv("user,item,quantity", *(f"{u},{i},0" for u, i in PAIRS)), id="counts of nothing"
        ),
        pytest.param(gzip.compress(csv("user,item", *map(",".join, PAIRS))), id="packed"),
        pytest.param(csv(*(json.dumps({"user": u, "item": i}) for u, i in PAIRS)), id="JSON Lines"),
        pytest.param(
            csv(*(json.dumps({"rating": None, "user": u, "item": i}) for u, i in PAIRS)),
            id="JSON Lines with ratings",
        ),
        pytest.param(parquet(user=USERS, item=ITEMS), id="Parquet"),
        pytest.param(
            parquet(item=ITEMS, rating=[None, 5.0, float("nan"), -1e300], user=USERS),
            id="Parquet with ratings",
        ),
        pytest.param(
            parquet(item=ITEMS, rating=[[1], [], [2], [3]], user=USERS), id="Parquet with nested"
        ),
    ],
)
def test_user_and_item_are_read_and_nothing_else_matters(data: bytes) -> None:
    assert read(data) == (PAIRS, [])


def test_the_settings_of_the_catalog_say_which_column_is_what() -> None:
    form = RatingForm(columns={"user": "viewer", "item": "film", "rating": "stars"})
    assert read(csv("film,user,viewer", "1,no,anna"), form) == ([("anna", "1")], [])
    numbered = RatingForm(columns={"item": 1, "user": 3, "rating": 2})
    assert read(csv("1,no,anna", "2,no,anna"), numbered) == ([("anna", "1"), ("anna", "2")], [])


def test_a_catalogs_words_for_no_rating_say_nothing_of_pairs() -> None:
    form = RatingForm(separator="|", writing=Writing(missing=("0",)))
    assert read(csv("user|item|rating", "anna|1|0"), form) == ([("anna", "1")], [])


def test_rows_that_name_no_pair_are_rejects_however_many_they_are() -> None:
    bad = [",242", "anna,", "anna", "NULL,242", "anna,1,2,3"]
    found, lines = read(csv("user,item", *bad, "anna,242", *bad * 30))
    assert found == [("anna", "242")]
    assert lines == [*range(2, 7), *range(8, 8 + 150)]


def test_a_list_without_a_single_pair_is_refused() -> None:
    with pytest.raises(MalformedRatingsError, match="none of the 2 rows can be used"):
        read(csv("user,item", ",1", ",2"))
    with pytest.raises(MalformedRatingsError, match="names no item"):
        read(csv("user,thing", "anna,1", "anna,2"))
    with pytest.raises(MalformedRatingsError, match="has a header, but no rows"):
        read(b"user,item\n")


def test_the_form_stays_one_of_pairs_when_a_file_says_its_separator() -> None:
    assert read(csv("sep=;", "user;item;rating", "anna;1;x")) == ([("anna", "1")], [])
    assert isinstance(replace(PairForm.of(RatingForm()), separator=";"), PairForm)
