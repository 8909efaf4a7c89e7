"""Rows of figures: how good a fit is, and how the times of two sides compare."""

import statistics

import numpy as np
import numpy.typing as npt
from recommender.evaluation.metrics import classification_metrics

from bench.movielens import Booleans

FIGURES = ("log_loss", "accuracy", "auc", "rmse", "fit_s", "peak_mb")
Row = dict[str, object]


def quality(likes: Booleans, chances: npt.ArrayLike) -> dict[str, float | None]:
    """How good ``(n,)`` probabilities of likes are, beside the ``(n,)`` likes."""
    found = np.asarray(chances, np.float64)
    metrics = classification_metrics(likes.astype(np.float32), found)
    return {"log_loss": metrics.cross_entropy, "accuracy": metrics.accuracy, "auc": metrics.auc}


def ratio_of_medians(pairs: list[tuple[Row, Row]]) -> float | None:
    """Quotient of the median times of the first and the second of each pair.

    Who did not get there counts as slower than all who did; none if most did not.
    """
    medians = []
    for side in (0, 1):
        times = [pair[side]["fit_s"] for pair in pairs]
        medians.append(
            statistics.median(time if isinstance(time, float) else float("inf") for time in times)
        )
    return None if float("inf") in medians else round(medians[0] / medians[1], 4)
