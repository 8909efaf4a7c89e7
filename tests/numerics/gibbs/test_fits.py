"""Whole fits by sampling, of planted ratings, chances and scores."""

import numpy as np
import pytest
from factorization_machines.errors import DivergedError
from recommender.features import FeatureRows
from recommender.model.machine import predict, score, sigmoid
from recommender.predictor_types import BINARY_CLASSIFIER as CLASSIFIER
from recommender.predictor_types import REGRESSOR
from scipy import stats

from testbed.numerics.matrices import rows_of
from testbed.numerics.training import sampled


def planted_pairs(generator, count=6000, users=40, items=30):
    """Pairs scored by known weights and factors."""
    user, item = generator.integers(0, users, count), generator.integers(0, items, count)
    first, second = generator.normal(size=(users, 2)), generator.normal(size=(items, 2))
    weights = generator.normal(size=users)
    signal = 0.7 * (first[user] * second[item]).sum(axis=1) + 0.5 * weights[user]
    rows = FeatureRows.pairs(user, item + users, users + items)
    return rows, signal


@pytest.mark.parametrize("chains", [1, 3])
def test_planted_ratings_are_recovered_on_pairs(chains):
    generator = np.random.default_rng(20)
    rows, signal = planted_pairs(generator)
    labels = (3 + signal + 0.1 * generator.normal(size=signal.size)).astype(np.float32)

    sizes = {"draws": 40, "burn_in": 40, "draw_factors": 2, "chains": chains}
    machine = sampled(rows, labels, REGRESSOR, **sizes).machine

    assert np.sqrt(np.mean((score(rows, machine) - 3 - signal) ** 2)) < 0.05


def test_planted_chances_are_recovered_on_pairs():
    generator = np.random.default_rng(21)
    rows, signal = planted_pairs(generator, count=20_000)
    chances = stats.norm.cdf(signal)
    labels = (generator.random(signal.size) < chances).astype(np.float32)

    machine = sampled(rows, labels, CLASSIFIER, draws=60, burn_in=40, draw_factors=2).machine

    assert np.abs(predict(rows, machine) - chances).mean() < 0.05


@pytest.mark.parametrize("predictor_type", [CLASSIFIER, REGRESSOR])
def test_planted_scores_are_recovered_on_rows_of_any_shape(predictor_type):
    generator = np.random.default_rng(22)
    matrix = np.zeros((6000, 10))
    for row in matrix:
        row[generator.choice(10, 4, replace=False)] = generator.choice([-1.0, 1.0, 0.5], 4)
    weights, factors = generator.normal(size=10) * 0.5, generator.normal(size=(10, 2)) * 0.6
    inner = matrix @ factors
    signal = matrix @ weights + 0.5 * (
        (inner**2).sum(axis=1) - (matrix**2 @ factors**2).sum(axis=1)
    )
    if predictor_type == CLASSIFIER:
        expected = stats.norm.cdf(signal)
        labels, limit = (generator.random(6000) < expected).astype(np.float32), 0.05
    else:
        expected, limit = signal, 0.06
        labels = (signal + 0.1 * generator.normal(size=6000)).astype(np.float32)
    rows = rows_of(matrix)

    machine = sampled(
        rows, labels, predictor_type, draws=80, burn_in=80, num_factors=16, draw_factors=2
    ).machine

    assert machine.factors.shape == (10, 16)
    assert np.abs(predict(rows, machine) - expected).mean() < limit


def test_stars_give_chances_of_a_like_from_a_classifier_and_from_a_regressor():
    generator = np.random.default_rng(23)
    rows, signal = planted_pairs(generator, count=20_000)
    noisy = signal + generator.normal(size=signal.size)
    stars = (1 + np.searchsorted([-2.0, -1.0, 0.0, 1.5], noisy)).astype(np.float32)
    chances = stats.norm.cdf(signal)
    others = {"draws": 60, "burn_in": 60, "draw_factors": 2, "like_threshold": 4}

    classifier = sampled(rows, stars, CLASSIFIER, **others)
    regressor = sampled(rows, stars, REGRESSOR, **others)

    assert np.abs(predict(rows, classifier.machine) - chances).mean() < 0.05
    ratings, link = predict(rows, regressor.machine), regressor.like_link
    assert np.abs(sigmoid(link.scale * ratings + link.shift) - chances).mean() < 0.06
    levels = np.arange(1, 6)
    edges = np.array([-np.inf, -2.0, -1.0, 0.0, 1.5, np.inf])
    mass = np.diff(stats.norm.cdf(edges[None] - signal[:, None]), axis=1)
    assert np.sqrt(np.mean((ratings - mass @ levels) ** 2)) < 0.25
    assert classifier.like_link is None


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_of_one_class_are_learned_as_such(label):
    rows, _ = planted_pairs(np.random.default_rng(24), count=500)

    machine = sampled(
        rows, np.full(500, label, np.float32), CLASSIFIER, draws=10, burn_in=10
    ).machine

    assert (np.abs(predict(rows, machine) - label) < 0.4).all()


@pytest.mark.parametrize("chains", [1, 3])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(chains):
    generator = np.random.default_rng(25)
    rows, signal = planted_pairs(generator, count=800)
    labels = (signal > 0).astype(np.float32)

    def bits(seed):
        sizes = {"draws": 4, "burn_in": 2, "chains": chains}
        machine = sampled(rows, labels, CLASSIFIER, seed=seed, **sizes).machine
        return machine.bias, machine.linear.tobytes(), machine.factors.tobytes()

    assert bits(1) == bits(1)
    assert bits(1) != bits(2)


@pytest.mark.parametrize("matrix", [np.zeros((2, 1)), np.eye(2)], ids=["bias alone", "weights"])
def test_a_machine_that_leaves_the_finite_numbers_is_refused_without_a_warning(matrix):
    rows = rows_of(matrix)

    with pytest.raises(DivergedError, match="a parameter is not finite"):
        sampled(
            rows,
            np.array([-3e38, 3e38], np.float32),
            REGRESSOR,
            num_factors=1,
            draws=2,
            burn_in=0,
        )
