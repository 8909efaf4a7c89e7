"""The test set that is drawn where no file is one."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.catalog.config import CatalogConfig
from recommender.dataset.draws import Draw
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import UnsuitableRatingsError

from testbed.ratings.datasets import Row, dataset_of, distinct_rows, file_of, rows_of


@st.composite
def split_inputs(draw: st.DrawFn) -> tuple[list[Row], list[list[Row]]]:
    """Ratings of distinct pairs, and the same ones shuffled into several files."""
    rows = draw(distinct_rows())
    shuffled = draw(st.permutations(rows))
    cuts = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    bounds = [0, *cuts, len(rows)]
    return rows, [shuffled[start:end] for start, end in itertools.pairwise(bounds)]


@given(split_inputs(), st.floats(0.2, 0.8))
def test_the_split_depends_neither_on_order_nor_on_the_number_of_files(
    inputs: tuple[list[Row], list[list[Row]]], fraction: float
) -> None:
    rows, parts = inputs
    config = CatalogConfig(predictor_type="regressor", holdout_fraction=fraction)
    try:
        one = dataset_of(file_of(rows), config=config)
    except UnsuitableRatingsError:
        with pytest.raises(UnsuitableRatingsError):
            dataset_of(*map(file_of, parts), config=config)
        return
    many = dataset_of(*map(file_of, parts), config=config)
    assert sorted(rows_of(many, many.train)) == sorted(rows_of(one, one.train))
    assert sorted(rows_of(many, many.test)) == sorted(rows_of(one, one.test))
    assert many.vocabulary == one.vocabulary
    both = rows_of(one, one.train) + rows_of(one, one.test)
    assert sorted(both) == sorted(row[:3] for row in rows)
    train_pairs = {row[:2] for row in rows_of(one, one.train)}
    assert train_pairs.isdisjoint(row[:2] for row in rows_of(one, one.test))


def grid(n_users: int, n_items: int) -> tuple[Vocabulary, np.ndarray, np.ndarray]:
    names = (tuple(map(str, range(n))) for n in (n_users, n_items))
    users, items = np.divmod(np.arange(n_users * n_items), n_items)
    return Vocabulary(*names), users, items


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.9])
def test_the_split_sets_aside_the_share_that_was_asked_for(fraction: float) -> None:
    vocabulary, users, items = grid(300, 400)
    chosen = Draw(vocabulary).falls_in_test(users, items, fraction)
    deviation = math.sqrt(fraction * (1 - fraction) / chosen.size)
    assert chosen.mean() == pytest.approx(fraction, abs=4 * deviation)
    # Nobody is set aside as a whole: shares of users and of items scatter like coin tosses.
    by_user, by_item = chosen.reshape(300, 400).mean(axis=1), chosen.reshape(300, 400).mean(axis=0)
    assert by_user.std() == pytest.approx(deviation * math.sqrt(300), rel=0.25)
    assert by_item.std() == pytest.approx(deviation * math.sqrt(400), rel=0.25)


def test_a_larger_test_set_holds_the_smaller_one() -> None:
    vocabulary, users, items = grid(50, 50)
    small = Draw(vocabulary).falls_in_test(users, items, 0.1)
    large = Draw(vocabulary).falls_in_test(users, items, 0.3)
    assert not (small & ~large).any()


def test_swapping_user_and_item_is_another_draw() -> None:
    vocabulary, users, items = grid(60, 60)
    there = Draw(vocabulary).falls_in_test(users, items, 0.5)
    back = Draw(vocabulary).falls_in_test(items, users, 0.5)
    assert (there == back).mean() == pytest.approx(0.5, abs=0.05)


def test_the_split_is_the_same_in_every_version() -> None:
    vocabulary, users, items = grid(4, 5)
    chosen = Draw(vocabulary).falls_in_test(users, items, 0.3)
    assert np.flatnonzero(chosen).tolist() == [3, 4, 5, 7, 8, 9, 16, 18, 19]
