"""The vectors of users and items: how they lie, and the scores that they make.

A user ``u`` has the vector ``t_u = [P_u, a_u]`` of ``k`` factors and one weight, an item
likewise ``[Q_i, b_i]``; the score of a pair is ``<P_u, Q_i> + a_u + b_i``. A vector is the entity's
own part plus its features' parts, ``t_u = v_u + sum_j x_uj B_j``, with normal priors on ``v_u``
(full covariance) and on ``B_j`` (one variance for each group and place).
"""

from typing import NamedTuple

import numpy as np
from recommender.features import Float64s, Integers

from factorization_machines.compiled.arrays import Int32s
from factorization_machines.compiled.compiling import compiled


class Links(NamedTuple):
    """The rows of each entity of one side.

    Attributes:
        offsets: ``(m + 1,)`` int64; entity ``u`` owns links ``offsets[u]`` to ``offsets[u + 1]``.
        others: ``(n,)`` int32 entity at the other end.
        rows: ``(n,)`` int32 place of the link in arrays over rows.
    """

    offsets: Integers
    others: Int32s
    rows: Int32s


class Vectors(NamedTuple):
    """The parameters of one side, float64.

    Attributes:
        totals: ``(m, k + 1)`` the vectors that score.
        own: ``(m, k + 1)`` the entities' own parts.
        parts: ``(f, k + 1)`` the features' parts.
    """

    totals: Float64s
    own: Float64s
    parts: Float64s


class Prior(NamedTuple):
    """The normal priors of one side.

    Attributes:
        precision: ``(k + 1, k + 1)`` inverse covariance of an own part.
        pull: ``(k + 1,)`` that matrix times the mean of an own part.
        group_precisions: ``(groups, k + 1)`` inverse variances of the features' parts.
        group_means: ``(groups, k + 1)`` their means.
    """

    precision: Float64s
    pull: Float64s
    group_precisions: Float64s
    group_means: Float64s


@compiled
def score_links(links: Links, vectors: Float64s, others: Float64s, scores: Float64s) -> None:
    """Score every row: ``<P_u, Q_i> + a_u + b_i``, in the links' places."""
    last = vectors.shape[1] - 1
    for entity in range(links.offsets.size - 1):
        vector = vectors[entity]
        for link in range(links.offsets[entity], links.offsets[entity + 1]):
            other = others[links.others[link]]
            total = vector[last] + other[last]
            for f in range(last):
                total += vector[f] * other[f]
            scores[links.rows[link]] = total


@compiled
def score_pairs(
    users: Int32s, items: Int32s, user_vectors: Float64s, item_vectors: Float64s, scores: Float64s
) -> None:
    """Score any pairs: ``<P_u, Q_i> + a_u + b_i``."""
    last = user_vectors.shape[1] - 1
    for pair in range(users.size):
        user, item = user_vectors[users[pair]], item_vectors[items[pair]]
        total = user[last] + item[last]
        for f in range(last):
            total += user[f] * item[f]
        scores[pair] = total


@compiled
def scatter(rows: Float64s, means: Float64s, out: Float64s) -> None:
    """Sum of the outer products of the rows' distances from ``means``."""
    width = rows.shape[1]
    away = np.empty(width)
    out[:] = 0.0
    for row in range(rows.shape[0]):
        for f in range(width):
            away[f] = rows[row, f] - means[f]
        for f in range(width):
            for g in range(width):
                out[f, g] += away[f] * away[g]
