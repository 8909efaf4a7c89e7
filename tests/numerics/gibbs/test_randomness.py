"""Random draws of the sampler, against the distributions that they are to have."""

import numpy as np
import pytest
from factorization_machines.gibbs.likelihoods import draw_between_cuts
from factorization_machines.gibbs.pairs.sweeps import draw_normal
from factorization_machines.gibbs.randomness import normal, normal_above, random_state, uniform
from scipy import stats

COUNT = 20_000


def draws_of(draw):
    state = random_state(3)
    return np.array([draw(state) for _ in range(COUNT)])


def test_uniform_draws_are_uniform():
    assert stats.kstest(draws_of(uniform), "uniform").pvalue > 1e-3


def test_normal_draws_are_normal_far_into_the_tails():
    found = draws_of(normal)

    assert stats.kstest(found, "norm").pvalue > 1e-3
    assert np.abs(found).max() > 3.442619855899


@pytest.mark.parametrize("low", [-3.0, 0.0, 0.44, 0.46, 4.0, 12.0])
def test_draws_above_a_bound_have_the_truncated_distribution(low):
    found = draws_of(lambda state: normal_above(state, low))

    assert stats.kstest(found, stats.truncnorm(low, np.inf).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("low", "high"),
    [(-1.0, 2.0), (-0.2, 0.3), (0.5, 0.9), (1.5, 6.0), (-6.0, -1.5), (8.0, 8.1), (-40.0, 40.0)],
)
def test_draws_between_cuts_have_the_truncated_distribution(low, high):
    found = np.empty(COUNT)
    draw_between_cuts(
        np.full(COUNT, 5.0),
        np.ones(COUNT, np.int32),
        np.array([-np.inf, 5 + low, 5 + high, np.inf]),
        random_state(4),
        found,
    )

    assert stats.kstest(found - 5.0, stats.truncnorm(low, high).cdf).pvalue > 1e-3


def test_a_vector_is_drawn_with_the_asked_mean_and_covariance():
    generator = np.random.default_rng(1)
    root = generator.normal(size=(3, 3))
    precision, pull = root @ root.T + np.eye(3), generator.normal(size=3)
    state, found = random_state(5), np.empty((COUNT, 3))

    for out in found:
        draw_normal(precision.copy(), pull.copy(), state, out)

    covariance = np.linalg.inv(precision)
    np.testing.assert_allclose(found.mean(axis=0), covariance @ pull, atol=0.03)
    np.testing.assert_allclose(np.cov(found.T), covariance, atol=0.03)


def test_the_same_seed_gives_the_same_draws_and_other_parts_others():
    assert uniform(random_state(1, 2)) == uniform(random_state(1, 2))
    assert uniform(random_state(1, 2)) != uniform(random_state(2, 2))
