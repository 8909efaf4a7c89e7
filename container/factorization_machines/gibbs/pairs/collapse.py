"""Collapse many draws into one plain factorization machine of small rank.

The mean of the draws' scores is ``<P_u, Q_i>`` with all draws' factors side by side: exact, but
of a rank in the thousands. Over pairs of a user and an item only the block of products
``P Q^T`` matters, and its best approximation of any rank is its truncated singular value
decomposition. Everything here is one thread's plain loops: the same draws give the same bytes.
"""

import math
from dataclasses import dataclass

import numpy as np
from recommender.features import Float32s, Float64s

from factorization_machines.compiled.compiling import compiled

_EXTRA_COLUMNS = 8
_ROUNDS = 6
# No data that fit one machine fill more directions than this.
_HIGHEST_RANK = 64


@dataclass(frozen=True)
class PlainPairs:
    """One plain machine over users and items, float64.

    Attributes:
        bias: constant term.
        user_weights: ``(u,)``.
        item_weights: ``(i,)``.
        user_factors: ``(u, k)``.
        item_factors: ``(i, k)``.
    """

    bias: float
    user_weights: Float64s
    item_weights: Float64s
    user_factors: Float64s
    item_factors: Float64s


def cut_products(users: Float32s, items: Float32s, rank: int, seed: int) -> PlainPairs:
    """Find the plain machine of a rank that is nearest to ``users @ items.T``.

    The mean of each row and of each column of the product goes into weights, exactly; only what
    is left needs factors.

    Args:
        users: ``(u, c)`` float32.
        items: ``(i, c)`` float32.
        rank: number of factors; those beyond what the products need are zero.
        seed: where the search begins.

    Returns:
        The machine.

    Source:
        Halko, Martinsson and Tropp, *Finding structure with randomness*, SIAM Review 2011,
        algorithm 4.4 (subspace iteration).
    """
    user_mean, item_mean = (
        users.mean(axis=0, dtype=np.float64),
        items.mean(axis=0, dtype=np.float64),
    )
    bias = float((user_mean * item_mean).sum())
    user_weights = np.einsum("uc,c->u", users, item_mean) - bias
    item_weights = np.einsum("ic,c->i", items, user_mean) - bias
    left = (users - user_mean).astype(np.float32)
    right = (items - item_mean).astype(np.float32)
    most = min(rank + _EXTRA_COLUMNS, _HIGHEST_RANK + _EXTRA_COLUMNS, *left.shape, len(right))
    generator = np.random.Generator(np.random.PCG64([seed, most]))
    basis = generator.standard_normal((len(left), most))
    orthonormalise(basis)
    other = np.empty((len(right), most))
    for _ in range(_ROUNDS):
        multiply(right, left, basis, other)
        orthonormalise(other)
        multiply(left, right, other, basis)
        orthonormalise(basis)
    multiply(right, left, basis, other)
    # basis.T @ product = other.T, whose small side is turned onto its singular directions.
    gram = np.einsum("ia,ib->ab", other, other)
    turn = np.eye(most)
    diagonalise(gram, turn)
    order = np.argsort(-np.diag(gram), kind="stable")
    singular = np.sqrt(np.maximum(np.diag(gram)[order], 0.0))
    turn = turn[:, order]
    kept = min(rank, most)
    root = np.sqrt(singular[:kept])
    user_factors, item_factors = np.zeros((len(left), rank)), np.zeros((len(right), rank))
    user_factors[:, :kept] = np.einsum("ua,ab->ub", basis, turn[:, :kept]) * root
    item_factors[:, :kept] = np.einsum("ia,ab->ib", other, turn[:, :kept]) / np.where(
        root > 0, root, 1.0
    )
    return PlainPairs(bias, user_weights, item_weights, user_factors, item_factors)


@compiled
def multiply(left: Float32s, right: Float32s, vectors: Float64s, out: Float64s) -> None:
    """``out = left @ (right.T @ vectors)``, row by row."""
    width = vectors.shape[1]
    middle = np.zeros((right.shape[1], width))
    for row in range(right.shape[0]):
        for column in range(right.shape[1]):
            value = float(right[row, column])
            for f in range(width):
                middle[column, f] += value * vectors[row, f]
    out[:] = 0.0
    for row in range(left.shape[0]):
        for column in range(left.shape[1]):
            value = float(left[row, column])
            for f in range(width):
                out[row, f] += value * middle[column, f]


@compiled
def orthonormalise(vectors: Float64s) -> None:
    """Make the columns orthonormal in place; a column that depends on earlier ones becomes zero.

    Modified Gram-Schmidt, twice: once leaves errors that the second pass removes.
    """
    count, width = vectors.shape
    for f in range(width):
        before = 0.0
        for row in range(count):
            before += vectors[row, f] * vectors[row, f]
        for _ in range(2):
            for g in range(f):
                product = 0.0
                for row in range(count):
                    product += vectors[row, f] * vectors[row, g]
                for row in range(count):
                    vectors[row, f] -= product * vectors[row, g]
        after = 0.0
        for row in range(count):
            after += vectors[row, f] * vectors[row, f]
        scale = 1.0 / math.sqrt(after) if after > 1e-24 * before and after > 0.0 else 0.0
        for row in range(count):
            vectors[row, f] *= scale


@compiled
def diagonalise(matrix: Float64s, turn: Float64s) -> None:  # noqa: C901 - compiled loops
    """Turn a symmetric matrix diagonal in place, by Jacobi's rotations; ``turn`` takes part.

    Args:
        matrix: ``(n, n)``; its eigenvalues afterwards, on the diagonal.
        turn: ``(n, n)`` identity; afterwards its columns are the eigenvectors.
    """
    size = matrix.shape[0]
    for _ in range(60):
        off = 0.0
        on = 0.0
        for i in range(size):
            on += matrix[i, i] * matrix[i, i]
            for j in range(i):
                off += matrix[i, j] * matrix[i, j]
        if off <= 1e-30 * on:
            return
        for i in range(size - 1):
            for j in range(i + 1, size):
                if matrix[i, j] == 0.0:
                    continue
                ratio = (matrix[j, j] - matrix[i, i]) / (2.0 * matrix[i, j])
                tangent = 1.0 / (abs(ratio) + math.sqrt(ratio * ratio + 1.0))
                if ratio < 0.0:
                    tangent = -tangent
                cosine = 1.0 / math.sqrt(tangent * tangent + 1.0)
                sine = tangent * cosine
                for f in range(size):
                    first, second = matrix[f, i], matrix[f, j]
                    matrix[f, i] = cosine * first - sine * second
                    matrix[f, j] = sine * first + cosine * second
                for f in range(size):
                    first, second = matrix[i, f], matrix[j, f]
                    matrix[i, f] = cosine * first - sine * second
                    matrix[j, f] = sine * first + cosine * second
                for f in range(size):
                    first, second = turn[f, i], turn[f, j]
                    turn[f, i] = cosine * first - sine * second
                    turn[f, j] = sine * first + cosine * second
