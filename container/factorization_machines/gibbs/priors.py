"""Hyperpriors of groups: how the sampler learns the centre and the spread of some numbers."""

import numpy as np
from recommender.features import Float64s

# The hyperpriors are weak: they weigh as much as one entity that has this spread.
PSEUDO_COUNT = 1.0
SPREAD = 1.0

# Of parts that are all zero still; near zero they would stay there for many sweeps.
FIRST_PRECISION = 10.0


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
    weight = count + PSEUDO_COUNT
    total = values.sum(axis=0)
    centre = total / max(count, 1)
    # The mean is integrated out here: drawn first, it would have to count as one more value.
    away = np.square(values - centre).sum(axis=0) + np.square(total) * (
        PSEUDO_COUNT / (max(count, 1) * weight)
    )
    precisions = generator.gamma(0.5 * (count + PSEUDO_COUNT), size=width) / (
        0.5 * (away + PSEUDO_COUNT * SPREAD)
    )
    means = total / weight + generator.standard_normal(width) / np.sqrt(weight * precisions)
    return means, precisions
