"""A factorization of implicit feedback by its plain definition: dense, one entity at a time."""

import numpy as np
from recommender.features import Float64s
from recommender.model.objective import ImplicitObjective
from recommender.model.pair_model import PairModel
from recommender.predictor_types import REGRESSOR


def half_sweep(weights: Float64s, others: Float64s, objective: ImplicitObjective) -> Float64s:
    """The vectors of all rows, given those of all columns; a weight of 0 is not observed."""
    rank = others.shape[1]
    vectors = np.zeros((weights.shape[0], rank))
    for row, own in enumerate(weights):
        matrix = objective.unobserved_weight * (others.T @ others)
        right = np.zeros(rank)
        for column in np.flatnonzero(own):
            matrix += own[column] * np.outer(others[column], others[column])
            right += own[column] * others[column]
        matrix += objective.penalty(int(np.count_nonzero(own)), weights.shape[1]) * np.eye(rank)
        vectors[row] = np.linalg.solve(matrix, right)
    return vectors


def fit(
    weights: Float64s, rank: int, objective: ImplicitObjective, *, sweeps: int = 10, seed: int = 0
) -> tuple[Float64s, Float64s]:
    """Vectors of rows and columns by alternating least squares; the rows' half-sweep is last."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(0, 0.1 / np.sqrt(rank), (weights.shape[1], rank))
    rows = half_sweep(weights, columns, objective)
    for _ in range(sweeps):
        columns = half_sweep(weights.T, rows, objective)
        rows = half_sweep(weights, columns, objective)
    return rows, columns


def ranking_model(users: Float64s, items: Float64s, objective: ImplicitObjective) -> PairModel:
    """The model of such vectors: without linear terms."""
    return PairModel(
        bias=0.0,
        user_weights=np.zeros(len(users), np.float32),
        user_factors=users.astype(np.float32),
        item_weights=np.zeros(len(items), np.float32),
        item_factors=items.astype(np.float32),
        predictor_type=REGRESSOR,
        objective=objective,
    )


def loss(
    weights: Float64s, rows: Float64s, columns: Float64s, objective: ImplicitObjective
) -> float:
    """The objective, summed pair by pair."""
    total = 0.0
    for row, own in enumerate(weights):
        for column, weight in enumerate(own):
            score = float(rows[row] @ columns[column])
            total += weight * (1 - score) ** 2 + objective.unobserved_weight * score**2
    for table, vectors in ((weights, rows), (weights.T, columns)):
        for own, vector in zip(table, vectors, strict=True):
            count = int(np.count_nonzero(own))
            total += objective.penalty(count, table.shape[1]) * float(vector @ vector)
    return total
