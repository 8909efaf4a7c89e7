"""Factorization machine arithmetic: weights in, scores out."""

import math
from dataclasses import dataclass

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.features import FeatureRows, Float32s, Float64s, Floats
from recommender.model.objective import ImplicitObjective
from recommender.predictor_types import BINARY_CLASSIFIER, PREDICTOR_TYPES, REGRESSOR

# Numbers of one gathered block of factors: 2**20 float64 are 8 MB, which stays near the cache
# and keeps scoring at a few times that, whatever the number of rows.
_BLOCK_NUMBERS = 1 << 20


@dataclass(frozen=True)
class LikeLink:
    """How the ratings of a regressor become likes: log-odds of one are ``scale * rating + shift``.

    Attributes:
        scale: log-odds a unit of rating.
        shift: log-odds at the rating 0.
    """

    scale: float
    shift: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and math.isfinite(self.shift)):
            raise ShapeMismatchError("like link", "two finite numbers", (self.scale, self.shift))

    def probabilities(self, ratings: Floats) -> Float64s:
        """Tell how likely a like is.

        Args:
            ratings: predicted ratings, any shape.

        Returns:
            Probabilities in [0, 1], same shape, float64.
        """
        with np.errstate(over="ignore"):  # log-odds without end are a certainty
            return sigmoid(self.scale * np.asarray(ratings, np.float64) + self.shift)


@dataclass(frozen=True)
class FactorizationMachine:
    """A second-order factorization machine.

    Attributes:
        bias: the constant term ``w0``.
        linear: ``(d,)`` float32 weight of each column.
        factors: ``(d, k)`` float32 latent factors of each column.
        predictor_type: ``binary_classifier`` or ``regressor``.
        like_link: how ratings become likes, for a regressor that was trained with a threshold.
        objective: what a ranking model minimised, so that users can be folded in.
    """

    bias: float
    linear: Float32s
    factors: Float32s
    predictor_type: str = BINARY_CLASSIFIER
    like_link: LikeLink | None = None
    objective: ImplicitObjective | None = None

    def __post_init__(self) -> None:
        if self.predictor_type not in PREDICTOR_TYPES:
            raise ShapeMismatchError("predictor type", PREDICTOR_TYPES, self.predictor_type)
        if self.like_link is not None and self.predictor_type != REGRESSOR:
            raise ShapeMismatchError("predictor type", REGRESSOR, self.predictor_type)
        if self.linear.ndim != 1:
            raise ShapeMismatchError("linear weights", "one axis", self.linear.shape)
        if self.factors.ndim != 2 or self.factors.shape[0] != self.linear.size:
            raise ShapeMismatchError(
                "factors", f"({self.linear.size}, any rank)", self.factors.shape
            )

    @property
    def dimension(self) -> int:
        """Number of feature columns ``d``."""
        return int(self.linear.size)

    @property
    def rank(self) -> int:
        """Number of factors of a column ``k``."""
        return int(self.factors.shape[1])

    @property
    def is_finite(self) -> bool:
        """Whether every parameter is."""
        parameters = (self.bias, self.linear, self.factors)
        return all(bool(np.isfinite(one).all()) for one in parameters)


def sigmoid(scores: Floats) -> Float64s:
    """Map log-odds to probabilities, without overflow at either end.

    Args:
        scores: log-odds, any shape.

    Returns:
        Probabilities in [0, 1], same shape, float64.
    """
    scores64 = np.asarray(scores, np.float64)
    # exp of a number never above zero cannot overflow; both branches share it.
    decay = np.exp(-np.abs(scores64))
    return np.asarray(np.where(scores64 >= 0, 1.0, decay) / (1.0 + decay), np.float64)


def score(rows: FeatureRows, machine: FactorizationMachine) -> Float64s:
    """Score each row of features, before any link function.

    Args:
        rows: ``n`` rows over ``d`` columns. Each entry is a feature of its own: a column that
            stands twice in a row interacts with itself.
        machine: the weights, over the same ``d`` columns.

    Returns:
        ``(n,)`` float64 raw scores: log-odds for a classifier, rating units for a regressor.

    Raises:
        ShapeMismatchError: rows and machine disagree on ``d``, or the rows are inconsistent.

    Source:
        Rendle, *Factorization Machines*, ICDM 2010, eq. 1 and lemma 3.1: O(k * nnz).
    """
    if rows.dimension != machine.dimension:
        raise ShapeMismatchError("feature columns", machine.dimension, rows.dimension)
    rows.check()
    if rows.width == 2:
        return _score_pairs(rows, machine)
    scores = np.full(len(rows), machine.bias, np.float64)
    entries_a_block = max(1, _BLOCK_NUMBERS // max(1, machine.rank))
    first = 0
    while first < len(rows):
        # As many rows as fit; one row that alone exceeds the block is taken whole.
        limit = rows.offsets[first] + entries_a_block
        last = max(first + 1, int(np.searchsorted(rows.offsets, limit, side="right")) - 1)
        scores[first:last] += _weighted_sums(rows, first, last, machine)
        first = last
    return scores


def _score_pairs(rows: FeatureRows, machine: FactorizationMachine) -> Float64s:
    """Score checked rows of two entries: of their only pair, no difference of squares is needed."""
    pairs = np.empty(len(rows), np.float64)
    left, right = rows.columns[0::2], rows.columns[1::2]
    step = max(1, _BLOCK_NUMBERS // (4 * max(1, machine.rank)))
    for first in range(0, len(rows), step):
        block = slice(first, first + step)
        # The columns are known to exist: to clip them only saves a look at each.
        np.einsum(
            "ij,ij->i",
            machine.factors.take(left[block], axis=0, mode="clip").astype(np.float64),
            machine.factors.take(right[block], axis=0, mode="clip").astype(np.float64),
            out=pairs[block],
        )
    values = rows.values.astype(np.float64)
    linear = machine.linear.take(rows.columns, mode="clip") * values
    pairs *= values[0::2]
    pairs *= values[1::2]
    pairs += linear[0::2]
    pairs += linear[1::2]
    pairs += machine.bias
    return pairs


def _weighted_sums(
    rows: FeatureRows, first: int, last: int, machine: FactorizationMachine
) -> Float64s:
    """Sum the linear and the pairwise terms of rows ``first`` up to ``last``."""
    offsets = rows.offsets[first : last + 1] - rows.offsets[first]
    entries = slice(int(rows.offsets[first]), int(rows.offsets[last]))
    columns, values = rows.columns[entries], rows.values[entries].astype(np.float64)
    linear = machine.linear[columns] * values
    factors = machine.factors[columns] * values[:, None]
    totals = np.zeros(last - first)
    filled = np.flatnonzero(np.diff(offsets))
    if filled.size:
        starts = offsets[filled]
        sums = np.add.reduceat(factors, starts, axis=0)
        squares = np.add.reduceat(np.einsum("ij,ij->i", factors, factors), starts)
        totals[filled] = np.add.reduceat(linear, starts)
        totals[filled] += 0.5 * (np.einsum("ij,ij->i", sums, sums) - squares)
    return totals


def predict(rows: FeatureRows, machine: FactorizationMachine) -> Float64s:
    """Probability of a like for a classifier, the rating itself for a regressor.

    Args:
        rows: ``n`` rows over ``d`` columns.
        machine: the weights, over the same ``d`` columns.

    Returns:
        ``(n,)`` float64.

    Raises:
        ShapeMismatchError: rows and machine disagree on ``d``.
    """
    return link(score(rows, machine), machine.predictor_type)


def link(scores: Float64s, predictor_type: str) -> Float64s:
    """Turn raw scores into what the predictor type promises.

    Args:
        scores: raw scores, any shape.
        predictor_type: ``binary_classifier`` or ``regressor``.

    Returns:
        Probabilities for a classifier; the scores themselves for a regressor.
    """
    return sigmoid(scores) if predictor_type == BINARY_CLASSIFIER else scores
