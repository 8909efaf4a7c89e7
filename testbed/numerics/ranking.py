"""Ranking models by their definitions: dense, in float64, one system at a time."""

from collections.abc import Sequence

import numpy as np
from factorization_machines.als.observed import Observed, observe
from factorization_machines.als.solver import Settings, Solver
from factorization_machines.als.threads import Threads
from factorization_machines.fitted import Fitted
from factorization_machines.solve import solve
from recommender.features import FeatureRows, Float32s, Float64s, Floats, Integers
from recommender.model.objective import ImplicitObjective
from recommender.predictor_types import REGRESSOR

from testbed.numerics.training import hyperparameters_of, quietly

OBJECTIVE = ImplicitObjective(unobserved_weight=0.2, regularization=0.03, exponent=1.0)


def drawn_weights(
    generator: np.random.Generator, users: int, items: int, share: float = 0.3
) -> Float32s:
    """``(u, i)`` weights of pairs, most of them 0."""
    weights = generator.uniform(0.2, 2.0, (users, items))
    return (weights * (generator.random((users, items)) < share)).astype(np.float32)


def observed(weights: Float32s) -> Observed:
    """The pairs of a dense table of weights."""
    users, items = np.nonzero(weights)
    shape = weights.shape
    return observe(
        users.astype(np.int32), items.astype(np.int32), weights[users, items], (shape[0], shape[1])
    )


def solver_of(
    weights: Float32s,
    threads: Threads,
    rank: int = 8,
    objective: ImplicitObjective = OBJECTIVE,
    seed: int = 0,
) -> Solver:
    """A solver before its first sweep."""
    settings = Settings(rank, objective, init_sigma=0.3, seed=seed)
    return Solver(observed(weights), settings, threads)


def ranked(
    users: Integers, items: Integers, weights: Floats, sizes: Sequence[int], **others: object
) -> Fitted:
    """Fit by ``als``, four factors and no search unless told otherwise, and say nothing."""
    dimension = sum(sizes[:2])
    rows = FeatureRows.pairs(np.asarray(users), np.asarray(items) + sizes[0], dimension)
    given = {"num_factors": 4, "search": "false", "field_sizes": ",".join(map(str, sizes))}
    settings = hyperparameters_of(rows, REGRESSOR, **{**given, "solver": "als", **others})
    return solve(rows, np.asarray(weights, np.float32), settings, quietly, quietly)


def best_vector(
    weights: Floats, others: Floats, objective: ImplicitObjective, prior: Floats | None = None
) -> Float64s:
    """The vector of one entity that minimises the objective, by its linear system.

    Args:
        weights: ``(m,)`` of its pairs with every entity of the other side, 0 where unobserved.
        others: ``(m, k)`` their vectors.
        objective: the loss.
        prior: ``(k,)`` what the vector is drawn to; zero unless given.
    """
    table = np.asarray(others, np.float64)
    penalty = objective.penalty(int(np.count_nonzero(weights)), len(table))
    matrix = objective.unobserved_weight * table.T @ table + penalty * np.eye(table.shape[1])
    matrix += (table * weights[:, None]).T @ table
    pull = table.T @ weights + (0 if prior is None else penalty * prior)
    return np.asarray(np.linalg.solve(matrix, pull), np.float64)


def objective_of(
    weights: Float32s, users: Floats, items: Floats, objective: ImplicitObjective
) -> float:
    """The loss, as `recommender.model.objective` writes it."""
    scores = np.asarray(users, np.float64) @ np.asarray(items, np.float64).T
    loss = (weights * (1 - scores) ** 2).sum() + objective.unobserved_weight * (scores**2).sum()
    for table, counts, partners in (
        (users, np.count_nonzero(weights, axis=1), len(items)),
        (items, np.count_nonzero(weights, axis=0), len(users)),
    ):
        squares = np.square(np.asarray(table, np.float64)).sum(axis=1)
        pairs = zip(counts, squares, strict=True)
        loss += sum(objective.penalty(int(count), partners) * square for count, square in pairs)
    return float(loss)
