"""Where the items' vectors begin: near the directions in which users differ most.

From vectors at random, the first sweeps do little but find these directions, one after the other.
Two rounds of subspace iteration find them in about half a sweep's time; the table of weights is
scaled by the roots of both sides' sums first, so that popularity alone does not take them all.

Source:
    Halko, Martinsson, Tropp, *Finding structure with randomness*, SIAM Review 2011, algorithm 4.4.
"""

import numpy as np
from recommender.features import Float32s, Float64s

from factorization_machines.als.observed import Observed, Partners
from factorization_machines.als.products import BLOCK, factorise, gram_of
from factorization_machines.als.threads import Threads, cuts_of_work, even_cuts
from factorization_machines.compiled.compiling import compiled
from factorization_machines.compiled.lanes import load, splat, store, times_plus

_ROUNDS = 2
# A direction is none if no more of its square is left: the sums are of float32.
_LITTLE = 1e-5
_LEAST_ROWS = 256


def first_items(
    observed: Observed, rank: int, width: int, length: float, seed: int, threads: Threads
) -> Float32s:
    """Find vectors of all items to begin with.

    Args:
        observed: the pairs.
        rank: factors of a vector.
        width: numbers of a vector, the rank rounded up to whole blocks.
        length: of a vector, root mean square.
        seed: of the first directions.
        threads: to work on.

    Returns:
        ``(i, w)``; columns are orthogonal, and at random beyond the directions that pairs span.
    """
    users, items = observed.by_user, observed.by_item
    generator = np.random.Generator(np.random.PCG64([seed, rank]))
    drawn = generator.standard_normal((items.entities, rank), dtype=np.float32)
    found = np.zeros((items.entities, width), np.float32)
    found[:, :rank] = drawn
    user_scales, item_scales = _scales(users), _scales(items)
    for _ in range(_ROUNDS):
        by_user = _gathered(users, item_scales * found, threads)
        by_item = _gathered(items, np.square(user_scales) * by_user, threads)
        found = item_scales * by_item
        _orthogonal(found, threads)
    scale = np.float32(items.entities**0.5)
    missing = np.flatnonzero(~found[:, :rank].any(axis=0))
    found[:, missing] = drawn[:, missing] / scale
    return found * (np.float32(length / rank**0.5) * scale)


def _scales(partners: Partners) -> Float32s:
    """``(m, 1)``: one over the root of the sum of each entity's weights; 0 if it has none."""
    owners = partners.owners
    sums = np.bincount(owners, partners.weights, minlength=partners.entities)
    scales = np.where(sums > 0, 1 / np.sqrt(np.maximum(sums, np.finfo(np.float32).tiny)), 0)
    return np.asarray(scales[:, None], np.float32)


def _gathered(partners: Partners, others: Float32s, threads: Threads) -> Float32s:
    """``(m, w)``: for each entity, its partners' vectors, weighted and summed."""
    sums = np.zeros((partners.entities, others.shape[1]), np.float32)

    def work(first: int, last: int) -> None:
        _gather(first, last, partners, others, sums)

    threads.over(cuts_of_work(partners.counts + 1), work)
    return sums


def _orthogonal(vectors: Float32s, threads: Threads) -> None:
    """Make the columns orthogonal, in place; those that add next to nothing become zero."""
    factor = gram_of(vectors, threads)
    factorise(factor, _LITTLE)

    def work(first: int, last: int) -> None:
        _divide(first, last, vectors, factor)

    threads.over(even_cuts(len(vectors), _LEAST_ROWS), work)


@compiled
def _divide(first: int, last: int, vectors: Float32s, factor: Float64s) -> None:
    """Multiply rows by the inverse of the upper factor, whose diagonal is inverted already."""
    width = vectors.shape[1]
    row = np.empty(width)
    for entity in range(first, last):
        for r in range(width):
            row[r] = vectors[entity, r]
        for r in range(width):
            row[r] *= factor[r, r]
            for q in range(r + 1, width):
                row[q] -= factor[r, q] * row[r]
        for r in range(width):
            vectors[entity, r] = row[r]


@compiled
def _gather(first: int, last: int, partners: Partners, others: Float32s, sums: Float32s) -> None:
    width = others.shape[1]
    for entity in range(first, last):
        for b in range(0, width, BLOCK):
            own = splat(np.float32(0))
            for entry in range(partners.offsets[entity], partners.offsets[entity + 1]):
                place = np.int64(partners.others[entry]) * width + b
                own = times_plus(splat(partners.weights[entry]), load(others, place), own)
            store(sums, entity * width + b, own)
