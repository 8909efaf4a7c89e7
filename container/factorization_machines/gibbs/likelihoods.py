"""Likelihoods: how a score becomes a label, and what a score is worth to the caller.

Each turns labels into the targets of a linear regression with normal noise, given the scores;
so one sampler serves stars, likes and ratings on any scale.
"""

import math
from typing import Protocol

import numpy as np
from recommender.features import Float32s, Float64s

from factorization_machines.compiled.arrays import Int32s
from factorization_machines.compiled.compiling import compiled
from factorization_machines.gibbs.randomness import RandomState, normal_between

# More different labels than this are taken for a continuous scale.
MOST_LEVELS = 20

# Prior standard deviation of a free cut: far from any that data ask for, yet a proper prior.
CUT_SPREAD = 5.0

_SQUARE_ROOT_OF_HALF = math.sqrt(0.5)


class Likelihood(Protocol):
    """What the sampler asks of a likelihood."""

    def draw_targets(self, scores: Float64s, targets: Float64s) -> float:
        """Draw regression targets and own parameters given the scores.

        Args:
            scores: ``(n,)`` scores of the training rows.
            targets: ``(n,)`` filled here.

        Returns:
            The inverse variance of the targets' noise.
        """

    def expected(self, scores: Float64s) -> Float64s:
        """Mean label at each score: a probability of a like, or a rating."""

    def chances(self, scores: Float64s) -> Float64s:
        """Probability of a like at each score."""


class Gaussian:
    """A label is ``centre + scale * score`` plus normal noise, whose variance is drawn."""

    def __init__(
        self, labels: Float32s, like_threshold: float | None, generator: np.random.Generator
    ) -> None:
        """Standardise the labels, so that the hyperpriors' unit scale suits any of them."""
        self._centre = float(np.mean(labels, dtype=np.float64))
        self._scale = float(np.std(labels, dtype=np.float64)) or 1.0
        self._standard = (labels.astype(np.float64) - self._centre) / self._scale
        self._low = None if like_threshold is None else self._cut_below(labels, like_threshold)
        self._generator, self._precision = generator, 1.0

    def _cut_below(self, labels: Float32s, like_threshold: float) -> float:
        """Put the cut half way to the next label below: whole stars round to the nearest."""
        below, above = labels[labels < like_threshold], labels[labels >= like_threshold]
        cut = like_threshold
        if below.size and above.size:
            cut = 0.5 * (float(below.max()) + float(above.min()))
        return (cut - self._centre) / self._scale

    def draw_targets(self, scores: Float64s, targets: Float64s) -> float:
        """Take the labels themselves; draw the noise's inverse variance."""
        targets[:] = self._standard
        error = float(np.square(targets - scores).sum())
        shape = 0.5 * (targets.size + 1)
        self._precision = float(self._generator.gamma(shape) / (0.5 * (error + 1.0)))
        return self._precision

    def expected(self, scores: Float64s) -> Float64s:
        """Give the rating."""
        return self._centre + self._scale * scores

    def chances(self, scores: Float64s) -> Float64s:
        """Give the probability that a noisy rating reaches the threshold."""
        if self._low is None:
            return np.full_like(scores, np.nan)
        found = np.empty_like(scores)
        fill_normal_cdf((scores - self._low) * math.sqrt(self._precision), found)
        return found


class OrderedProbit:
    """A label is the level between whose cuts ``score + standard normal noise`` falls.

    Two levels are probit regression. The cut below the likes is 0 and stays there; the other cuts
    are drawn, from a wide normal prior around it.

    Source:
        Albert and Chib, *Bayesian analysis of binary and polychotomous response data*, JASA 1993.
    """

    def __init__(
        self,
        labels: Float32s,
        like_threshold: float,
        state: RandomState,
        generator: np.random.Generator,
        *,
        predicts_rating: bool = False,
    ) -> None:
        """Begin with the cuts that suit scores of unit variance.

        Args:
            labels: ``(n,)`` of at most 20 levels, the threshold between two of them; or of one.
            like_threshold: labels from here on are likes.
            state: generator of the compiled draws.
            generator: generator of the other draws.
            predicts_rating: ``expected`` is a rating, not a probability of a like.
        """
        levels, numbers = np.unique(labels, return_inverse=True)
        if levels.size < 2:
            # One class alone still needs a cut, which then lies beyond every row.
            numbers = (labels >= like_threshold).astype(np.int64)
            levels = np.array([0.0, 1.0], np.float32)
            like_threshold = 1.0
        self._levels = levels.astype(np.float64)
        self._numbers = numbers.astype(np.int32)
        self._fixed = int(np.searchsorted(levels, like_threshold))
        self._predicts_rating = predicts_rating
        self._state, self._generator = state, generator
        below = np.cumsum(np.bincount(numbers, minlength=levels.size))[:-1] / labels.size
        inner = np.array([_normal_quantile(share) for share in below]) * math.sqrt(2.0)
        self.cuts = np.concatenate([[-np.inf], inner - inner[self._fixed - 1], [np.inf]])
        self._steps = np.full(self.cuts.size, 0.02)
        free = [cut for cut in range(1, levels.size) if cut != self._fixed]
        self._rows_at = {
            cut: np.flatnonzero((numbers == cut - 1) | (numbers == cut)) for cut in free
        }
        self._free, self._turn = free, 0

    def draw_targets(self, scores: Float64s, targets: Float64s) -> float:
        """Move one cut in turn, then draw the noisy scores that the labels stand for."""
        if self._free:
            self._draw_cut(self._free[self._turn % len(self._free)], scores)
            self._turn += 1
        draw_between_cuts(scores, self._numbers, self.cuts, self._state, targets)
        return 1.0

    def _draw_cut(self, cut: int, scores: Float64s) -> None:
        """One Metropolis step with the noise integrated out; only two levels' rows can tell."""
        rows = self._rows_at[cut]
        near, numbers = scores[rows], self._numbers[rows]
        proposed = self.cuts.copy()
        proposed[cut] += self._steps[cut] * self._generator.standard_normal()
        chance = math.log1p(-self._generator.random())
        if not proposed[cut - 1] < proposed[cut] < proposed[cut + 1]:
            return
        gain = log_likelihood(near, numbers, proposed) - log_likelihood(near, numbers, self.cuts)
        gain -= 0.5 * (proposed[cut] ** 2 - self.cuts[cut] ** 2) / CUT_SPREAD**2
        # The step's size settles where about two in five are accepted; its changes die away.
        rate = 1.0 / math.sqrt(10.0 + self._turn / len(self._free))
        accepted = chance < gain
        self._steps[cut] *= math.exp(rate * ((1.0 if accepted else 0.0) - 0.4))
        if accepted:
            self.cuts = proposed

    def expected(self, scores: Float64s) -> Float64s:
        """Mean over the levels, or the probability of a like."""
        if not self._predicts_rating:
            return self.chances(scores)
        total = np.full_like(scores, self._levels[0])
        above = np.empty_like(scores)
        for cut in range(1, self._levels.size):
            fill_normal_cdf(scores - self.cuts[cut], above)
            total += above * (self._levels[cut] - self._levels[cut - 1])
        return total

    def chances(self, scores: Float64s) -> Float64s:
        """Probability that the noisy score exceeds the cut below the likes."""
        found = np.empty_like(scores)
        fill_normal_cdf(scores, found)
        return found


@compiled
def _normal_cdf(value: float) -> float:
    return 0.5 * math.erfc(-value * _SQUARE_ROOT_OF_HALF)


@compiled
def fill_normal_cdf(values: Float64s, out: Float64s) -> None:
    """Standard normal distribution function."""
    for place in range(values.size):
        out[place] = _normal_cdf(values[place])


@compiled
def draw_between_cuts(
    scores: Float64s, numbers: Int32s, cuts: Float64s, state: RandomState, targets: Float64s
) -> None:
    """Draw each row's noisy score, given the level that it fell into."""
    for row in range(scores.size):
        score, number = scores[row], numbers[row]
        targets[row] = score + normal_between(state, cuts[number] - score, cuts[number + 1] - score)


@compiled
def log_likelihood(scores: Float64s, numbers: Int32s, cuts: Float64s) -> float:
    """Log of the chance of all rows' levels given their scores."""
    total = 0.0
    for row in range(scores.size):
        low, high = cuts[numbers[row]] - scores[row], cuts[numbers[row] + 1] - scores[row]
        # On the side where both tails are small, so that their difference keeps its digits.
        if low > 0.0:
            low, high = -high, -low
        total += math.log(max(_normal_cdf(high) - _normal_cdf(low), 1e-300))
    return total


def _normal_quantile(share: float) -> float:
    """Inverse of the normal distribution function, by bisection: exact enough for a start."""
    low, high = -9.0, 9.0
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        if 0.5 * math.erfc(-middle * _SQUARE_ROOT_OF_HALF) < share:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
