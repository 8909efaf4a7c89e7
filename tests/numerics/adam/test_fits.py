"""Whole fits by Adam: what is recovered, where training begins, which epoch is handed over."""

from functools import partial

import numpy as np
import pytest
from factorization_machines.adam.fit import fit
from factorization_machines.errors import DivergedError
from recommender.predictor_types import BINARY_CLASSIFIER as CLASSIFIER
from recommender.predictor_types import REGRESSOR

from testbed.numerics.matrices import rows_of
from testbed.numerics.problems import labels_for, losses, score_by_double_sum, sparse_matrix
from testbed.numerics.training import hyperparameters_of, quietly

hyperparameters = partial(hyperparameters_of, num_factors=3)


def planted_problem(generator, predictor_type):
    """Rows of four features of twelve, scored by known weights."""
    dimension, rank, count = 12, 2, 6000
    linear = generator.normal(size=dimension) * 0.5
    factors = generator.normal(size=(dimension, rank)) * 0.7
    matrix = np.zeros((count, dimension))
    for row in matrix:
        row[generator.choice(dimension, 4, replace=False)] = generator.choice([-1.0, 1.0, 0.5], 4)
    scores = score_by_double_sum(matrix, 0.3, linear, factors)
    if predictor_type == CLASSIFIER:
        labels = generator.random(count) < 1 / (1 + np.exp(-scores))
    else:
        labels = scores + 0.05 * generator.normal(size=count)
    return rows_of(matrix), labels.astype(np.float32), linear, factors


@pytest.mark.parametrize(("predictor_type", "tolerance"), [(REGRESSOR, 0.03), (CLASSIFIER, 0.35)])
def test_planted_weights_are_recovered(predictor_type, tolerance):
    rows, labels, linear, factors = planted_problem(np.random.default_rng(3), predictor_type)
    settings = hyperparameters(
        rows,
        predictor_type,
        num_factors=2,
        epochs=60,
        mini_batch_size=100,
        bias_lr=0.01,
        linear_lr=0.01,
        factors_lr=0.01,
        bias_wd=0,
        linear_wd=0,
        factors_wd=0,
        factors_init_sigma=0.1,
        learning_rate_decay=0.95,
    )

    machine = fit(rows, labels, settings, quietly)

    # V itself is known only up to a rotation; the products of two features' factors are known.
    pairs = np.triu_indices(rows.dimension, 1)
    assert machine.bias == pytest.approx(0.3, abs=tolerance)
    np.testing.assert_allclose(machine.linear, linear, atol=tolerance)
    np.testing.assert_allclose(
        (machine.factors @ machine.factors.T)[pairs], (factors @ factors.T)[pairs], atol=tolerance
    )


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    rows, labels, _, _ = planted_problem(np.random.default_rng(5), CLASSIFIER)

    def bits(seed):
        machine = fit(rows, labels, hyperparameters(rows, CLASSIFIER, seed=seed), quietly)
        return machine.bias, machine.linear.tobytes(), machine.factors.tobytes()

    assert bits(1) == bits(1)
    assert bits(1) != bits(2)


@pytest.mark.parametrize("predictor_type", [CLASSIFIER, REGRESSOR])
def test_an_epoch_summary_is_the_mean_over_the_rows(predictor_type):
    generator = np.random.default_rng(13)
    matrix = sparse_matrix(generator, 50, 6)
    labels = labels_for(generator, 50, predictor_type)
    rows = rows_of(matrix)
    seen = []

    machine = fit(
        rows,
        labels,
        hyperparameters(
            rows, predictor_type, bias_lr=0, linear_lr=0, factors_lr=0, factors_init_sigma=1
        ),
        seen.append,
    )

    scores = score_by_double_sum(
        matrix.astype(np.float64), machine.bias, machine.linear, machine.factors
    )
    (summary,) = seen
    assert (summary.epoch, summary.epochs, summary.rows) == (0, 1, 50)
    if predictor_type == CLASSIFIER:
        liked, likes = scores >= 0, labels == 1
        precision, recall = likes[liked].mean(), liked[likes].mean()
        assert summary.loss == pytest.approx(losses(scores, labels, CLASSIFIER).mean(), rel=1e-5)
        assert summary.accuracy == pytest.approx((liked == likes).mean())
        assert summary.f1 == pytest.approx(2 * precision * recall / (precision + recall))
    else:
        assert summary.loss == pytest.approx(((scores - labels) ** 2).mean(), rel=1e-5)
        assert summary.absolute_error == pytest.approx(np.abs(scores - labels).mean(), rel=1e-5)


def untrained(**others):
    rows = rows_of(np.eye(2000))
    still = {"bias_lr": 0, "linear_lr": 0, "factors_lr": 0}
    return fit(
        rows,
        np.zeros(2000, np.float32),
        hyperparameters(rows, REGRESSOR, **still, **others),
        quietly,
    )


def test_normal_initial_values_have_the_asked_deviation():
    factors = untrained(factors_init_sigma=0.2).factors

    assert factors.std() == pytest.approx(0.2, rel=0.05)
    assert abs(factors.mean()) < 0.02


def test_uniform_initial_values_fill_the_asked_range():
    linear = untrained(linear_init_method="uniform", linear_init_scale=0.2).linear

    assert -0.2 <= linear.min() < -0.19
    assert 0.19 < linear.max() <= 0.2


def test_constant_initial_values_are_the_asked_value():
    machine = untrained(
        bias_init_method="constant",
        bias_init_value=-1.5,
        factors_init_method="constant",
        factors_init_value=0.25,
    )

    assert machine.bias == -1.5
    assert (machine.factors == 0.25).all()


def test_rows_without_features_teach_the_bias_alone():
    rows = rows_of(np.zeros((400, 3)))
    labels = np.full(400, 2.5, np.float32)

    machine = fit(
        rows,
        labels,
        hyperparameters(rows, REGRESSOR, epochs=40, mini_batch_size=10, bias_wd=0),
        quietly,
    )

    assert machine.bias == pytest.approx(2.5, abs=0.01)


def test_training_that_leaves_the_finite_numbers_is_refused():
    rows = rows_of(np.full((10, 3), 1e20))

    with pytest.raises(DivergedError, match="diverged in epoch"):
        fit(rows, np.ones(10, np.float32), hyperparameters(rows, REGRESSOR, epochs=3), quietly)


def test_averaging_hands_over_the_weighted_mean_of_the_epochs():
    rows, labels, _, _ = planted_problem(np.random.default_rng(6), REGRESSOR)
    ends = [
        fit(rows, labels, hyperparameters(rows, REGRESSOR, epochs=epochs), quietly)
        for epochs in (1, 2, 3)
    ]

    found = fit(
        rows, labels, hyperparameters(rows, REGRESSOR, epochs=3, averaging_decay=0.5), quietly
    )

    weights = np.array([0.25, 0.5, 1.0]) / 1.75
    for part in ("linear", "factors"):
        expected = sum(w * getattr(end, part) for w, end in zip(weights, ends, strict=True))
        np.testing.assert_allclose(getattr(found, part), expected, atol=1e-6)


def test_the_epoch_that_does_best_on_held_out_rows_is_handed_over_and_training_stops_after_it():
    generator = np.random.default_rng(8)
    rows = rows_of(generator.random((60, 30)) < 0.3)
    labels = labels_for(generator, 60, CLASSIFIER)
    seen = []
    others = {"linear_lr": 0.2, "factors_lr": 0.2, "factors_init_sigma": 0.3, "seed": 3}
    others |= {"mini_batch_size": 10, "holdout_fraction": 0.3}

    found = fit(
        rows,
        labels,
        hyperparameters(rows, CLASSIFIER, epochs=50, patience=4, **others),
        seen.append,
    )

    held_out = [summary.held_out_loss for summary in seen]
    best = int(np.argmin(held_out))
    assert len(held_out) == best + 5 < 50
    assert seen[0].rows == 42
    again = fit(
        rows,
        labels,
        hyperparameters(rows, CLASSIFIER, epochs=best + 1, patience=50, **others),
        quietly,
    )
    assert found.factors.tobytes() == again.factors.tobytes()
