"""The compiled half-sweeps of alternating least squares: one side's vectors given the other's.

Given the other side's vectors ``h``, an entity's vector ``v`` minimises

    sum_observed c (1 - <v, h>)^2 + a v'G v + p |v - prior|^2,     G = sum_all h h'

which is a linear system of its own. `improve` goes through the vector in blocks of 16 numbers and
solves for each block, the others held still: the objective falls all the same, and a sweep takes
time in proportion to the rank and not to its square. `solve` finds the minimum itself.

Tables of vectors have rows of whole blocks; what a rank leaves over is zero, and stays so.

Source:
    Rendle, Krichene, Zhang, Koren, *iALS++: Speeding up matrix factorization with subspace
    optimization*, 2021; Hu, Koren, Volinsky, *Collaborative filtering for implicit feedback
    datasets*, ICDM 2008 (the Gram matrix in place of all unobserved pairs).
"""

import numpy as np
from recommender.features import Float32s, Float64s

from factorization_machines.als.observed import Partners
from factorization_machines.als.products import (
    BLOCK,
    ROUNDING,
    add_products,
    factorise,
    product,
    substitute,
)
from factorization_machines.compiled.compiling import compiled
from factorization_machines.compiled.lanes import (
    load,
    splat,
    spread,
    store,
    times,
    times_plus,
    total,
)

# Of a pivot of sixteen float32 columns, beside what it was before others were taken off.
_ROUNDING = np.float32(1e-6)


@compiled
def _solve_block(matrix: Float32s, pull: Float32s, least: Float32s) -> None:
    """Replace ``pull`` by ``matrix^-1 pull``; of the matrix the upper half is read and spoilt.

    Columns whose pivot is ``least`` or less are left out: what is found there is zero.
    """
    one, nothing = np.float32(1), np.float32(0)
    for r in range(BLOCK):
        inverse = one / np.sqrt(matrix[r, r]) if matrix[r, r] > least[r] else nothing
        row = times(load(matrix, r * BLOCK), splat(inverse))
        store(matrix, r * BLOCK, row)
        for p in range(r + 1, BLOCK):
            factor = splat(-matrix[r, p])
            store(matrix, p * BLOCK, times_plus(factor, row, load(matrix, p * BLOCK)))
        pull[r] *= inverse
        value = pull[r]
        for p in range(r + 1, BLOCK):
            pull[p] -= matrix[r, p] * value
        matrix[r, r] = inverse
    for r in range(BLOCK - 1, -1, -1):
        pull[r] *= matrix[r, r]
        value = pull[r]
        for p in range(r):
            pull[p] -= matrix[p, r] * value


@compiled
def improve(  # noqa: C901 - compiled loops
    first: int,
    last: int,
    vectors: Float32s,
    others: Float32s,
    gram: Float32s,
    partners: Partners,
    unobserved_weight: np.float32,
    penalties: Float32s,
    priors: Float32s,
) -> None:
    """Improve the vectors ``first`` up to ``last`` in place, block by block.

    Args:
        first: the first entity.
        last: the one after the last.
        vectors: ``(m, w)`` this side's vectors.
        others: ``(m', w)`` the other side's.
        gram: ``(w, w)`` sum of ``h h'`` over all of the other side.
        partners: this side's observed pairs.
        unobserved_weight: ``a``.
        penalties: ``(m,)`` each entity's ``p``.
        priors: ``(m, w)`` what each vector is drawn to, or no rows: to zero.
    """
    width = vectors.shape[1]
    most = 0
    for entity in range(first, last):
        most = max(most, partners.offsets[entity + 1] - partners.offsets[entity])
    # Room for whole groups of four: what fills up a group weighs nothing.
    scores, weights = np.empty(most + 3, np.float32), np.empty(most + 3, np.float32)
    places = np.empty(most + 3, np.int64)
    matrix, pull = np.empty((BLOCK, BLOCK), np.float32), np.empty(BLOCK, np.float32)
    least = np.empty(BLOCK, np.float32)
    one, unobserved = np.float32(1), splat(unobserved_weight)
    for entity in range(first, last):
        begin, end = partners.offsets[entity], partners.offsets[entity + 1]
        count = end - begin
        own = entity * width
        if count == 0:
            vectors[entity, :] = 0
            continue
        for j in range(count):
            places[j] = np.int64(partners.others[begin + j]) * width
            weights[j] = partners.weights[begin + j]
        whole = (count + 3) // 4 * 4
        for j in range(count, whole):
            places[j], weights[j] = places[0], 0
        for j in range(whole):
            scores[j] = product(vectors, own, others, places[j], width) - one
        penalty = penalties[entity]
        for b in range(0, width, BLOCK):
            slope = splat(np.float32(0))
            for q in range(width):
                slope = times_plus(spread(vectors, own + q), load(gram, q * width + b), slope)
            slope = times(unobserved, slope)
            slope = times_plus(splat(penalty), load(vectors, own + b), slope)
            if priors.shape[0] > 0:
                slope = times_plus(splat(-penalty), load(priors, own + b), slope)
            for p in range(BLOCK):
                store(matrix, p * BLOCK, times(unobserved, load(gram, (b + p) * width + b)))
                matrix[p, p] += penalty
            for j in range(0, whole, 4):
                p0, p1 = places[j] + b, places[j + 1] + b
                p2, p3 = places[j + 2] + b, places[j + 3] + b
                h0 = times(load(others, p0), splat(weights[j]))
                h1 = times(load(others, p1), splat(weights[j + 1]))
                h2 = times(load(others, p2), splat(weights[j + 2]))
                h3 = times(load(others, p3), splat(weights[j + 3]))
                slope = times_plus(splat(scores[j]), h0, slope)
                slope = times_plus(splat(scores[j + 1]), h1, slope)
                slope = times_plus(splat(scores[j + 2]), h2, slope)
                slope = times_plus(splat(scores[j + 3]), h3, slope)
                add_products(others, p0, p1, p2, p3, h0, h1, h2, h3, BLOCK, matrix, 0, BLOCK)
            for p in range(BLOCK):
                least[p] = _ROUNDING * matrix[p, p]
            store(pull, 0, slope)
            _solve_block(matrix, pull, least)
            step = times(splat(-one), load(pull, 0))
            store(vectors, own + b, times_plus(splat(-one), load(pull, 0), load(vectors, own + b)))
            if b + BLOCK < width:
                for j in range(whole):
                    scores[j] += total(times(step, load(others, places[j] + b)))


@compiled
def solve(
    first: int,
    last: int,
    vectors: Float32s,
    others: Float32s,
    gram: Float64s,
    partners: Partners,
    unobserved_weight: float,
    penalties: Float64s,
    priors: Float32s,
) -> None:
    """Replace the vectors ``first`` up to ``last`` by the minimum; the system is solved in float64.

    Args:
        first: the first entity.
        last: the one after the last.
        vectors: ``(m, w)`` this side's vectors; what they were does not matter.
        others: ``(m', w)`` the other side's.
        gram: ``(w, w)`` sum of ``h h'`` over all of the other side.
        partners: this side's observed pairs.
        unobserved_weight: ``a``.
        penalties: ``(m,)`` each entity's ``p``.
        priors: ``(m, w)`` what each vector is drawn to, or no rows: to zero.
    """
    width = vectors.shape[1]
    sums, slope = np.empty((width, width), np.float32), np.empty(width, np.float32)
    matrix, pull = np.empty((width, width)), np.empty(width)
    none, one = np.float32(0), np.float32(1)
    for entity in range(first, last):
        begin, end = partners.offsets[entity], partners.offsets[entity + 1]
        if begin == end:
            vectors[entity, :] = 0
            continue
        penalty = penalties[entity]
        sums[:], slope[:] = 0, 0
        for j in range(begin, end, 4):
            p0 = np.int64(partners.others[j]) * width
            p1 = np.int64(partners.others[min(j + 1, end - 1)]) * width
            p2 = np.int64(partners.others[min(j + 2, end - 1)]) * width
            p3 = np.int64(partners.others[min(j + 3, end - 1)]) * width
            w0 = splat(partners.weights[j])
            w1 = splat(partners.weights[j + 1] if j + 1 < end else none)
            w2 = splat(partners.weights[j + 2] if j + 2 < end else none)
            w3 = splat(partners.weights[j + 3] if j + 3 < end else none)
            for b in range(0, width, BLOCK):
                h0, h1 = times(load(others, p0 + b), w0), times(load(others, p1 + b), w1)
                h2, h3 = times(load(others, p2 + b), w2), times(load(others, p3 + b), w3)
                pulls = times_plus(splat(one), h0, load(slope, b))
                pulls = times_plus(splat(one), h1, pulls)
                pulls = times_plus(splat(one), h2, pulls)
                store(slope, b, times_plus(splat(one), h3, pulls))
                add_products(others, p0, p1, p2, p3, h0, h1, h2, h3, b + BLOCK, sums, b, width)
        for p in range(width):
            pull[p] = slope[p]
            if priors.shape[0] > 0:
                pull[p] += penalty * priors[entity, p]
            for q in range(p, width):
                matrix[p, q] = unobserved_weight * gram[p, q] + sums[p, q]
            matrix[p, p] += penalty
        factorise(matrix, ROUNDING)
        substitute(matrix, pull)
        for q in range(width):
            vectors[entity, q] = pull[q]


@compiled
def observed_loss(
    first: int, last: int, vectors: Float32s, others: Float32s, partners: Partners
) -> float:
    """Sum ``c (1 - score)^2`` over the observed pairs of the entities ``first`` up to ``last``."""
    width = vectors.shape[1]
    lost = 0.0
    for entity in range(first, last):
        for j in range(partners.offsets[entity], partners.offsets[entity + 1]):
            other = np.int64(partners.others[j]) * width
            missing = 1.0 - product(vectors, entity * width, others, other, width)
            lost += partners.weights[j] * missing * missing
    return lost
