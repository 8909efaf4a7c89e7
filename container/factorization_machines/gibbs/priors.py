"""Hyperpriors: how the sampler learns the spread and the centre of each group of parameters."""

import numpy as np
from recommender.features import Float64s, Integers

from factorization_machines.gibbs import pair_sweeps
from factorization_machines.gibbs.pair_sweeps import Prior

# The hyperpriors are weak: they weigh as much as one entity that has this spread.
_PSEUDO_COUNT = 1.0
_SPREAD = 1.0

# Of parts that are all zero still; near zero they would stay there for many sweeps.
FIRST_PRECISION = 10.0


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


def draw_normal_gamma(
    values: Float64s, generator: np.random.Generator
) -> tuple[Float64s, Float64s]:
    """Draw mean and inverse variance of each column, jointly.

    The inverse variance has a gamma hyperprior of shape and rate 1/2; the mean has a normal one
    around 0 with the values' own variance.

    Args:
        values: ``(m, w)`` of which the rows are independent given the draw.
        generator: where randomness comes from.

    Returns:
        ``(w,)`` means and ``(w,)`` inverse variances.
    """
    count, width = values.shape
    weight = count + _PSEUDO_COUNT
    total = values.sum(axis=0)
    centre = total / max(count, 1)
    # The mean is integrated out here: drawn first, it would have to count as one more value.
    away = np.square(values - centre).sum(axis=0) + np.square(total) * (
        _PSEUDO_COUNT / (max(count, 1) * weight)
    )
    precisions = generator.gamma(0.5 * (count + _PSEUDO_COUNT), size=width) / (
        0.5 * (away + _PSEUDO_COUNT * _SPREAD)
    )
    means = total / weight + generator.standard_normal(width) / np.sqrt(weight * precisions)
    return means, precisions


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
