"""Calibration: make one machine's score say what the whole posterior says.

The posterior's answer at a pair is the mean of all draws' answers, and that is nearer to one
half (or to the mean rating) where less is known. The mean score alone does not know this; a factor
for each user and one for each item does, and a machine times such factors is a machine again.
"""

from dataclasses import dataclass

import numpy as np
from recommender.features import Float64s
from recommender.model.machine import sigmoid

from factorization_machines.compiled.arrays import Int32s

_LEAST_CHANCE = 1e-4
_ROUNDS = 6
# A factor begins at 1 with the weight of this many pairs.
_PRIOR_PAIRS = 4.0


@dataclass(frozen=True)
class Shift:
    """A linear map of scores: ``scale * score + shift``."""

    scale: float
    shift: float


def log_odds(chances: Float64s) -> Float64s:
    """Log-odds of probabilities, which are first kept 1e-4 away from 0 and 1."""
    kept = np.clip(chances, _LEAST_CHANCE, 1.0 - _LEAST_CHANCE)
    return np.asarray(np.log(kept) - np.log1p(-kept), np.float64)


def fit_link(scores: Float64s, chances: Float64s) -> Shift:
    """Find the logistic link: ``sigmoid(scale * score + shift)`` is nearest to ``chances``.

    Nearest in cross-entropy, by Newton's method; scores that are all alike get a scale of 0.

    Args:
        scores: ``(n,)``.
        chances: ``(n,)`` probabilities.

    Returns:
        The map.
    """
    centre, spread = float(scores.mean()), float(scores.std())
    if spread <= 1e-12 * max(1.0, abs(centre)):
        return Shift(0.0, float(log_odds(np.array([chances.mean()]))[0]))
    standard = (scores - centre) / spread
    scale = shift = 0.0
    for _ in range(30):
        found = sigmoid(scale * standard + shift)
        wrong, weight = found - chances, found * (1.0 - found) + 1e-9
        by_scale, by_shift = float((wrong * standard).sum()), float(wrong.sum())
        square = float((weight * np.square(standard)).sum())
        cross, plain = float((weight * standard).sum()), float(weight.sum())
        determinant = square * plain - cross * cross
        move_scale = (plain * by_scale - cross * by_shift) / determinant
        move_shift = (square * by_shift - cross * by_scale) / determinant
        # Newton's step from far away is too long where the sigmoid is flat.
        length = max(abs(move_scale), abs(move_shift))
        damping = min(1.0, 2.0 / length) if length > 0 else 0.0
        scale, shift = scale - damping * move_scale, shift - damping * move_shift
        if length < 1e-10:
            break
    return Shift(scale / spread, shift - scale * centre / spread)


def fit_line(scores: Float64s, targets: Float64s) -> Shift:
    """Find the least squares line of ``targets`` over ``scores``."""
    away = scores - scores.mean()
    square = float(np.square(away).sum())
    scale = float((away * targets).sum()) / square if square > 0 else 0.0
    return Shift(scale, float(targets.mean() - scale * scores.mean()))


def fit_factors(
    users: Int32s,
    items: Int32s,
    scores: Float64s,
    targets: Float64s,
    weights: Float64s,
    sizes: tuple[int, int],
) -> tuple[Float64s, Float64s]:
    """Find a factor for each user and each item: ``c_u * d_i * score`` is nearest to ``target``.

    Args:
        users: ``(n,)`` user of each pair.
        items: ``(n,)`` item of each pair.
        scores: ``(n,)`` scores before.
        targets: ``(n,)`` what they should be.
        weights: ``(n,)`` weights of the squared errors.
        sizes: number of users and of items.

    Returns:
        ``(u,)`` and ``(i,)`` factors, near 1; by alternating least squares, drawn towards 1.
    """
    by_user, by_item = np.ones(sizes[0]), np.ones(sizes[1])
    prior = _PRIOR_PAIRS * float((weights * np.square(scores)).mean())
    if not prior > 0:
        return by_user, by_item
    for _ in range(_ROUNDS):
        scaled = by_item[items] * scores
        by_user = _factors(users, scaled, targets, weights, prior, sizes[0])
        scaled = by_user[users] * scores
        by_item = _factors(items, scaled, targets, weights, prior, sizes[1])
    return by_user, by_item


def _factors(
    entities: Int32s,
    scores: Float64s,
    targets: Float64s,
    weights: Float64s,
    prior: float,
    count: int,
) -> Float64s:
    products = np.bincount(entities, weights * scores * targets, minlength=count)
    squares = np.bincount(entities, weights * np.square(scores), minlength=count)
    return np.asarray((products + prior) / (squares + prior), np.float64)
