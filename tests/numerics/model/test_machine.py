"""Factorization machine arithmetic against the double sum of its definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import ShapeMismatchError
from recommender.features import FeatureRows
from recommender.model import machine as module
from recommender.model.machine import FactorizationMachine, LikeLink, predict, score, sigmoid

from testbed.numerics.matrices import random_rows


def double_sum(rows: FeatureRows, machine: FactorizationMachine) -> list[float]:
    """w0 + sum of w_i x_i + sum over i < j of <v_i, v_j> x_i x_j, one term at a time."""
    scores = []
    for first, last in zip(rows.offsets[:-1], rows.offsets[1:], strict=True):
        columns, values = rows.columns[first:last].tolist(), rows.values[first:last].tolist()
        terms = [machine.bias]
        for place, (i, x_i) in enumerate(zip(columns, values, strict=True)):
            terms.append(float(machine.linear[i]) * x_i)
            for j, x_j in list(zip(columns, values, strict=True))[place + 1 :]:
                for a, b in zip(
                    machine.factors[i].tolist(), machine.factors[j].tolist(), strict=True
                ):
                    terms.append(a * b * x_i * x_j)
        scores.append(math.fsum(terms))
    return scores


def make_machine(dimension, rank, rng, predictor_type="binary_classifier"):
    return FactorizationMachine(
        bias=float(rng.normal()),
        linear=rng.normal(size=dimension).astype(np.float32),
        factors=rng.normal(size=(dimension, rank)).astype(np.float32),
        predictor_type=predictor_type,
    )


@pytest.mark.parametrize(
    "counts", [[2, 2, 2], [0], [0, 3, 0, 0, 1, 9, 0], [1, 1], [12], [], [2, 0, 2], [0, 0]]
)
@pytest.mark.parametrize("rank", [0, 1, 5])
def test_score_equals_the_double_sum_over_pairs(counts, rank):
    rng = np.random.default_rng(rank)
    rows, machine = random_rows(counts, 12, rng), make_machine(12, rank, rng)
    np.testing.assert_allclose(score(rows, machine), double_sum(rows, machine), rtol=1e-12)


@given(
    counts=st.lists(st.integers(0, 8), max_size=10),
    rank=st.integers(1, 4),
    block=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40)
def test_the_size_of_a_block_changes_no_score(counts, rank, block, seed):
    rng = np.random.default_rng(seed)
    rows, machine = random_rows(counts, 9, rng), make_machine(9, rank, rng)
    expected = double_sum(rows, machine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_NUMBERS", block)
        np.testing.assert_allclose(score(rows, machine), expected, rtol=1e-9, atol=1e-9)


def test_one_hot_pairs_score_bias_weights_and_one_inner_product():
    rng = np.random.default_rng(2)
    machine = make_machine(20, 3, rng)
    users, items = rng.integers(0, 8, 50), 8 + rng.integers(0, 12, 50)
    linear, factors = machine.linear.astype(float), machine.factors.astype(float)
    expected = [
        machine.bias + linear[u] + linear[i] + factors[u] @ factors[i]
        for u, i in zip(users, items, strict=True)
    ]
    rows = FeatureRows.pairs(users, items, 20)
    np.testing.assert_allclose(score(rows, machine), expected, rtol=1e-12)


def test_small_interactions_survive_beside_large_factors():
    # The difference of squares, 1e16 apart, would lose the product of the small factors.
    factors = np.array([[1e8, 1e-4], [0.0, 1e-4]], np.float32)
    machine = FactorizationMachine(0.0, np.zeros(2, np.float32), factors)
    rows = FeatureRows.pairs(np.array([0]), np.array([1]), 2)
    np.testing.assert_allclose(score(rows, machine), [float(np.float32(1e-4)) ** 2], rtol=1e-12)


def test_a_classifier_predicts_the_sigmoid_and_a_regressor_the_score():
    rng = np.random.default_rng(4)
    rows = random_rows([2, 3], 6, rng)
    classifier = make_machine(6, 2, rng)
    regressor = FactorizationMachine(
        classifier.bias, classifier.linear, classifier.factors, "regressor"
    )
    raw = double_sum(rows, classifier)
    np.testing.assert_allclose(predict(rows, regressor), raw, rtol=1e-12)
    np.testing.assert_allclose(
        predict(rows, classifier), [1 / (1 + math.exp(-value)) for value in raw], rtol=1e-12
    )


def test_sigmoid_is_right_and_quiet_from_end_to_end():
    scores = np.array([-np.inf, -1e300, -745.0, -40.0, 0.0, 1e-9, 40.0, 1e300, np.inf])
    expected = [0, 0, math.exp(-745), math.exp(-40), 0.5, 0.5 + 0.25e-9, 1, 1, 1]
    np.testing.assert_allclose(sigmoid(scores), expected, rtol=1e-12)
    assert np.isnan(sigmoid(np.array([np.nan])))[0]


@pytest.mark.parametrize(
    ("counts", "width"),
    [([2, 2, 2], 2), ([2], 2), ([0, 0], 0), ([3, 1], None), ([1, 3, 2], None), ([], None)],
)
def test_rows_have_a_width_if_they_are_equally_long(counts, width):
    assert random_rows(counts, 12, np.random.default_rng(0)).width == width


@pytest.mark.parametrize("rank", [1, 3, 64])
def test_many_pairs_of_any_values_are_scored_to_the_last_digits(rank):
    rng = np.random.default_rng(rank)
    rows, machine = random_rows([2] * 5000, 40, rng), make_machine(40, rank, rng)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_NUMBERS", 4096)
        found = score(rows, machine)
    np.testing.assert_allclose(found, double_sum(rows, machine), rtol=1e-9, atol=1e-11)


def test_a_like_link_gives_the_logistic_of_a_line():
    link = LikeLink(1.5, -5.0)
    ratings = np.array([-1e300, -1.0, 3.0, 10 / 3, 5.0, 1e308])
    expected = [0, *(1 / (1 + math.exp(5 - 1.5 * one)) for one in ratings[1:-1]), 1]
    np.testing.assert_allclose(link.probabilities(ratings), expected, rtol=1e-12)
    np.testing.assert_allclose(LikeLink(1e300, 0.0).probabilities(np.array([1e300])), [1.0])


@pytest.mark.parametrize(("scale", "shift"), [(np.nan, 0.0), (1.0, np.inf)])
def test_a_like_link_of_no_numbers_is_refused(scale, shift):
    with pytest.raises(ShapeMismatchError, match="two finite numbers"):
        LikeLink(scale, shift)


def test_a_classifier_with_a_like_link_is_refused():
    with pytest.raises(ShapeMismatchError, match="expected regressor"):
        FactorizationMachine(
            0.0,
            np.zeros(2, np.float32),
            np.zeros((2, 1), np.float32),
            "binary_classifier",
            LikeLink(1.0, 0.0),
        )


def test_rows_of_another_dimension_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeMismatchError, match="expected 5, found 6"):
        score(random_rows([2], 6, rng), make_machine(5, 2, rng))


@pytest.mark.parametrize(
    ("linear", "factors", "kind"),
    [
        ((3,), (4, 2), "regressor"),
        ((3, 1), (3, 2), "regressor"),
        ((3,), (3,), "regressor"),
        ((3,), (3, 2), "ranker"),
    ],
)
def test_a_machine_of_parts_that_do_not_fit_is_refused(linear, factors, kind):
    with pytest.raises(ShapeMismatchError):
        FactorizationMachine(0.0, np.zeros(linear, np.float32), np.zeros(factors, np.float32), kind)


@pytest.mark.parametrize(
    "rows",
    [
        FeatureRows(np.array([0, 2]), np.array([0]), np.ones(1, np.float32), 3),
        FeatureRows(np.array([0, 1]), np.array([3]), np.ones(1, np.float32), 3),
        FeatureRows(np.array([0, 1]), np.array([-1]), np.ones(1, np.float32), 3),
        FeatureRows(np.array([0, 1]), np.array([0]), np.ones(2, np.float32), 3),
        FeatureRows(np.array([1, 1]), np.array([0]), np.ones(1, np.float32), 3),
        FeatureRows(np.array([0, 1, 0, 1]), np.array([0]), np.ones(1, np.float32), 3),
        FeatureRows(np.zeros(0, np.int64), np.array([0]), np.ones(1, np.float32), 3),
    ],
)
def test_rows_of_parts_that_do_not_fit_are_refused(rows):
    machine = FactorizationMachine(0.0, np.zeros(3, np.float32), np.zeros((3, 1), np.float32))
    with pytest.raises(ShapeMismatchError):
        score(rows, machine)
