"""Rows and labels to fit, and what scores and losses are by their definitions."""

import numpy as np
from recommender.features import Float32s, Float64s, Floats
from recommender.predictor_types import BINARY_CLASSIFIER


def score_by_double_sum(matrix: Floats, bias: float, linear: Floats, factors: Floats) -> Float64s:
    """Rendle's eq. 1 as it is printed: every pair of features of every row."""
    scores = np.full(matrix.shape[0], bias, np.float64)
    scores += matrix @ linear
    for i in range(matrix.shape[1]):
        for j in range(i + 1, matrix.shape[1]):
            scores += (factors[i] @ factors[j]) * matrix[:, i] * matrix[:, j]
    return scores


def losses(scores: Float64s, labels: Floats, predictor_type: str) -> Float64s:
    """Each row's loss: the logistic one of a like, or half the squared error."""
    if predictor_type == BINARY_CLASSIFIER:
        return np.logaddexp(0, scores) - labels * scores
    return 0.5 * (scores - labels) ** 2


def sparse_matrix(generator: np.random.Generator, rows: int, columns: int) -> Float32s:
    """Rows of 0 to all features, real values of both signs."""
    matrix = generator.normal(size=(rows, columns)) * (generator.random((rows, columns)) < 0.5)
    matrix[0] = 0
    return matrix.astype(np.float32)


def labels_for(generator: np.random.Generator, rows: int, predictor_type: str) -> Float32s:
    """Random labels that suit a predictor."""
    if predictor_type == BINARY_CLASSIFIER:
        return (generator.random(rows) < 0.5).astype(np.float32)
    return generator.normal(size=rows).astype(np.float32)
