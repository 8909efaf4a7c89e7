"""Hyperpriors: how the sampler learns the spread and the centre of each group of parameters."""

import numpy as np
from recommender.features import Float64s, Integers

from factorization_machines import pair_sweeps
from factorization_machines.pair_sweeps import Prior

# The hyperpriors are weak: they weigh as much as one entity that has this spread.
_PSEUDO_COUNT = 1.0
_SPREAD = 1.0


def draw_prior(
    own: Float64s,
    parts: Float64s,
    groups: Integers,
    old: Prior | None,
    generator: np.random.Generator,
) -> Prior:
    """Draw the priors of one side given its parameters.

    The entities' own parts have a normal-Wishart hyperprior with ``k + 2`` degrees of freedom and
    unit scale; the features' parts have, for each group and place, a gamma hyperprior of the
    inverse variance and a normal one of the mean.

    Args:
        own: ``(m, k + 1)`` the entities' own parts.
        parts: ``(f, k + 1)`` the features' parts.
        groups: ``(f,)`` group of each feature.
        old: the last draw; none: the features' parts begin with mean 0 and precision 10.
        generator: where randomness comes from.

    Returns:
        The draw.

    Source:
        Salakhutdinov and Mnih, *Bayesian probabilistic matrix factorization*, ICML 2008, eq. 14;
        Freudenthaler, Schmidt-Thieme and Rendle, *Bayesian factorization machines*, 2011.
    """
    mean, precision = _draw_normal_wishart(own, generator)
    width, count = own.shape[1], int(groups.max(initial=-1)) + 1
    group_precisions = np.full((count, width), 10.0)
    group_means = np.zeros((count, width))
    if old is not None:
        for group in range(count):
            members = parts[groups == group]
            size = len(members)
            away = np.square(members - old.group_means[group]).sum(axis=0)
            group_precisions[group] = generator.gamma(0.5 * (size + _PSEUDO_COUNT), size=width) / (
                0.5 * (away + _PSEUDO_COUNT * _SPREAD)
            )
            weight = size + _PSEUDO_COUNT
            group_means[group] = members.sum(axis=0) / weight + generator.standard_normal(
                width
            ) / np.sqrt(weight * group_precisions[group])
    return Prior(
        precision,
        np.einsum("ij,j->i", precision, mean),
        group_precisions,
        group_means,
    )


def _draw_normal_wishart(
    own: Float64s, generator: np.random.Generator
) -> tuple[Float64s, Float64s]:
    """Draw mean and precision matrix of the rows of ``own``."""
    count, width = own.shape
    centre = own.mean(axis=0)
    spread = np.empty((width, width))
    pair_sweeps.scatter(own, centre, spread)
    weight = count + _PSEUDO_COUNT
    spread += np.outer(centre, centre) * (_PSEUDO_COUNT * count / weight)
    spread += np.eye(width) * _SPREAD
    # Bartlett: the precision is C T T' C' with C C' the inverse of the scatter.
    triangle = np.tril(generator.standard_normal((width, width)), -1)
    degrees = width + 1 + count - np.arange(width)
    triangle[np.diag_indices(width)] = np.sqrt(generator.chisquare(degrees))
    root = np.einsum("ij,jk->ik", np.linalg.cholesky(np.linalg.inv(spread)), triangle)
    precision = np.einsum("ij,kj->ik", root, root)
    # root^-T has the covariance of one own part.
    noise = np.linalg.solve(root.T, generator.standard_normal(width)) / np.sqrt(weight)
    return centre * (count / weight) + noise, precision
