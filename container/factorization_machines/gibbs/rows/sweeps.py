"""The compiled sweep of the sampler for rows of any shape, one column's numbers at a time.

Source:
    Freudenthaler, Schmidt-Thieme and Rendle, *Bayesian factorization machines*, 2011: the score is
    linear in each single parameter, so each has a normal distribution given all the others.
"""

import math
from typing import NamedTuple

import numpy as np
from recommender.features import Float64s, Integers

from factorization_machines.compiled.arrays import Int32s
from factorization_machines.compiled.compiling import compiled
from factorization_machines.gibbs.randomness import RandomState, normal


class Columns(NamedTuple):
    """The rows' features, column by column.

    Attributes:
        offsets: ``(d + 1,)`` int64; column ``j`` owns entries ``offsets[j]`` to ``offsets[j + 1]``.
        rows: ``(nnz,)`` int32 row of each entry.
        values: ``(nnz,)`` float64 value of each entry.
        groups: ``(d,)`` int64 group of each column; the columns of a group share a prior.
    """

    offsets: Integers
    rows: Int32s
    values: Float64s
    groups: Integers


@compiled
def draw_weights(
    columns: Columns,
    weight: float,
    weights: Float64s,
    residuals: Float64s,
    precisions: Float64s,
    means: Float64s,
    state: RandomState,
) -> None:
    """Draw the linear weight of every column in turn, in place.

    Args:
        columns: the features.
        weight: inverse variance of the noise.
        weights: ``(d,)`` drawn here; that of a column without rows becomes its group's mean.
        residuals: ``(n,)`` target minus score; kept up to date.
        precisions: ``(groups,)`` inverse variances of the prior.
        means: ``(groups,)`` means of the prior.
        state: the generator.
    """
    for column in range(columns.groups.size):
        group = columns.groups[column]
        first, end = columns.offsets[column], columns.offsets[column + 1]
        if first == end:
            weights[column] = means[group]
            continue
        square = 0.0
        pull = 0.0
        for entry in range(first, end):
            value = columns.values[entry]
            square += value * value
            pull += value * residuals[columns.rows[entry]]
        precision = weight * square + precisions[group]
        pull = weight * (pull + square * weights[column]) + precisions[group] * means[group]
        drawn = pull / precision + normal(state) / math.sqrt(precision)
        move = drawn - weights[column]
        weights[column] = drawn
        for entry in range(first, end):
            residuals[columns.rows[entry]] -= move * columns.values[entry]


@compiled
def draw_factor(
    columns: Columns,
    weight: float,
    factor: Float64s,
    residuals: Float64s,
    precisions: Float64s,
    means: Float64s,
    state: RandomState,
    sums: Float64s,
) -> None:
    """Draw one factor of every column in turn, in place.

    Args:
        columns: the features.
        weight: inverse variance of the noise.
        factor: ``(d,)`` drawn here; that of a column without rows becomes its group's mean.
        residuals: ``(n,)`` target minus score; kept up to date.
        precisions: ``(groups,)`` inverse variances of the prior.
        means: ``(groups,)`` means of the prior.
        state: the generator.
        sums: ``(n,)`` work space: the factor's sum over each row's features.
    """
    sums[:] = 0.0
    for column in range(columns.groups.size):
        for entry in range(columns.offsets[column], columns.offsets[column + 1]):
            sums[columns.rows[entry]] += columns.values[entry] * factor[column]
    for column in range(columns.groups.size):
        group = columns.groups[column]
        first, end = columns.offsets[column], columns.offsets[column + 1]
        old = factor[column]
        if first == end:
            factor[column] = means[group]
            continue
        square = 0.0
        pull = 0.0
        for entry in range(first, end):
            value, row = columns.values[entry], columns.rows[entry]
            slope = value * (sums[row] - value * old)
            square += slope * slope
            pull += slope * residuals[row]
        precision = weight * square + precisions[group]
        pull = weight * (pull + square * old) + precisions[group] * means[group]
        drawn = pull / precision + normal(state) / math.sqrt(precision)
        move = drawn - old
        factor[column] = drawn
        for entry in range(first, end):
            value, row = columns.values[entry], columns.rows[entry]
            residuals[row] -= move * value * (sums[row] - value * old)
            sums[row] += move * value


@compiled
def score_rows(columns: Columns, weights: Float64s, factors: Float64s, scores: Float64s) -> None:
    """Score every row.

    Args:
        columns: the features.
        weights: ``(d,)``.
        factors: ``(k, d)``.
        scores: ``(n,)`` filled here.
    """
    scores[:] = 0.0
    for column in range(columns.groups.size):
        for entry in range(columns.offsets[column], columns.offsets[column + 1]):
            scores[columns.rows[entry]] += columns.values[entry] * weights[column]
    sums, squares = np.empty(scores.size), np.empty(scores.size)
    for f in range(factors.shape[0]):
        sums[:] = 0.0
        squares[:] = 0.0
        for column in range(columns.groups.size):
            for entry in range(columns.offsets[column], columns.offsets[column + 1]):
                term = columns.values[entry] * factors[f, column]
                row = columns.rows[entry]
                sums[row] += term
                squares[row] += term * term
        for row in range(scores.size):
            scores[row] += 0.5 * (sums[row] * sums[row] - squares[row])
