"""Top-N against a full sort of every score, ties, unknown ids and rated items included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import ShapeMismatchError
from recommender.features import FeatureRows
from recommender.model import pair_model, ranking
from recommender.model.machine import FactorizationMachine, predict, score
from recommender.model.pair_model import PairModel, split_machine
from recommender.model.ranking import (
    SeenItems,
    popular_items,
    popular_lists,
    top_items,
)

from testbed.ratings.datasets import seen_of


def make_model(users, items, rank, rng, *, bias=0.3, levels=None):
    """Random weights; with ``levels``, of so few values that many scores are equal."""

    def draw(*shape):
        if levels is None:
            return rng.normal(size=shape).astype(np.float32)
        return rng.integers(0, levels, shape).astype(np.float32)

    return PairModel(
        bias, draw(users), draw(users, rank), draw(items), draw(items, rank), "regressor"
    )


def full_sort(model: PairModel, users, n, seen: SeenItems | None):
    """Score every pair in float64 and sort all items of each user."""
    items = np.full((len(users), n), -1)
    scores = np.full((len(users), n), np.nan)
    for row, user in enumerate(users.tolist()):
        left = set() if seen is None else set(seen.of(user).tolist())
        every = model.score_pairs(np.full(model.items, user), np.arange(model.items))
        order = sorted(range(model.items), key=lambda item: (-every[item], item))
        kept = [item for item in order if item not in left][:n]
        items[row, : len(kept)] = kept
        scores[row, : len(kept)] = every[kept]
    return items, scores


def assert_equals_the_full_sort(model, users, n, seen):
    items, scores = top_items(model, users, n, seen)
    expected_items, expected_scores = full_sort(model, users, n, seen)
    assert np.array_equal(items, expected_items)
    assert np.array_equal(scores, expected_scores, equal_nan=True)


def random_seen(users, items, count, rng):
    return seen_of(rng.integers(0, users, count), rng.integers(0, items, count), users)


@pytest.mark.parametrize("rank", [0, 1, 16, 64])
@pytest.mark.parametrize(("items", "n"), [(1682, 10), (640, 10), (641, 10), (639, 10), (2000, 31)])
def test_top_items_equal_a_full_sort(items, n, rank):
    rng = np.random.default_rng(items + rank)
    model = make_model(40, items, rank, rng)
    users = rng.permutation(40)
    assert_equals_the_full_sort(model, users, n, None)
    assert_equals_the_full_sort(model, users, n, random_seen(40, items, 40 * items // 5, rng))


@given(
    users=st.integers(1, 6),
    items=st.integers(1, 400),
    n=st.integers(1, 8),
    rank=st.integers(0, 3),
    levels=st.sampled_from([1, 2, 3, None]),
    scale=st.sampled_from([1.0, 1e-20, 1e15, 1e37]),
    density=st.floats(0, 1.5),
    block=st.sampled_from([1, 700, 1 << 20]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=120)
def test_ties_scales_and_blocks_change_nothing(
    users, items, n, rank, levels, scale, density, block, seed
):
    rng = np.random.default_rng(seed)
    model = make_model(users, items, rank, rng, levels=levels)
    model = PairModel(
        model.bias,
        model.user_weights,
        model.user_factors * np.float32(scale),
        model.item_weights,
        model.item_factors,
        "regressor",
    )
    seen = random_seen(users, items, int(density * users * items), rng)
    asked = rng.integers(-1, users, 2 * users)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_BLOCK_SCORES", block)
        assert_equals_the_full_sort(model, asked, n, seen)


def test_scores_that_float32_cannot_tell_apart_are_sorted_all_the_same():
    # Large terms cancel and leave steps as small as what float32 loses on the way.
    rng = np.random.default_rng(9)
    large = rng.uniform(1000, 1900, (5000, 3)).astype(np.float32)
    steps = rng.integers(0, 20, 5000).astype(np.float32) * np.float32(2.0**-13)
    model = PairModel(
        0.0,
        np.zeros(1, np.float32),
        np.full((1, 6), 1.1, np.float32),
        np.zeros(5000, np.float32),
        np.concatenate((large, steps[:, None] - large), axis=1),
        "regressor",
    )
    assert_equals_the_full_sort(model, np.array([0]), 20, None)


def test_scores_that_only_float32_could_tell_apart_are_ties():
    # Beside a bias of a million, float64 rounds weights of 1e-12 away: the lower number wins.
    rng = np.random.default_rng(10)
    model = PairModel(
        1e6,
        np.zeros(1, np.float32),
        np.zeros((1, 1), np.float32),
        (rng.random(2000) * 1e-12).astype(np.float32),
        np.zeros((2000, 1), np.float32),
        "regressor",
    )
    assert top_items(model, np.array([0]), 3, None)[0].tolist() == [[0, 1, 2]]


def test_scores_beyond_float32_are_sorted_all_the_same():
    model = make_model(2, 900, 3, np.random.default_rng(12))
    huge = np.float32(1e30)
    model = PairModel(
        model.bias,
        model.user_weights,
        model.user_factors * huge,
        model.item_weights,
        model.item_factors * huge,
        "regressor",
    )
    assert_equals_the_full_sort(model, np.array([0, 1]), 10, None)


def test_equal_scores_come_in_the_order_of_their_numbers():
    model = PairModel(
        0.0,
        np.zeros(2, np.float32),
        np.zeros((2, 4), np.float32),
        np.repeat(np.float32([1, 2]), 1000),
        np.zeros((2000, 4), np.float32),
        "regressor",
    )
    items, scores = top_items(model, np.array([0, 1]), 5, None)
    assert items.tolist() == [[1000, 1001, 1002, 1003, 1004]] * 2
    assert scores.tolist() == [[2.0] * 5] * 2


def test_a_user_who_rated_all_but_a_few_gets_only_those():
    rng = np.random.default_rng(1)
    model = make_model(2, 900, 4, rng)
    rated = np.setdiff1d(np.arange(900), [3, 500])
    seen = seen_of(np.zeros(898, np.int64), rated, 2)
    items, scores = top_items(model, np.array([0, 1]), 4, seen)
    assert sorted(items[0, :2].tolist()) == [3, 500]
    assert items[0, 2:].tolist() == [-1, -1]
    assert np.isnan(scores[0, 2:]).all()
    assert not np.isin(items[1], -1).any()


def test_nothing_to_recommend_from_or_to_gives_empty_lists():
    rng = np.random.default_rng(1)
    model = make_model(2, 3, 4, rng)
    assert top_items(model, np.zeros(0, np.int64), 4, None)[0].shape == (0, 4)
    assert top_items(model, np.array([0]), 0, None)[0].shape == (1, 0)
    assert top_items(make_model(2, 0, 4, rng), np.array([1]), 2, None)[0].tolist() == [[-1, -1]]


@pytest.mark.parametrize("kind", ["binary_classifier", "regressor"])
def test_pairs_are_predicted_as_the_machine_predicts_their_one_hot_rows(kind):
    rng = np.random.default_rng(5)
    machine = FactorizationMachine(
        -0.2,
        rng.normal(size=30).astype(np.float32),
        rng.normal(size=(30, 6)).astype(np.float32),
        kind,
    )
    model = split_machine(machine, 12, 18)
    users, items = rng.integers(0, 12, 400), rng.integers(0, 18, 400)
    rows = FeatureRows.pairs(users, 12 + items, 30)
    np.testing.assert_allclose(model.score_pairs(users, items), score(rows, machine), rtol=1e-12)
    np.testing.assert_allclose(
        model.predict_pairs(users, items), predict(rows, machine), rtol=1e-12
    )


def test_unknown_users_and_items_contribute_nothing():
    model = make_model(3, 4, 2, np.random.default_rng(6))
    scores = model.score_pairs(np.array([-1, 1, -1]), np.array([2, -1, -1]))
    user, item = float(model.user_weights[1]), float(model.item_weights[2])
    np.testing.assert_allclose(scores, [0.3 + item, 0.3 + user, 0.3], rtol=1e-15)


def test_a_score_does_not_depend_on_its_neighbours(monkeypatch):
    model = make_model(50, 60, 17, np.random.default_rng(7))
    rng = np.random.default_rng(8)
    users, items = rng.integers(-1, 50, 999), rng.integers(-1, 60, 999)
    together = model.score_pairs(users, items)
    monkeypatch.setattr(pair_model, "_GATHERED_NUMBERS", 100)
    assert np.array_equal(model.score_pairs(users, items), together)


def test_a_machine_of_another_size_is_not_split():
    machine = FactorizationMachine(0.0, np.zeros(5, np.float32), np.zeros((5, 2), np.float32))
    with pytest.raises(ShapeMismatchError, match=r"2 users \+ 4 items, found 5"):
        split_machine(machine, 2, 4)


@pytest.mark.parametrize(("users", "items"), [([3], [0]), ([0], [4]), ([-2], [0]), ([0, 1], [0])])
def test_numbers_that_do_not_exist_are_refused(users, items):
    model = make_model(3, 4, 2, np.random.default_rng(0))
    with pytest.raises(ShapeMismatchError):
        model.score_pairs(np.array(users), np.array(items))
    if users != [0] and len(users) == 1:
        with pytest.raises(ShapeMismatchError):
            top_items(model, np.array(users), 2, None)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=60),
)
@settings(max_examples=40)
def test_seen_items_are_the_distinct_items_of_each_user(pairs):
    users = np.array([user for user, _ in pairs], np.int64)
    items = np.array([item for _, item in pairs], np.int64)
    seen = seen_of(users, items, 6)
    for user in range(6):
        assert seen.of(user).tolist() == sorted({item for who, item in pairs if who == user})
    assert seen.of(-1).size == 0
    asked = np.array([3, -1, 0, 3])
    rows, columns = seen.places(asked)
    expected = [(row, item) for row, who in enumerate(asked) for item in seen.of(int(who))]
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == expected


def test_popular_items_are_the_most_liked_and_of_equal_ones_the_first():
    likes = np.array([3, 9, 3, 0, 9, 1])
    assert popular_items(likes, 4).tolist() == [1, 4, 0, 2]
    assert popular_items(likes, 99).tolist() == [1, 4, 0, 2, 5, 3]
    assert popular_items(likes[:0], 3).size == 0


def test_popular_lists_leave_out_what_was_rated():
    likes = np.array([3, 9, 3, 0, 9, 1])
    seen = seen_of(np.array([0, 0, 2]), np.array([1, 0, 4]), 3)
    lists = popular_lists(likes, np.array([0, 1, 2, -1]), 3, seen)
    assert lists.tolist() == [[4, 2, 5], [1, 4, 0], [1, 0, 2], [1, 4, 0]]
