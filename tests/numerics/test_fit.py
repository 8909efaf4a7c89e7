"""Fitting: gradients, the optimiser and what it recovers, against independent arithmetic."""

import numpy as np
import pytest
from factorization_machines.adam import loops as adam
from factorization_machines.adam.fit import fit
from factorization_machines.errors import DivergedError
from factorization_machines.hyperparameters.parsing import parse_hyperparameters
from recommender.features import FeatureRows, with_distinct_columns

from testbed.matrices import rows_of

CLASSIFIER, REGRESSOR = "binary_classifier", "regressor"


def hyperparameters(rows, predictor_type, **others):
    return parse_hyperparameters(
        {
            "feature_dim": str(rows.dimension),
            "num_factors": "3",
            "predictor_type": predictor_type,
            **{name: str(value) for name, value in others.items()},
        }
    )


def quietly(_summary):
    pass


def score_by_double_sum(matrix, bias, linear, factors):
    """Rendle's eq. 1 as it is printed: every pair of features of every row."""
    scores = np.full(matrix.shape[0], bias, np.float64)
    scores += matrix @ linear
    for i in range(matrix.shape[1]):
        for j in range(i + 1, matrix.shape[1]):
            scores += (factors[i] @ factors[j]) * matrix[:, i] * matrix[:, j]
    return scores


def losses(scores, labels, predictor_type):
    if predictor_type == CLASSIFIER:
        return np.logaddexp(0, scores) - labels * scores
    return 0.5 * (scores - labels) ** 2


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


def sparse_matrix(generator, rows, columns):
    """Rows of 0 to all features, real values of both signs."""
    matrix = generator.normal(size=(rows, columns)) * (generator.random((rows, columns)) < 0.5)
    matrix[0] = 0
    return matrix.astype(np.float32)


def labels_for(generator, rows, predictor_type):
    if predictor_type == CLASSIFIER:
        return (generator.random(rows) < 0.5).astype(np.float32)
    return generator.normal(size=rows).astype(np.float32)


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


def test_a_column_named_twice_in_a_row_counts_as_the_sum():
    rows = FeatureRows(
        offsets=np.array([0, 3, 3, 5]),
        columns=np.array([4, 1, 4, 2, 0]),
        values=np.array([1, 2, 3, 4, 5], np.float32),
        dimension=5,
    )

    merged = with_distinct_columns(rows)

    assert merged.offsets.tolist() == [0, 2, 2, 4]
    assert merged.columns.tolist() == [1, 4, 0, 2]
    assert merged.values.tolist() == [2, 4, 5, 4]


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
