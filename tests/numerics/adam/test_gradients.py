"""Gradients and steps of Adam, against central differences and Adam as it is printed."""

from functools import partial

import numpy as np
import pytest
from factorization_machines.adam import loops as adam
from factorization_machines.adam.fit import fit
from recommender.predictor_types import BINARY_CLASSIFIER as CLASSIFIER
from recommender.predictor_types import REGRESSOR

from testbed.numerics.matrices import rows_of
from testbed.numerics.problems import labels_for, losses, score_by_double_sum, sparse_matrix
from testbed.numerics.training import hyperparameters_of, quietly

hyperparameters = partial(hyperparameters_of, num_factors=3)


def penalised_loss(matrix, labels, parameters, rank, decays, predictor_type):
    """Sum over rows of the loss and of half the decay times each weight that the row holds."""
    dimension = matrix.shape[1]
    bias, linear = parameters[0], parameters[1 : 1 + dimension]
    factors = parameters[1 + dimension :].reshape(dimension, rank)
    total = losses(score_by_double_sum(matrix, bias, linear, factors), labels, predictor_type).sum()
    occurrences = (matrix != 0).sum(axis=0)
    return total + 0.5 * (
        decays[0] * len(matrix) * bias**2
        + decays[1] * (occurrences * linear**2).sum()
        + decays[2] * (occurrences[:, None] * factors**2).sum()
    )


def slopes(function, at, step=1e-6):
    """Central differences."""
    found = np.empty_like(at)
    for n in range(at.size):
        ahead, behind = at.copy(), at.copy()
        ahead[n] += step
        behind[n] -= step
        found[n] = (function(ahead) - function(behind)) / (2 * step)
    return found


def compiled_gradient(matrix, labels, parameters, rank, decays, predictor_type):
    """The gradient of all rows at once, in float64, laid out like ``parameters``."""
    rows = rows_of(matrix)
    dimension = rows.dimension
    records = np.zeros((dimension, rank + 1))
    records[:, :rank] = parameters[1 + dimension :].reshape(dimension, rank)
    records[:, rank] = parameters[1 : 1 + dimension]
    touched, gradients = np.empty(dimension, np.int32), np.zeros((dimension, rank + 1))
    slots, bias_gradient = adam.add_gradients(
        adam.Batch(rows.offsets, rows.columns.astype(np.int32), rows.values, labels),
        len(rows),
        predictor_type == CLASSIFIER,
        records,
        parameters[:1].copy(),
        np.array([decays[2]] * rank + [decays[1]]),
        np.array([decays[0]]),
        np.full(dimension, -1, np.int32),
        touched,
        gradients,
        np.empty(2 * rank),
        np.zeros(adam.TOTALS),
    )
    by_column = np.zeros((dimension, rank + 1))
    by_column[touched[:slots]] = gradients[:slots]
    return np.concatenate([[bias_gradient], by_column[:, rank], by_column[:, :rank].ravel()])


@pytest.mark.parametrize("predictor_type", [CLASSIFIER, REGRESSOR])
def test_the_gradient_is_that_of_the_penalised_loss(predictor_type):
    generator = np.random.default_rng(7)
    matrix = sparse_matrix(generator, 12, 5)
    labels = labels_for(generator, 12, predictor_type)
    rank, decays = 3, (0.3, 0.2, 0.7)
    parameters = generator.normal(size=1 + 5 + 5 * rank)

    found = compiled_gradient(matrix, labels, parameters, rank, decays, predictor_type)

    wide = matrix.astype(np.float64)
    expected = slopes(
        lambda at: penalised_loss(wide, labels, at, rank, decays, predictor_type), parameters
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("predictor_type", [CLASSIFIER, REGRESSOR])
@pytest.mark.parametrize("others", [{}, {"clip_gradient": 0.5, "rescale_grad": 0.1, "eps": 0.01}])
def test_training_follows_adam_as_it_is_printed(predictor_type, others):
    generator = np.random.default_rng(11)
    rank, epochs, decay = 2, 12, 0.9
    matrix = generator.normal(size=(20, 4)).astype(np.float32)
    labels = labels_for(generator, 20, predictor_type)
    rows = rows_of(matrix)
    settings = {
        "num_factors": rank,
        "mini_batch_size": 20,
        "bias_lr": 0.05,
        "linear_lr": 0.03,
        "factors_lr": 0.02,
        "bias_wd": 0.1,
        "linear_wd": 0.2,
        "factors_wd": 0.3,
        "factors_init_sigma": 0.5,
        "learning_rate_decay": decay,
        **others,
    }
    still = {name: 0 for name in settings if name.endswith("_lr")}
    start = fit(
        rows, labels, hyperparameters(rows, predictor_type, **{**settings, **still}), quietly
    )

    found = fit(
        rows, labels, hyperparameters(rows, predictor_type, epochs=epochs, **settings), quietly
    )

    at = np.concatenate([[start.bias], start.linear, start.factors.ravel()]).astype(np.float64)
    rates = np.concatenate([[0.05], np.full(4, 0.03), np.full(4 * rank, 0.02)])
    first, second = np.zeros_like(at), np.zeros_like(at)
    wide, decays = matrix.astype(np.float64), (0.1, 0.2, 0.3)
    for step in range(1, epochs + 1):
        gradient = slopes(
            lambda where: penalised_loss(wide, labels, where, rank, decays, predictor_type), at
        )
        gradient *= others.get("rescale_grad", 1.0)
        limit = others.get("clip_gradient", np.inf)
        gradient = np.clip(gradient, -limit, limit)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        size = np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        moved = size * first / (np.sqrt(second) + others.get("eps", 1e-8))
        at = at - rates * decay ** (step - 1) * moved
    np.testing.assert_allclose(
        np.concatenate([[found.bias], found.linear, found.factors.ravel()]), at, atol=2e-4
    )


def test_a_feature_takes_its_first_full_step_whenever_it_first_appears():
    # Column 1 is seen by the last batch only. Adam's first step is the learning rate, in size.
    rows = rows_of([[1, 0]] * 40 + [[0, 1]])
    labels = np.array([1.0] * 40 + [1.0], np.float32)

    machine = fit(
        rows,
        labels,
        hyperparameters(
            rows,
            CLASSIFIER,
            mini_batch_size=1,
            linear_lr=0.01,
            linear_wd=0,
            linear_init_sigma=0,
            factors_init_sigma=0,
        ),
        quietly,
    )

    assert machine.linear[1] == pytest.approx(0.01, rel=1e-4)
