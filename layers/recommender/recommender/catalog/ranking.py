"""The ranking model's settings: what it is trained with, and how much a rating counts for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from recommender.features import Float32s

_LEAST_WEIGHT, _MOST_WEIGHT = 0.2, 1.0


@dataclass(frozen=True)
class Ranking:
    """How a catalog's ranking model is trained.

    Attributes:
        hyperparameters: what replaces the usual hyperparameters, as SageMaker takes them.
        weights: rating -> how much it counts; none where that follows from the ratings there are.
    """

    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """For a run's plan; the constructor takes it back."""
        return {"hyperparameters": dict(self.hyperparameters), "weights": dict(self.weights)}

    def weigh(self, ratings: Float32s, lowest: float, highest: float) -> Float32s:
        """Tell how much ratings count.

        Args:
            ratings: ``(n,)``.
            lowest: the lowest rating of the catalog.
            highest: its highest.

        Returns:
            ``(n,)`` weights of at least 0. Without a table they go from 0.2 for the lowest rating
            to 1 for the highest, so that one to five stars count a fifth each; where all ratings
            are equal, each counts 1.
        """
        if self.weights:
            table = sorted((float(rating), weight) for rating, weight in self.weights.items())
            places, weights = zip(*table, strict=True)
        elif lowest < highest:
            places, weights = (lowest, highest), (_LEAST_WEIGHT, _MOST_WEIGHT)
        else:
            places, weights = (lowest,), (_MOST_WEIGHT,)
        return np.asarray(np.interp(ratings, places, weights), np.float32)


class RankingSettings(TypedDict, total=False):
    """What the schema lets through."""

    hyperparameters: dict[str, str | float]
    weights: dict[str, float]


def ranking_of(settings: RankingSettings) -> Ranking:
    """Complete what ``config.json`` says with the defaults."""
    return Ranking(
        {name: str(value) for name, value in settings.get("hyperparameters", {}).items()},
        {name: float(value) for name, value in settings.get("weights", {}).items()},
    )
