"""Sums of products in lanes, and the systems that are made of them.

Tables of vectors have rows of whole blocks; what a rank leaves over is zero, and stays so.
"""

import numpy as np
from recommender.features import Float32s, Float64s

from factorization_machines.als.threads import Threads, even_cuts
from factorization_machines.compiled.compiling import compiled
from factorization_machines.compiled.lanes import (
    LANES,
    Lanes,
    load,
    splat,
    spread,
    store,
    times,
    times_plus,
    total,
)

BLOCK = LANES
ROUNDING = 1e-13
"""Of a pivot of some tens of float64 columns, beside what it was before others were taken off."""

_ROWS_OF_A_SUM = 4096


def gram_of(vectors: Float32s, threads: Threads) -> Float64s:
    """Sum ``v v'`` over all vectors: ``(w, w)``, in parts that are added in their order."""
    width = vectors.shape[1]

    def work(first: int, last: int) -> Float64s:
        part = np.zeros((width, width))
        _add_gram(vectors, first, last, part)
        return part

    cuts = even_cuts(len(vectors), _ROWS_OF_A_SUM)
    upper = np.sum(np.stack(threads.over(cuts, work)), axis=0)
    return np.asarray(upper + np.triu(upper, 1).T, np.float64)


@compiled
def add_products(
    table: Float32s,
    p0: int,
    p1: int,
    p2: int,
    p3: int,
    h0: Lanes,
    h1: Lanes,
    h2: Lanes,
    h3: Lanes,
    count: int,
    out: Float32s,
    at: int,
    width: int,
) -> None:
    """Add four outer products to a strip of sixteen columns.

    Args:
        table: where the left vectors lie.
        p0: place of the first one, and so on.
        p1: see there.
        p2: see there.
        p3: see there.
        h0: sixteen numbers of the first right vector, and so on.
        h1: see there.
        h2: see there.
        h3: see there.
        count: numbers of a left vector, which are the rows of the strip.
        out: the table that holds the strip.
        at: place of the strip's first number.
        width: of that table.
    """
    for p in range(count):
        place = at + p * width
        sums = times_plus(spread(table, p0 + p), h0, load(out, place))
        sums = times_plus(spread(table, p1 + p), h1, sums)
        sums = times_plus(spread(table, p2 + p), h2, sums)
        store(out, place, times_plus(spread(table, p3 + p), h3, sums))


@compiled
def _add_gram(vectors: Float32s, first: int, last: int, gram: Float64s) -> None:
    """Add ``v v'`` of the vectors ``first`` up to ``last``; the upper half is what counts."""
    width = vectors.shape[1]
    sums = np.zeros((width, width), np.float32)
    nothing = splat(np.float32(0))
    for row in range(first, last, 4):
        p0 = row * width
        p1 = p0 + width if row + 1 < last else p0
        p2 = p0 + 2 * width if row + 2 < last else p0
        p3 = p0 + 3 * width if row + 3 < last else p0
        for b in range(0, width, BLOCK):
            h0 = load(vectors, p0 + b)
            h1 = load(vectors, p1 + b) if row + 1 < last else nothing
            h2 = load(vectors, p2 + b) if row + 2 < last else nothing
            h3 = load(vectors, p3 + b) if row + 3 < last else nothing
            add_products(vectors, p0, p1, p2, p3, h0, h1, h2, h3, b + BLOCK, sums, b, width)
    for p in range(width):
        for q in range(p, width):
            gram[p, q] += sums[p, q]


@compiled
def product(left: Float32s, place: int, right: Float32s, other: int, width: int) -> np.float32:
    """Give the product of two vectors that begin at these places."""
    sums = times(load(left, place), load(right, other))
    for b in range(BLOCK, width, BLOCK):
        sums = times_plus(load(left, place + b), load(right, other + b), sums)
    return total(sums)


@compiled
def factorise(matrix: Float64s, rounding: float) -> None:
    """Replace the upper half by its Cholesky factor, with the diagonal's inverse in its place.

    A column of which next to nothing is left once those before it are taken off is left out: its
    row of the factor is zero, and so is its number in every solution.

    Args:
        matrix: ``(n, n)`` symmetric; nothing below the diagonal is read or written.
        rounding: next to nothing, beside the column's own square.
    """
    size = matrix.shape[0]
    least = np.empty(size)
    for r in range(size):
        least[r] = rounding * matrix[r, r]
    # Four rows at a time: a fourth of the trips through a matrix that no nearest cache holds.
    for r in range(0, size, 4):
        end = min(r + 4, size)
        for row in range(r, end):
            for s in range(r, row):
                factor = matrix[s, row]
                for q in range(row, size):
                    matrix[row, q] -= factor * matrix[s, q]
            pivot = matrix[row, row]
            inverse = 1.0 / np.sqrt(pivot) if pivot > least[row] else 0.0
            for q in range(row, size):
                matrix[row, q] *= inverse
            matrix[row, row] = inverse
        if end < r + 4:
            break
        r0, r1, r2, r3 = matrix[r], matrix[r + 1], matrix[r + 2], matrix[r + 3]
        for p in range(end, size):
            f0, f1, f2, f3 = r0[p], r1[p], r2[p], r3[p]
            target = matrix[p]
            for q in range(p, size):
                target[q] -= (f0 * r0[q] + f1 * r1[q]) + (f2 * r2[q] + f3 * r3[q])


@compiled
def substitute(factor: Float64s, pull: Float64s) -> None:
    """Replace ``pull`` by the solution of the system whose matrix has been factorised."""
    size = pull.size
    for r in range(size):
        pull[r] *= factor[r, r]
        value = pull[r]
        for p in range(r + 1, size):
            pull[p] -= factor[r, p] * value
    for r in range(size - 1, -1, -1):
        pull[r] *= factor[r, r]
        value = pull[r]
        for p in range(r):
            pull[p] -= factor[p, r] * value
