"""The compiled sweeps of the sampler for pairs of a user and an item.

Given the vectors of one side (see `vectors`), the other side is a set of linear regressions, so
whole vectors are drawn at once, which mixes far better than one number at a time.

Source:
    Salakhutdinov and Mnih, *Bayesian probabilistic matrix factorization*, ICML 2008; Rendle,
    *Scaling factorization machines to relational data*, VLDB 2013 (features counted per entity).
"""

import math

import numpy as np
from recommender.features import Float64s

from factorization_machines.compiled.compiling import compiled
from factorization_machines.fields import SideFeatures
from factorization_machines.gibbs.pairs.vectors import Links, Prior, Vectors
from factorization_machines.gibbs.randomness import RandomState, normal


@compiled
def draw_normal(precision: Float64s, pull: Float64s, state: RandomState, out: Float64s) -> None:
    """Draw from the normal distribution with that precision and the mean ``precision^-1 pull``.

    Args:
        precision: ``(k, k)`` symmetric and positive definite; its lower half is overwritten.
        pull: ``(k,)``; overwritten.
        state: the generator.
        out: ``(k,)`` the draw.
    """
    size = pull.size
    for j in range(size):
        for i in range(j, size):
            total = precision[i, j]
            for f in range(j):
                total -= precision[i, f] * precision[j, f]
            precision[i, j] = math.sqrt(total) if i == j else total / precision[j, j]
    for i in range(size):
        total = pull[i]
        for f in range(i):
            total -= precision[i, f] * pull[f]
        pull[i] = total / precision[i, i]
    for i in range(size):
        pull[i] += normal(state)
    for i in range(size - 1, -1, -1):
        total = pull[i]
        for f in range(i + 1, size):
            total -= precision[f, i] * out[f]
        out[i] = total / precision[i, i]


@compiled
def _gather(
    links: Links,
    targets: Float64s,
    weight: float,
    others: Float64s,
    grams: Float64s,
    pulls: Float64s,
) -> None:
    """Sum up, for each entity, what its rows say of its vector.

    Row: ``target - other's weight = <[other's factors, 1], vector> + noise``.
    """
    width = others.shape[1]
    last = width - 1
    known = others.copy()
    known[:, last] = 1.0
    gram = np.empty((width, width))
    for entity in range(links.offsets.size - 1):
        pull = pulls[entity]
        gram[:] = 0.0
        pull[:] = 0.0
        first, end = links.offsets[entity], links.offsets[entity + 1]
        # Four rows at a time: a fourth of the trips to memory, and additions that overlap.
        whole = end - (end - first) % 4
        for link in range(first, whole, 4):
            other0, other1 = links.others[link], links.others[link + 1]
            other2, other3 = links.others[link + 2], links.others[link + 3]
            target0 = targets[links.rows[link]] - others[other0, last]
            target1 = targets[links.rows[link + 1]] - others[other1, last]
            target2 = targets[links.rows[link + 2]] - others[other2, last]
            target3 = targets[links.rows[link + 3]] - others[other3, last]
            row0, row1, row2, row3 = known[other0], known[other1], known[other2], known[other3]
            for f in range(width):
                a, b, c, d = row0[f], row1[f], row2[f], row3[f]
                pull[f] += (target0 * a + target1 * b) + (target2 * c + target3 * d)
                for g in range(f + 1):
                    gram[f, g] += (a * row0[g] + b * row1[g]) + (c * row2[g] + d * row3[g])
        for link in range(whole, end):
            other = links.others[link]
            row = known[other]
            target = targets[links.rows[link]] - others[other, last]
            for f in range(width):
                value = row[f]
                pull[f] += target * value
                for g in range(f + 1):
                    gram[f, g] += value * row[g]
        for f in range(width):
            pull[f] *= weight
            for g in range(f + 1):
                both = gram[f, g] * weight
                grams[entity, f, g] = both
                grams[entity, g, f] = both


@compiled
def _draw_parts(  # noqa: C901 - compiled loops
    features: SideFeatures,
    vectors: Vectors,
    prior: Prior,
    grams: Float64s,
    pulls: Float64s,
    state: RandomState,
) -> None:
    """Draw the part of each feature in turn; ``pulls`` hold residuals and follow along."""
    width = pulls.shape[1]
    precision = np.empty((width, width))
    pull, move, drawn = np.empty(width), np.empty(width), np.empty(width)
    for feature in range(features.groups.size):
        group = features.groups[feature]
        part = vectors.parts[feature]
        first, end = features.offsets[feature], features.offsets[feature + 1]
        precision[:] = 0.0
        pull[:] = 0.0
        for entry in range(first, end):
            entity, value = features.entities[entry], features.values[entry]
            square = value * value
            gram = grams[entity]
            for f in range(width):
                pull[f] += value * pulls[entity, f]
                for g in range(width):
                    precision[f, g] += square * gram[f, g]
        for f in range(width):
            for g in range(width):
                pull[f] += precision[f, g] * part[g]
        for f in range(width):
            precision[f, f] += prior.group_precisions[group, f]
            pull[f] += prior.group_precisions[group, f] * prior.group_means[group, f]
        draw_normal(precision, pull, state, drawn)
        for f in range(width):
            move[f] = drawn[f] - part[f]
            part[f] = drawn[f]
        for entry in range(first, end):
            entity, value = features.entities[entry], features.values[entry]
            gram = grams[entity]
            for f in range(width):
                step = value * move[f]
                vectors.totals[entity, f] += step
                for g in range(width):
                    pulls[entity, g] -= step * gram[f, g]


@compiled
def _exchange(features: SideFeatures, vectors: Vectors, prior: Prior, state: RandomState) -> None:
    """Draw the features' parts again, now with the entities' whole vectors held still.

    What a feature's part gains, its entities' own parts lose. Where the data pin the whole
    vectors down, the draw of the parts given the own parts hardly moves; this one does.

    Source:
        Yu and Meng, *To center or not to center*, JCGS 2011 (interweaving).
    """
    width = vectors.own.shape[1]
    precision = np.empty((width, width))
    sums, pull, drawn = np.empty(width), np.empty(width), np.empty(width)
    for feature in range(features.groups.size):
        group, part = features.groups[feature], vectors.parts[feature]
        first, end = features.offsets[feature], features.offsets[feature + 1]
        square = 0.0
        values = 0.0
        sums[:] = 0.0
        for entry in range(first, end):
            value = features.values[entry]
            square += value * value
            values += value
            own = vectors.own[features.entities[entry]]
            for f in range(width):
                sums[f] += value * own[f]
        for f in range(width):
            sums[f] += square * part[f]
        for f in range(width):
            total = prior.group_precisions[group, f] * prior.group_means[group, f]
            total -= values * prior.pull[f]
            for g in range(width):
                total += prior.precision[f, g] * sums[g]
                precision[f, g] = square * prior.precision[f, g]
            precision[f, f] += prior.group_precisions[group, f]
            pull[f] = total
        draw_normal(precision, pull, state, drawn)
        for f in range(width):
            move = drawn[f] - part[f]
            part[f] = drawn[f]
            drawn[f] = move
        for entry in range(first, end):
            value = features.values[entry]
            own = vectors.own[features.entities[entry]]
            for f in range(width):
                own[f] -= value * drawn[f]


@compiled
def draw_side(  # noqa: C901 - compiled loops
    links: Links,
    targets: Float64s,
    weight: float,
    others: Float64s,
    features: SideFeatures,
    vectors: Vectors,
    prior: Prior,
    grams: Float64s,
    pulls: Float64s,
    state: RandomState,
    with_parts: bool,  # noqa: FBT001 - compiled code is called by place
) -> None:
    """Draw all vectors of one side given the other side, in place.

    Args:
        links: the rows of each entity.
        targets: ``(n,)`` what the scores should be, up to noise.
        weight: inverse variance of that noise.
        others: ``(m', k + 1)`` the other side's vectors.
        features: this side's features.
        vectors: this side's parameters.
        prior: this side's priors.
        grams: ``(m, k + 1, k + 1)`` work space.
        pulls: ``(m, k + 1)`` work space.
        state: the generator.
        with_parts: draw the features' parts given the entities' own, which takes longest of all.
    """
    width = others.shape[1]
    precision = np.empty((width, width))
    pull, drawn = np.empty(width), np.empty(width)
    _gather(links, targets, weight, others, grams, pulls)
    if features.groups.size > 0:
        for entity in range(pulls.shape[0]):
            for f in range(width):
                for g in range(width):
                    pulls[entity, f] -= grams[entity, f, g] * vectors.totals[entity, g]
        if with_parts:
            _draw_parts(features, vectors, prior, grams, pulls, state)
    for entity in range(pulls.shape[0]):
        own = vectors.own[entity]
        for f in range(width):
            total = pulls[entity, f] + prior.pull[f]
            if features.groups.size > 0:
                for g in range(width):
                    total += grams[entity, f, g] * own[g]
            pull[f] = total
            for g in range(width):
                precision[f, g] = grams[entity, f, g] + prior.precision[f, g]
        draw_normal(precision, pull, state, drawn)
        for f in range(width):
            vectors.totals[entity, f] += drawn[f] - own[f]
            own[f] = drawn[f]
    _exchange(features, vectors, prior, state)
