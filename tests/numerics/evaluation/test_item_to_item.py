"""Item-to-item lists against cosines of every pair of items, one at a time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import ShapeMismatchError
from recommender.evaluation import item_to_item as module
from recommender.evaluation.item_to_item import (
    MOST_PRODUCTS,
    affordable_users,
    item_to_item_lists,
    too_many_products,
)
from recommender.model.seen_items import WeightedItems

N_ITEMS = 9


def weighted(table: np.ndarray) -> WeightedItems:
    rows, items = np.nonzero(table)
    return WeightedItems.from_pairs(rows, items, table[rows, items], len(table))


def cosine(table: np.ndarray, one: int, other: int) -> float:
    norms = math.hypot(*table[:, one]) * math.hypot(*table[:, other])
    total = sum(a * b for a, b in zip(table[:, one], table[:, other], strict=True))
    return total / norms if norms else 0.0


def scores_by_hand(train: np.ndarray, rated: np.ndarray) -> np.ndarray:
    scores = np.zeros(rated.shape)
    for user, own in enumerate(rated):
        for item in range(rated.shape[1]):
            if not own[item]:
                scores[user, item] = sum(cosine(train, item, i) for i in np.flatnonzero(own))
    return scores


def tables(max_users: int) -> st.SearchStrategy[np.ndarray]:
    row = st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0]), min_size=N_ITEMS, max_size=N_ITEMS)
    return st.lists(row, min_size=1, max_size=max_users).map(np.array)


@given(
    train=tables(7), rated=tables(5), n=st.integers(1, 11), terms=st.sampled_from([1, 5, 1 << 17])
)
@settings(max_examples=100)
def test_a_list_holds_the_items_nearest_to_what_was_rated(train, rated, n, terms) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TERMS_AT_ONCE", terms)
        patch.setattr(module, "_USERS_AT_ONCE", 2)
        found = item_to_item_lists(weighted(train), weighted(rated), N_ITEMS, n)
    for row, scores in zip(found.tolist(), scores_by_hand(train, rated), strict=True):
        listed = [item for item in row if item >= 0]
        assert len(row) == n
        assert row[len(listed) :] == [-1] * (n - len(listed))
        assert len(set(listed)) == len(listed) == min(n, np.count_nonzero(scores))
        # Of scores that are equal but for rounding, any order will do.
        best = np.sort(scores)[::-1][: len(listed)]
        assert scores[listed].tolist() == pytest.approx(best.tolist())


def test_of_equal_scores_the_lower_item_stands_first() -> None:
    train = weighted(np.ones((3, N_ITEMS)))
    rated = weighted(np.eye(N_ITEMS)[[4]])
    assert item_to_item_lists(train, rated, N_ITEMS, 5).tolist() == [[0, 1, 2, 3, 5]]


def test_a_user_who_rated_nothing_or_who_rated_what_nobody_did_has_an_empty_list() -> None:
    train = np.ones((3, N_ITEMS))
    train[:, 4] = 0.0
    rated = np.zeros((2, N_ITEMS))
    rated[1, 4] = 1.0
    assert (item_to_item_lists(weighted(train), weighted(rated), N_ITEMS, 3) == -1).all()
    nobody = weighted(np.zeros((2, N_ITEMS)))
    assert (item_to_item_lists(nobody, weighted(rated), N_ITEMS, 3) == -1).all()
    assert item_to_item_lists(weighted(train), nobody, N_ITEMS, 0).shape == (2, 0)


def test_what_would_take_too_long_is_left_out_with_its_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = weighted(np.ones((3, N_ITEMS)))
    assert too_many_products(train, 1000) is None
    monkeypatch.setattr(module, "MOST_PRODUCTS", 26_999)
    assert too_many_products(train, 1000) == (
        "Item-to-item lists were left out: 1,000 users times 27 train ratings are more than "
        "26,999 products."
    )


@pytest.mark.parametrize(
    ("ratings", "evaluated", "users"),
    [(10**6, 10**3, 500), (10**6, 10**4, 500), (10**6, 2 * 10**4, 250), (10**9, 10**9, 0)],
)
def test_cosines_are_made_of_as_many_users_as_there_is_time_for(ratings, evaluated, users) -> None:
    assert affordable_users(500, ratings, evaluated) == users
    assert users in (0, 500) or users * ratings // 500 * evaluated <= MOST_PRODUCTS


def test_items_that_do_not_exist_are_refused() -> None:
    table = weighted(np.ones((2, N_ITEMS)))
    with pytest.raises(ShapeMismatchError, match="item number"):
        item_to_item_lists(table, table, N_ITEMS - 1, 3)
