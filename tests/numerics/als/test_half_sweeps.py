"""Half-sweeps against dense linear systems, and the objective's way down."""

import numpy as np
import pytest
from factorization_machines.als.observed import observe
from factorization_machines.als.threads import Threads
from recommender.model.objective import ImplicitObjective

from testbed.numerics.ranking import (
    OBJECTIVE,
    best_vector,
    drawn_weights,
    objective_of,
    observed,
    solver_of,
)


@pytest.fixture
def threads():
    with Threads(2) as started:
        yield started


def test_a_half_sweep_of_one_block_is_the_closed_form(threads):
    weights = drawn_weights(np.random.default_rng(1), 20, 30)
    solver = solver_of(weights, threads, rank=16)
    items = solver.factors[1].copy()

    solver.users.improve(solver.items.vectors, threads)

    expected = [best_vector(row, items, OBJECTIVE) for row in weights]
    np.testing.assert_allclose(solver.factors[0], expected, atol=2e-6)


@pytest.mark.parametrize("rank", [1, 7, 16, 40])
def test_the_last_half_sweep_solves_for_every_user_at_any_rank(threads, rank):
    weights = drawn_weights(np.random.default_rng(2), 25, 60)
    solver = solver_of(weights, threads, rank=rank)
    for _ in range(3):
        solver.sweep()

    solver.finish()

    users, items = solver.factors
    expected = [best_vector(row, items, OBJECTIVE) for row in weights]
    np.testing.assert_allclose(users, expected, atol=2e-6)
    assert not solver.users.vectors[:, rank:].any()


def test_blocks_improved_again_and_again_reach_the_same_minimum(threads):
    weights = drawn_weights(np.random.default_rng(3), 90, 80)
    solver = solver_of(weights, threads, rank=40)
    for _ in range(3):
        solver.sweep()
    for _ in range(200):
        solver.users.improve(solver.items.vectors, threads)
    found = solver.factors[0].copy()

    solver.finish()

    np.testing.assert_allclose(found, solver.factors[0], atol=1e-4)


@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0])
def test_every_half_sweep_lowers_the_objective_which_is_the_one_that_is_told(threads, exponent):
    objective = ImplicitObjective(0.1, 0.02, exponent)
    weights = drawn_weights(np.random.default_rng(4), 40, 70)
    solver = solver_of(weights, threads, rank=40, objective=objective)

    losses = []
    for _ in range(6):
        for side, other in ((solver.users, solver.items), (solver.items, solver.users)):
            side.improve(other.vectors, threads)
            losses.append(solver.loss())
            expected = objective_of(weights, *solver.factors, objective)
            assert losses[-1] == pytest.approx(expected, rel=1e-5)

    falls = -np.diff(losses)
    assert (falls > -1e-6 * losses[0]).all()
    assert falls[:4].min() > 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_threads_gives_the_same_bytes(count):
    weights = drawn_weights(np.random.default_rng(5), 300, 200, share=0.1)

    def bits(threads):
        with threads:
            solver = solver_of(weights, threads, rank=20)
            solver.sweep()
            solver.finish()
            return [solver.loss(), *(table.tobytes() for table in solver.factors)]

    assert bits(Threads(count)) == bits(Threads(1))


def test_weights_scaled_with_all_else_in_the_loss_give_the_same_vectors(threads):
    weights = drawn_weights(np.random.default_rng(6), 30, 30)
    tables = []
    for scale in (1.0, 8.0):
        objective = ImplicitObjective(0.1 * scale, 0.5 * scale, 0.0)
        solver = solver_of(np.float32(scale) * weights, threads, objective=objective)
        for _ in range(4):
            solver.sweep()
        tables.append(np.concatenate(solver.factors))

    np.testing.assert_allclose(*tables, atol=1e-6)


def test_weights_of_a_repeated_pair_add_up_and_zeros_are_no_pairs():
    weights = drawn_weights(np.random.default_rng(7), 9, 11)
    half = np.float32(0.5) * weights
    users, items = np.indices(weights.shape).astype(np.int32)
    both = [np.concatenate([one.ravel(), one.ravel()]) for one in (users, items, half)]

    found = observe(*both, weights.shape)

    for one, other in zip(found, observed(weights), strict=True):
        for array, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, expected)


def test_the_order_of_the_rows_does_not_matter():
    weights = drawn_weights(np.random.default_rng(8), 15, 12)
    users, items = (one.astype(np.int32) for one in np.nonzero(weights))
    order = np.random.default_rng(0).permutation(users.size)

    found = observe(users[order], items[order], weights[users, items][order], (15, 12))

    for one, other in zip(found, observed(weights), strict=True):
        for array, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(
    "weights",
    [
        np.ones((1, 1)),
        np.ones((1, 5)),
        np.ones((6, 1)),
        np.array([[1.0, 0, 2], [0, 0, 0], [1, 0, 0]]),
    ],
    ids=["one pair", "one user", "one item", "an empty user and an empty item"],
)
def test_degenerate_tables_are_solved_at_a_rank_above_their_sizes(threads, weights):
    weights = weights.astype(np.float32)
    solver = solver_of(weights, threads, rank=33, objective=ImplicitObjective(0.1, 1e-6, 1.0))
    for _ in range(4):
        solver.sweep()
    solver.finish()

    users, items = solver.factors
    assert np.isfinite(solver.loss())
    assert not users[~weights.any(axis=1)].any()
    assert not items[~weights.any(axis=0)].any()
    # As good as a table without a limit on its rank: each observed score is c / (c + a).
    scores = users @ items.T
    np.testing.assert_allclose(
        scores[weights > 0], (weights / (weights + 0.1))[weights > 0], atol=0.02
    )
