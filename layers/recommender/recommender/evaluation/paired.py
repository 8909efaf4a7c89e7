"""Two models on the same rows: how much worse one is, and whether chance makes as much."""

import math
from dataclasses import dataclass

import numpy as np

from recommender.evaluation.figures import BEYOND_CHANCE, can_tell
from recommender.evaluation.metrics import losses_of
from recommender.features import Floats

_ROWS_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class PairedDifference:
    """By how much a model's loss is higher than another's, as a mean over the same rows.

    Attributes:
        mean: of the difference: in nats, or in squared rating units for RMSE.
        standard_error: of the mean; None for a single row.
        rows: how many there are.
    """

    mean: float
    standard_error: float | None
    rows: int

    @property
    def can_be_told(self) -> bool:
        """Whether there are rows enough to tell chance from a worse model."""
        return can_tell(self.mean, self.standard_error, self.rows)

    @property
    def is_no_chance(self) -> bool:
        """Whether the model is worse, and by more than chance makes."""
        return self.can_be_told and self.mean > BEYOND_CHANCE * (self.standard_error or 0.0)

    def to_dict(self) -> dict[str, object]:
        """For ``metrics.json``."""
        return dict(vars(self))


def paired_difference(
    labels: Floats, ours: Floats, theirs: Floats, *, squared: bool
) -> PairedDifference:
    """Compare two models row by row.

    Args:
        labels: ``(n,)`` what happened: 0 or 1, or ratings.
        ours: ``(n,)`` what the one model foretold: probabilities, or ratings.
        theirs: ``(n,)`` what the other did.
        squared: whether the loss is the squared error; else it is the cross-entropy.
    """
    total = squares = 0.0
    for first in range(0, labels.size, _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        difference = losses_of(labels[rows], ours[rows], squared=squared)
        difference -= losses_of(labels[rows], theirs[rows], squared=squared)
        total += float(np.sum(difference))
        squares += float(np.sum(np.square(difference)))
    n = labels.size
    mean = total / n
    error = None
    if n > 1:
        variance = max(squares - n * mean * mean, 0.0) / (n - 1)
        error = math.sqrt(variance / n)
    return PairedDifference(mean, error, n)
