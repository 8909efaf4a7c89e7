"""The whole sampler, calibrated by simulation: hyperpriors, every likelihood, both kinds of rows.

Parameters are drawn from the prior, labels from the parameters. Then the parameters are one more
draw of the posterior given those labels, so their ranks among the sampler's draws are uniform
(Talts et al., *Validating Bayesian inference algorithms with simulation-based calibration*, 2018).
This holds among the labels of any kind that are picked, such as those in which all levels occur. A
chain begins at the simulated parameters, where a right sampler is in its posterior at once.
"""

import numpy as np
import pytest
from factorization_machines.fields import find_pairs
from factorization_machines.gibbs.likelihoods import CUT_SPREAD, Gaussian, OrderedProbit
from factorization_machines.gibbs.pairs.priors import draw_prior
from factorization_machines.gibbs.pairs.sampler import PairSampler
from factorization_machines.gibbs.priors import draw_normal_gamma
from factorization_machines.gibbs.randomness import random_state
from factorization_machines.gibbs.rows import sampler as row_sampler
from scipy import stats

from testbed.numerics.matrices import rows_of

USERS, ITEMS, TIMES, RANK = 5, 4, 3, 1
WIDTH = RANK + 1
DATA_SETS, KEPT, APART = 160, 7, 10
LEVELS = {"probit": 2, "ordered probit": 4}
LIKED = {"probit": 1, "ordered probit": 2}


def normal_gamma(generator, count, width):
    precision = generator.gamma(0.5, 2.0, width)
    mean = generator.normal(size=width) / precision**0.5
    return mean + generator.normal(size=(count, width)) / precision**0.5


def normal_wishart(generator, count):
    """Vectors around a mean, all with one precision matrix: W(I, WIDTH + 1), by Bartlett."""
    root = np.tril(generator.normal(size=(WIDTH, WIDTH)), -1)
    root += np.diag(generator.chisquare(WIDTH + 1 - np.arange(WIDTH)) ** 0.5)
    noise = np.linalg.solve(root.T, generator.normal(size=(WIDTH, count + 1))).T
    return noise[0] + noise[1:]


class Labels:
    """Simulates labels for scores, and makes the likelihood that is to explain them."""

    def __init__(self, kind, generator, state):
        self.kind, self.generator, self.state = kind, generator, state
        self.precision = generator.gamma(0.5, 2.0)
        self.cuts = np.zeros(0)
        if kind != "gaussian":
            liked = LIKED[kind]
            sides = np.abs(generator.normal(size=LEVELS[kind] - 1) * CUT_SPREAD)
            self.cuts = np.sort(np.concatenate([-sides[: liked - 1], [0.0], sides[liked:]]))

    def draw(self, scores):
        noise = self.generator.normal(size=scores.size)
        if self.kind == "gaussian":
            return scores + noise / self.precision**0.5
        return np.searchsorted(self.cuts, scores + noise).astype(float)

    def are_picked(self, labels):
        """Tell whether equal rows differ often enough in their labels.

        Where they never do, scores may be anything large, and no chain gets around there.
        """
        if self.kind == "gaussian":
            return np.abs(labels).max() < 50
        likes = (labels >= LIKED[self.kind]).reshape(TIMES, -1)
        torn = likes.any(axis=0) & ~likes.all(axis=0)
        return torn.mean() > 0.3 and np.unique(labels).size == LEVELS[self.kind]

    def likelihood(self, labels):
        labels = labels.astype(np.float32)
        if self.kind == "gaussian":
            found = Gaussian(labels, None, self.generator)
            # The labels are on the scale of the scores already.
            found._standard = labels.astype(np.float64)
            found._precision = self.precision
            return found
        found = OrderedProbit(labels, float(LIKED[self.kind]), self.state, self.generator)
        found.cuts[1:-1] = self.cuts
        found._steps[:] = 0.7
        return found


def check_uniform(ranks):
    """Each column of ``ranks`` lies evenly in 0 to KEPT."""
    for column in ranks.T:
        counts = np.bincount(column // 2, minlength=(KEPT + 1) // 2)
        assert stats.chisquare(counts).pvalue > 1e-4, counts


def ranks_of(sampler, watch):
    """Rank what is watched at the start among what is watched later."""
    true = np.array(watch(sampler))
    found = np.empty((KEPT, true.size))
    for draw in found:
        for _ in range(APART):
            sampler.sweep()
        draw[:] = watch(sampler)
    return np.count_nonzero(found < true, axis=0)


def watched_of_pairs(sampler):
    vectors = sampler._users.vectors
    return [
        sampler.scores[0],
        sampler.scores.std(),
        np.square(vectors.parts).sum(),
        np.square(vectors.own).sum(),
        *watched_of_likelihood(sampler._likelihood),
    ]


def watched_of_rows(sampler):
    return [
        sampler.scores[0],
        sampler.scores.std(),
        np.square(sampler._weights).sum(),
        np.square(sampler._factors).sum(),
        *watched_of_likelihood(sampler._likelihood),
    ]


def watched_of_likelihood(likelihood):
    """The likelihood's own parameters, if it draws any."""
    if isinstance(likelihood, Gaussian):
        return [likelihood._precision]
    return [likelihood.cuts[cut] for cut in likelihood._free]


# The hyperpriors' own draws, against their textbook marginals.


def test_a_groups_mean_and_precision_are_drawn_from_their_normal_gamma_posterior():
    generator = np.random.default_rng(28)
    values = np.array([[1.5, -0.2], [2.5, 0.1], [4.0, 0.0]])

    draws = np.array([draw_normal_gamma(values, generator) for _ in range(4000)])

    for place, (mean, square) in enumerate(zip(values.sum(0) / 4, (values**2).sum(0), strict=True)):
        # One value of 0 joins the others; half a degree of freedom and half a square are given.
        rate = 0.5 * (1.0 + square - 4 * mean**2)
        gamma = stats.gamma(2.0, scale=1 / rate)
        student = stats.t(4.0, mean, (rate / (2.0 * 4)) ** 0.5)
        assert stats.kstest(draws[:, 1, place], gamma.cdf).pvalue > 1e-3
        assert stats.kstest(draws[:, 0, place], student.cdf).pvalue > 1e-3


def test_the_entities_mean_and_precision_are_drawn_from_their_normal_wishart_posterior():
    generator = np.random.default_rng(29)
    own = np.array([[1.0, 0.5], [2.0, -0.5], [0.0, 1.0]])
    nothing = np.zeros((0, WIDTH)), np.zeros(0, np.int64)

    draws = [draw_prior(own, *nothing, generator) for _ in range(4000)]

    # Scatter around the mean of the three values and one of 0; 3 degrees and three more.
    centre = own.sum(axis=0) / 4
    scatter = np.eye(WIDTH) + own.T @ own - 4 * np.outer(centre, centre)
    scale = np.linalg.inv(scatter)
    degrees = WIDTH + 1 + 3
    for direction in np.array([[1.0, 0.0], [0.0, 1.0], [0.6, -0.8]]):
        found = [direction @ draw.precision @ direction for draw in draws]
        wanted = stats.chi2(degrees, scale=direction @ scale @ direction)
        assert stats.kstest(found, wanted.cdf).pvalue > 1e-3
        means = [direction @ np.linalg.solve(draw.precision, draw.pull) for draw in draws]
        free = degrees - WIDTH + 1
        spread = (direction @ scatter @ direction / (4 * free)) ** 0.5
        wanted = stats.t(free, direction @ centre, spread)
        assert stats.kstest(means, wanted.cdf).pvalue > 1e-3


# The whole sampler.


@pytest.mark.parametrize("kind", ["gaussian", "probit", "ordered probit"])
def test_pairs_with_features_are_calibrated(kind):
    generator, state = np.random.default_rng(30), random_state(30)
    entities, others = np.divmod(np.tile(np.arange(USERS * ITEMS), TIMES), ITEMS)
    design = np.array([[1.0, 0.0], [0.5, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    one_hot = np.hstack([np.eye(USERS)[entities], np.eye(ITEMS)[others]])
    pairs = find_pairs(rows_of(np.hstack([one_hot, design[entities]])), (USERS, ITEMS, 2))
    ranks = []
    while len(ranks) < DATA_SETS:
        labels = Labels(kind, generator, state)
        own = normal_wishart(generator, USERS)
        parts = normal_gamma(generator, 2, WIDTH)
        users, items = own + design @ parts, normal_wishart(generator, ITEMS)
        signal = (users[entities, :RANK] * items[others, :RANK]).sum(axis=1)
        signal += users[entities, RANK] + items[others, RANK]
        seen = labels.draw(signal)
        if not labels.are_picked(seen):
            continue
        sampler = PairSampler(pairs, labels.likelihood(seen), RANK, 1, state, generator)
        sides = sampler._users, sampler._items
        for side, total in zip(sides, (users, items), strict=True):
            side.vectors.totals[:], side.vectors.own[:] = total, total
            side._sweeps = 2  # the first sweep would not look at the parts
        sides[0].vectors.own[:], sides[0].vectors.parts[:] = own, parts
        sampler.scores[:] = signal

        ranks.append(ranks_of(sampler, watched_of_pairs))

    check_uniform(np.array(ranks))


@pytest.mark.parametrize("kind", ["gaussian", "probit", "ordered probit"])
def test_rows_of_any_shape_are_calibrated(kind, monkeypatch):
    monkeypatch.setattr(row_sampler, "BIAS_PRECISION", 1.0)
    generator, state = np.random.default_rng(31), random_state(31)
    matrix = generator.normal(size=(25, 5)) * (generator.random((25, 5)) < 0.7)
    matrix = np.tile(matrix, (TIMES, 1))
    ranks = []
    while len(ranks) < DATA_SETS:
        labels = Labels(kind, generator, state)
        bias = generator.normal()
        places = normal_gamma(generator, 3, WIDTH), normal_gamma(generator, 2, WIDTH)
        factors, weights = np.split(np.concatenate(places).T, [RANK])
        inner = matrix @ factors.T
        squares = matrix**2 @ factors.T**2
        signal = bias + matrix @ weights[0] + 0.5 * (inner**2 - squares).sum(axis=1)
        seen = labels.draw(signal)
        if not labels.are_picked(seen):
            continue
        sampler = row_sampler.RowSampler(
            rows_of(matrix), (3, 2), labels.likelihood(seen), RANK, state, generator
        )
        sampler._weights[:], sampler._factors[:], sampler._bias = weights[0], factors, bias
        sampler.scores[:] = signal

        ranks.append(ranks_of(sampler, watched_of_rows))

    check_uniform(np.array(ranks))
