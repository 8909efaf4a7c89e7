"""Side files to features, and the proof that folding them away changes no score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.catalog.feature_columns import FeatureColumn
from recommender.catalog.feature_making import make_side_features
from recommender.catalog.sheets import read_sheet
from recommender.catalog.side_features import SideFeatures
from recommender.catalog.side_tables import table_of
from recommender.errors import MalformedItemsError, ShapeMismatchError
from recommender.model.folding import fold
from recommender.model.machine import FactorizationMachine, LikeLink, score

MOVIES = b"movieId,title,genres\n1,Alien (1979),Horror|Sci-Fi\n2,Heat,Crime\n3,Odd,\n"
PEOPLE = b"1|24|M|technician|85711\n2|53|F|other|94043\n7|23|M|writer|32067\n"


def entries(side: SideFeatures, noun: str) -> list[dict[str, float]]:
    rows = side.users if noun == "user" else side.items
    return [
        {
            side.names[column]: float(value)
            for column, value in zip(
                rows.columns[first:last].tolist(), rows.values[first:last].tolist(), strict=True
            )
        }
        for first, last in zip(rows.offsets[:-1].tolist(), rows.offsets[1:].tolist(), strict=True)
    ]


def test_several_values_share_a_weight_of_one_and_a_category_has_it_alone() -> None:
    side = make_side_features(
        ["1", "2", "unknown"],
        ["1", "2", "3"],
        {
            "item": (table_of(read_sheet("items.csv", MOVIES, "item")), [FeatureColumn("genres")]),
            "user": (table_of(read_sheet("u.user", PEOPLE, "user")), [FeatureColumn("gender")]),
        },
    )
    assert side.names == (
        *("user.gender=F", "user.gender=M"),
        *("item.genres=Crime", "item.genres=Horror", "item.genres=Sci-Fi"),
    )
    assert entries(side, "user") == [{"user.gender=M": 1.0}, {"user.gender=F": 1.0}, {}]
    assert entries(side, "item") == [
        {"item.genres=Horror": 0.5, "item.genres=Sci-Fi": 0.5},
        {"item.genres=Crime": 1.0},
        {},
    ]
    assert [one["kind"] for one in side.columns] == ["category", "several"]


def test_numbers_fall_into_the_buckets_that_are_given() -> None:
    age = FeatureColumn("age", "number", bounds=(24.0, 50.0))
    people = table_of(read_sheet("u.user", PEOPLE, "user"))
    side = make_side_features(["1", "2", "7"], [], {"user": (people, [age])})
    assert entries(side, "user") == [
        {"user.age=from 24": 1.0},
        {"user.age=from 50": 1.0},
        {"user.age=below 24": 1.0},
    ]


def test_many_numbers_make_buckets_of_about_as_many_each() -> None:
    people = b"user,age\n" + b"".join(b"%d,%d\n" % (n, n) for n in range(80))
    table = table_of(read_sheet("users.csv", people, "user"))
    side = make_side_features(
        [str(n) for n in range(80)], [], {"user": (table, [FeatureColumn("age")])}
    )
    assert np.bincount(side.users.columns).tolist() == [10] * 8


def test_who_has_no_ratings_gets_a_number_behind_the_others_and_no_column() -> None:
    data = b"item,kind\nnew,b\n1,a\n2,b\nodd,c\nempty,\nalso,a\n"
    table = table_of(read_sheet("items.csv", data, "item"))
    rated = table.of_rated({"1", "2"}.__contains__, with_cold=True)
    side = make_side_features(["u"], ["1", "2"], {"item": (rated, [FeatureColumn("kind")])})
    # A kind that no rated item is of has taught nobody anything.
    assert side.names == ("item.kind=a", "item.kind=b")
    assert side.cold_items == ("also", "new")
    assert entries(side, "item")[2:] == [{"item.kind=a": 1.0}, {"item.kind=b": 1.0}]
    rows = side.rows(np.array([0]), np.array([1]))
    rows.check()
    assert (rows.dimension, rows.columns.tolist()) == (5, [0, 2, 4])
    without = table.of_rated({"1", "2"}.__contains__, with_cold=False)
    side = make_side_features(["u"], ["1", "2"], {"item": (without, [FeatureColumn("kind")])})
    assert side.cold_items == ()


def test_the_flags_of_movielens_items_are_genres() -> None:
    flags = "|".join("1" if at in (1, 16) else "0" for at in range(19))
    data = f"1|Caf\xe9|01-Jan-1995||http://x|{flags}\n".encode("latin-1")
    table = table_of(read_sheet("items.item", data, "item"))
    assert table.rows["1"][table.columns.index("genres")] == "Action|Thriller"
    assert table.rows["1"][0] == "Caf\xe9"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (FeatureColumn("genre"), ["'genre'", "'genres'"]),
        (FeatureColumn("title", "number"), ["'title'", "no number"]),
    ],
)
def test_a_column_that_cannot_be_a_feature_is_named(
    column: FeatureColumn, words: list[str]
) -> None:
    table = table_of(read_sheet("items.csv", MOVIES, "item"))
    with pytest.raises(MalformedItemsError) as caught:
        make_side_features([], ["1"], {"item": (table, [column])})
    for word in words:
        assert word in caught.value.reason


@st.composite
def sides(draw: st.DrawFn) -> tuple[int, int, SideFeatures]:
    n_users, n_items = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    cells = st.lists(st.sampled_from("abcd"), max_size=3).map("|".join)
    tables = {}
    for noun, size in (("user", n_users), ("item", n_items)):
        rows = [f"{n},{draw(cells)},{draw(st.sampled_from('xyz'))}" for n in range(size)]
        data = "\n".join([f"{noun},tags,kind", *rows]).encode()
        wanted = [FeatureColumn("tags", "several"), FeatureColumn("kind")]
        tables[noun] = (table_of(read_sheet(noun, data, noun)), wanted)
    users, items = ([str(n) for n in range(size)] for size in (n_users, n_items))
    rated = draw(st.integers(1, n_users)), draw(st.integers(1, n_items))
    known = {"user": users[: rated[0]], "item": items[: rated[1]]}
    told = {
        noun: (table.of_rated(known[noun].__contains__, with_cold=True), wanted)
        for noun, (table, wanted) in tables.items()
    }
    return *rated, make_side_features(known["user"], known["item"], told)


@given(sides(), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_the_folded_model_scores_each_pair_as_the_machine_scores_its_full_row(
    shape: tuple[int, int, SideFeatures], rank: int, seed: int
) -> None:
    n_users, n_items, side = shape
    rng = np.random.default_rng(seed)
    dimension = n_users + n_items + side.dimension
    machine = FactorizationMachine(
        bias=float(rng.normal()),
        linear=rng.normal(size=dimension).astype(np.float32),
        factors=rng.normal(size=(dimension, rank)).astype(np.float32),
        predictor_type="regressor",
    )
    model = fold(machine, n_users, n_items, side)
    users, items = (one.reshape(-1) for one in np.indices((n_users, n_items)))
    rows = side.rows(users, items)
    rows.check()
    assert rows.dimension == dimension
    np.testing.assert_allclose(
        model.score_pairs(users, items), score(rows, machine), rtol=1e-5, atol=1e-5
    )
    strangers, every = np.full(n_items, -1), np.arange(n_items)
    np.testing.assert_allclose(
        model.score_pairs(strangers, every),
        score(side.rows(strangers, every), machine),
        rtol=1e-5,
        atol=1e-5,
    )


def test_a_folded_model_knows_as_its_machine_does_how_ratings_become_likes() -> None:
    people = table_of(read_sheet("u.user", PEOPLE, "user"))
    side = make_side_features(["1"], ["1"], {"user": (people, [FeatureColumn("gender")])})
    link = LikeLink(1.5, -5.0)
    dimension = 2 + side.dimension
    machine = FactorizationMachine(
        0.0,
        np.zeros(dimension, np.float32),
        np.zeros((dimension, 2), np.float32),
        "regressor",
        link,
    )
    assert side.dimension
    assert fold(machine, 1, 1, side).like_link == link


def test_a_machine_of_another_size_is_refused() -> None:
    machine = FactorizationMachine(
        0.0, np.zeros(3, np.float32), np.zeros((3, 2), np.float32), "regressor"
    )
    people = table_of(read_sheet("u.user", PEOPLE, "user"))
    side = make_side_features(["1"], ["1"], {"user": (people, [FeatureColumn("gender")])})
    with pytest.raises(ShapeMismatchError, match="2 side features"):
        fold(machine, 1, 1, side)
