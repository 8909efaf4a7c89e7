"""Hyperpriors of one side: of the entities' own parts, and of their features' parts."""

import numpy as np
from recommender.features import Float64s, Integers

from factorization_machines.gibbs.pairs.vectors import Prior, scatter
from factorization_machines.gibbs.priors import (
    FIRST_PRECISION,
    PSEUDO_COUNT,
    SPREAD,
    draw_normal_gamma,
)


def draw_prior(
    own: Float64s,
    parts: Float64s,
    groups: Integers,
    generator: np.random.Generator,
    *,
    first: bool = False,
) -> Prior:
    """Draw the priors of one side given its parameters.

    The entities' own parts have a normal-Wishart hyperprior with ``k + 2`` degrees of freedom and
    unit scale; the features' parts have a normal-gamma one for each group and place.

    Args:
        own: ``(m, k + 1)`` the entities' own parts.
        parts: ``(f, k + 1)`` the features' parts.
        groups: ``(f,)`` group of each feature.
        generator: where randomness comes from.
        first: the features' parts say nothing yet; their priors are mean 0 and precision 10.

    Returns:
        The draw.

    Source:
        Salakhutdinov and Mnih, *Bayesian probabilistic matrix factorization*, ICML 2008, eq. 14;
        Freudenthaler, Schmidt-Thieme and Rendle, *Bayesian factorization machines*, 2011.
    """
    mean, precision = _draw_normal_wishart(own, generator)
    width, count = own.shape[1], int(groups.max(initial=-1)) + 1
    group_precisions = np.full((count, width), FIRST_PRECISION)
    group_means = np.zeros((count, width))
    if not first:
        for group in range(count):
            group_means[group], group_precisions[group] = draw_normal_gamma(
                parts[groups == group], generator
            )
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
    scatter(own, centre, spread)
    weight = count + PSEUDO_COUNT
    spread += np.outer(centre, centre) * (PSEUDO_COUNT * count / weight)
    spread += np.eye(width) * SPREAD
    # Bartlett: the precision is C T T' C' with C C' the inverse of the scatter.
    triangle = np.tril(generator.standard_normal((width, width)), -1)
    degrees = width + 1 + count - np.arange(width)
    triangle[np.diag_indices(width)] = np.sqrt(generator.chisquare(degrees))
    root = np.einsum("ij,jk->ik", np.linalg.cholesky(np.linalg.inv(spread)), triangle)
    precision = np.einsum("ij,kj->ik", root, root)
    # root^-T has the covariance of one own part.
    noise = np.linalg.solve(root.T, generator.standard_normal(width)) / np.sqrt(weight)
    return centre * (count / weight) + noise, precision
