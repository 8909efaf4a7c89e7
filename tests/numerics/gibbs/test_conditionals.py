"""One draw of the sampler: from the distributions that independent arithmetic gives."""

import numpy as np
import pytest
from factorization_machines.fields import find_pairs
from factorization_machines.gibbs.likelihoods import OrderedProbit
from factorization_machines.gibbs.pairs.sweeps import draw_side
from factorization_machines.gibbs.pairs.vectors import Links, Prior, Vectors
from factorization_machines.gibbs.randomness import random_state
from factorization_machines.gibbs.rows.sweeps import Columns, draw_factor, draw_weights, score_rows
from recommender.model.machine import FactorizationMachine, score
from recommender.predictor_types import REGRESSOR
from scipy import sparse, stats

from testbed.numerics.matrices import rows_of


def columns_of(matrix):
    matrix = sparse.csc_array(matrix)
    return Columns(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float64),
        np.zeros(matrix.shape[1], np.int64),
    )


def tiny_side(generator):
    """Three entities, one feature of two of them; three others; five rows."""
    entities, others = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0])
    totals = generator.normal(size=(3, 3))
    own = generator.normal(size=(3, 3))
    design = np.array([1.0, 0.5, 0.0])
    parts = generator.normal(size=(1, 3))
    root = generator.normal(size=(3, 3))
    precision = root @ root.T + np.eye(3)
    return {
        "entities": entities,
        "others": others,
        "targets": generator.normal(size=5),
        "other_vectors": totals,
        "own": own,
        "parts": parts,
        "design": design,
        "precision": precision,
        "mean": generator.normal(size=3),
        "group_precision": np.array([[0.7, 1.3, 2.0]]),
        "group_mean": generator.normal(size=(1, 3)),
        "weight": 1.7,
    }


def exact_posterior(tiny):
    """Mean and covariance of [own_0, own_1, own_2, part], all drawn jointly, by dense algebra."""
    precision, pull = np.zeros((12, 12)), np.zeros(12)
    for row, (entity, other) in enumerate(zip(tiny["entities"], tiny["others"], strict=True)):
        vector = np.append(tiny["other_vectors"][other, :2], 1.0)
        slope = np.zeros(12)
        slope[3 * entity : 3 * entity + 3] = vector
        slope[9:] = tiny["design"][entity] * vector
        target = tiny["targets"][row] - tiny["other_vectors"][other, 2]
        precision += tiny["weight"] * np.outer(slope, slope)
        pull += tiny["weight"] * target * slope
    for entity in range(3):
        block = slice(3 * entity, 3 * entity + 3)
        precision[block, block] += tiny["precision"]
        pull[block] += tiny["precision"] @ tiny["mean"]
    precision[9:, 9:] += np.diag(tiny["group_precision"][0])
    pull[9:] += tiny["group_precision"][0] * tiny["group_mean"][0]
    covariance = np.linalg.inv(precision)
    return covariance @ pull, covariance


@pytest.mark.parametrize("parts_every", [1, 2])
def test_a_side_is_drawn_from_the_regression_that_the_other_side_makes_of_it(parts_every):
    tiny = tiny_side(np.random.default_rng(8))
    order = np.argsort(tiny["entities"], kind="stable")
    links = Links(
        np.array([0, 2, 3, 5]), tiny["others"][order].astype(np.int32), order.astype(np.int32)
    )
    has = np.flatnonzero(tiny["design"])
    features = find_nothing()._replace(
        offsets=np.array([0, has.size]),
        entities=has.astype(np.int32),
        values=tiny["design"][has],
        groups=np.array([0]),
    )
    prior = Prior(
        tiny["precision"],
        tiny["precision"] @ tiny["mean"],
        tiny["group_precision"],
        tiny["group_mean"],
    )
    vectors = Vectors(
        tiny["own"] + tiny["design"][:, None] * tiny["parts"], tiny["own"], tiny["parts"]
    )
    state, grams, pulls = random_state(6), np.empty((3, 3, 3)), np.empty((3, 3))
    found = np.empty((60_000, 12))

    for number, out in enumerate(found):
        draw_side(
            links,
            tiny["targets"],
            tiny["weight"],
            tiny["other_vectors"],
            features,
            vectors,
            prior,
            grams,
            pulls,
            state,
            number % parts_every == 0,
        )
        out[:] = np.concatenate([vectors.own.ravel(), vectors.parts.ravel()])

    mean, covariance = exact_posterior(tiny)
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(found.T), covariance, atol=0.06)
    np.testing.assert_allclose(
        vectors.totals, vectors.own + tiny["design"][:, None] * vectors.parts, atol=1e-9
    )


def find_nothing():
    return find_pairs(rows_of([[1, 1]]), (1, 1)).user_field.features


@pytest.mark.parametrize("what", ["weight", "factor"])
def test_one_number_of_a_column_is_drawn_from_its_own_normal_distribution(what):
    generator = np.random.default_rng(9)
    matrix = generator.normal(size=(7, 3))
    start, weights = generator.normal(size=3), generator.normal(size=3)
    target, noise, precision, mean = generator.normal(size=7), 2.5, 1.4, 0.3
    columns, state = columns_of(matrix), random_state(7)
    scores = np.empty(7)
    score_rows(columns, weights, start[None], scores)
    found = np.empty(20_000)

    for place in range(found.size):
        residuals, at, at_weights = target - scores, start.copy(), weights.copy()
        arguments = (residuals, np.array([precision]), np.array([mean]), state)
        if what == "weight":
            draw_weights(columns, noise, at_weights, *arguments)
        else:
            draw_factor(columns, noise, at, *arguments, np.empty(7))
        # Only the first column's draw has the others where they began.
        found[place] = at_weights[0] if what == "weight" else at[0]

    slope = matrix[:, 0]
    if what == "factor":
        slope = matrix[:, 0] * (matrix[:, 1:] @ start[1:])
    old = weights[0] if what == "weight" else start[0]
    variance = 1 / (noise * slope @ slope + precision)
    centre = variance * (noise * slope @ (target - scores + slope * old) + precision * mean)
    assert stats.kstest(found, stats.norm(centre, variance**0.5).cdf).pvalue > 1e-3
    np.testing.assert_allclose(residuals, target - rescored(columns, at_weights, at), atol=1e-9)


def rescored(columns, weights, factor):
    scores = np.empty(columns.rows.max() + 1)
    score_rows(columns, weights, factor[None], scores)
    return scores


def test_rows_are_scored_as_the_machine_scores_them():
    generator = np.random.default_rng(10)
    matrix = generator.normal(size=(9, 5)) * (generator.random((9, 5)) < 0.6)
    weights, factors = generator.normal(size=5), generator.normal(size=(2, 5))
    scores = np.empty(9)

    score_rows(columns_of(matrix), weights, factors, scores)

    machine = FactorizationMachine(
        0.0, weights.astype(np.float32), factors.T.astype(np.float32), REGRESSOR
    )
    np.testing.assert_allclose(scores, score(rows_of(matrix), machine), atol=1e-5)


def test_cuts_follow_the_shares_of_the_levels():
    # With all scores 0 a cut's posterior is that of a quantile of the noise.
    generator = np.random.default_rng(11)
    labels = generator.choice([1, 2, 3, 4], size=4000, p=[0.1, 0.2, 0.5, 0.2]).astype(np.float32)
    likelihood = OrderedProbit(labels, 3.0, random_state(8), generator)
    scores, targets, seen = np.full(4000, -stats.norm.ppf(0.3)), np.empty(4000), []

    for _ in range(3000):
        likelihood.draw_targets(scores, targets)
        seen.append(likelihood.cuts[1:-1].copy())

    expected = stats.norm.ppf([0.1, 0.3, 0.8]) - stats.norm.ppf(0.3)
    np.testing.assert_allclose(np.mean(seen[500:], axis=0), expected, atol=0.06)
    likes = labels >= 3
    assert (targets[likes] > 0).all()
    assert (targets[~likes] < 0).all()


def test_the_posterior_is_calibrated_under_simulation():
    generator, state = np.random.default_rng(12), random_state(9)
    users, items, rounds, kept = 4, 4, 300, 19
    entities = np.repeat(np.arange(users), items)
    others = np.tile(np.arange(items), users)
    nothing = find_nothing()._replace(groups=np.zeros(0, np.int64))
    prior = Prior(np.eye(2) * 2.0, np.array([0.5, 0.5]), np.empty((0, 2)), np.empty((0, 2)))
    sides = []
    for mine, theirs in ((entities, others), (others, entities)):
        order = np.argsort(mine, kind="stable")
        sides.append(
            Links(np.arange(0, 17, 4), theirs[order].astype(np.int32), order.astype(np.int32))
        )
    ranks = np.empty(rounds)
    for place in range(rounds):
        true = [0.25 + generator.normal(size=(4, 2)) / 2**0.5 for _ in range(2)]
        signal = (true[0][entities, :1] * true[1][others, :1]).sum(axis=1)
        signal += true[0][entities, 1] + true[1][others, 1]
        data = signal + generator.normal(size=signal.size)
        chain = [
            Vectors(own.copy(), own.copy(), np.empty((0, 2)))
            for own in (0.25 + generator.normal(size=(4, 2)) / 2**0.5 for _ in range(2))
        ]
        found = []
        for sweep in range(60 + kept * 12):
            for side in (0, 1):
                draw_side(
                    sides[side],
                    data,
                    1.0,
                    chain[1 - side].totals,
                    nothing,
                    chain[side],
                    prior,
                    np.empty((4, 2, 2)),
                    np.empty((4, 2)),
                    state,
                    with_parts=True,
                )
            if sweep >= 60 and not (sweep - 60) % 12:
                found.append(score_of(chain, 0, 0))
        ranks[place] = np.count_nonzero(np.array(found) < signal[0])

    counts = np.bincount((ranks // 2).astype(int), minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-3


def score_of(chain, user, item):
    first, second = chain[0].totals[user], chain[1].totals[item]
    return first[0] * second[0] + first[1] + second[1]
