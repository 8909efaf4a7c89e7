"""Side features: the map to vectors, what is stored of it, and entities without observed pairs."""

import numpy as np
import pytest
from factorization_machines.als.solver import Settings, Solver
from factorization_machines.als.threads import Threads
from factorization_machines.fields import find_pairs
from factorization_machines.solve import solve
from recommender.catalog.side_features import SideFeatures
from recommender.features import FeatureRows
from recommender.model.folding import fold
from recommender.predictor_types import REGRESSOR

from testbed.numerics.matrices import rows_of
from testbed.numerics.ranking import OBJECTIVE, best_vector, drawn_weights, observed
from testbed.numerics.training import hyperparameters_of, quietly

USERS, ITEMS, KINDS = 120, 60, 4
STRENGTH = 2.0


def described(weights, kinds):
    """Rows of the pairs, each with the features of its item behind."""
    users, items = np.nonzero(weights)
    matrix = np.hstack([np.eye(USERS)[users], np.eye(ITEMS)[items], kinds[items]])
    return rows_of(matrix), weights[users, items]


def catalog():
    """Users like the items of one kind; the features name an item's kind."""
    generator = np.random.default_rng(40)
    kinds = np.eye(KINDS)[np.arange(ITEMS) % KINDS]
    likes = generator.random((USERS, ITEMS)) < 0.02 + 0.4 * (
        np.arange(USERS)[:, None] % KINDS == np.arange(ITEMS) % KINDS
    )
    return likes.astype(np.float32), kinds


def fitted_on(weights, kinds, **others):
    rows, labels = described(weights, kinds)
    settings = hyperparameters_of(
        rows,
        REGRESSOR,
        solver="als",
        num_factors=6,
        search="false",
        field_sizes=f"{USERS},{ITEMS},{KINDS}",
        **{"feature_strength": STRENGTH, **others},
    )
    return solve(rows, labels, settings, quietly, quietly).machine


def test_the_map_minimises_its_part_of_the_objective_and_each_update_lowers_all_of_it():
    weights = drawn_weights(np.random.default_rng(41), USERS, ITEMS)
    kinds = np.random.default_rng(42).uniform(0.5, 2, (ITEMS, KINDS))
    rows, _ = described(weights, kinds)
    features = find_pairs(rows, (USERS, ITEMS, KINDS)).item_field.features
    with Threads(1) as threads:
        settings = Settings(6, OBJECTIVE, 0.3, 0)
        solver = Solver(observed(weights), settings, threads, (None, features), STRENGTH)
        losses = []
        for _ in range(5):
            solver.sweep()
            losses.append(solver.loss())
        items, map_ = solver.items.vectors.astype(float), solver.items.map

    counts = np.count_nonzero(weights, axis=0)
    penalties = np.array([OBJECTIVE.penalty(int(count), USERS) for count in counts])
    left = (kinds * penalties[:, None]).T @ kinds + STRENGTH * penalties.mean() * np.eye(KINDS)
    expected = np.linalg.solve(left, (kinds * penalties[:, None]).T @ items)
    np.testing.assert_allclose(map_, expected, atol=1e-7)
    np.testing.assert_allclose(solver.items.own, items - kinds @ map_, atol=1e-6)
    assert (np.diff(losses) < 0).all()


def test_the_last_half_sweep_draws_users_to_the_map_of_their_features():
    weights = drawn_weights(np.random.default_rng(43), USERS, ITEMS)
    ages = np.random.default_rng(44).uniform(0.5, 2, (USERS, 1))
    users, items = np.nonzero(weights)
    matrix = np.hstack([np.eye(USERS)[users], np.eye(ITEMS)[items], ages[users]])
    features = find_pairs(rows_of(matrix), (USERS, ITEMS, 1)).user_field.features
    with Threads(1) as threads:
        settings = Settings(6, OBJECTIVE, 0.3, 0)
        solver = Solver(observed(weights), settings, threads, (features, None), STRENGTH)
        solver.sweep()
        solver.finish()
        found, others = solver.factors

    expected = [
        best_vector(row, others, OBJECTIVE, (age * solver.users.map[0])[:6])
        for row, age in zip(weights, ages, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=3e-6)


def test_folding_gives_the_vectors_that_were_fitted_and_cold_items_that_of_their_features():
    weights, kinds = catalog()
    cold = np.arange(ITEMS) >= ITEMS - 8
    weights[:, cold] = 0

    machine = fitted_on(weights, kinds)

    rows = rows_of(kinds)
    none = rows_of(np.zeros((USERS, KINDS)))
    side = SideFeatures(tuple("abcd"), none, rows)
    model = fold(machine, USERS, ITEMS, side)
    scores = model.user_factors @ model.item_factors.T
    own_kind = np.arange(USERS)[:, None] % KINDS == np.arange(ITEMS) % KINDS
    assert not machine.factors[USERS:][:ITEMS][cold].any()
    wanted = np.where(own_kind, scores, np.inf)[:, cold].min(axis=1)
    unwanted = np.where(own_kind, -np.inf, scores)[:, cold].max(axis=1)
    assert np.mean(wanted > unwanted) > 0.95
    # The job has never heard of the cold items' features, so to the users these were zero.
    known = np.where(cold[:, None], 0, model.item_factors)
    expected = [best_vector(row, known, machine.objective) for row in weights.astype(float)]
    np.testing.assert_allclose(model.user_factors, expected, atol=1e-5)


def test_without_a_strength_features_weigh_nothing():
    weights, kinds = catalog()

    machine = fitted_on(weights, kinds, feature_strength=0)
    ids = fitted_on(weights, np.zeros((ITEMS, KINDS)), feature_strength=0)

    assert not machine.factors[USERS + ITEMS :].any()
    assert machine.factors.tobytes() == ids.factors.tobytes()


@pytest.mark.parametrize("strength", [1e-9, 1e9])
def test_any_strength_gives_finite_vectors(strength):
    weights, kinds = catalog()
    twice = np.hstack([kinds[:, :2], kinds[:, :2]])  # features that say the same

    machine = fitted_on(weights, twice, feature_strength=strength)

    assert machine.is_finite
    assert isinstance(described(weights, twice)[0], FeatureRows)
