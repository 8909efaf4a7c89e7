"""The ranking model's settings: what it is trained with, and how much a rating counts for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from recommender.features import Float32s

_LEAST_WEIGHT, _MOST_WEIGHT = 0.2, 1.0
_LEAST_WEIGHT_OF_TOTALS = 1e-6


@dataclass(frozen=True)
class Ranking:
    """How a catalog's ranking model is trained.

    Attributes:
        hyperparameters: what replaces the usual hyperparameters, as SageMaker takes them.
        weights: rating -> how much it counts; none where that follows from the ratings there are.
        of_totals: whether there are no ratings, but totals of what users did.
    """

    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    of_totals: bool = False

    def to_dict(self) -> dict[str, object]:
        """For a run's plan; the constructor takes it back."""
        return {
            "hyperparameters": dict(self.hyperparameters),
            "weights": dict(self.weights),
            "of_totals": self.of_totals,
        }

    def weigh(self, ratings: Float32s, lowest: float, highest: float) -> Float32s:
        """Tell how much ratings count.

        Args:
            ratings: ``(n,)``, or totals of as many pairs.
            lowest: the lowest rating of the catalog.
            highest: its highest.

        Returns:
            ``(n,)`` weights of at least 0. Without a table they go from 0.2 for the lowest rating
            to 1 for the highest, so that one to five stars count a fifth each; where all ratings
            are equal, each counts 1.

            A total ``t`` counts ``log2(1 + t)``: 1 for a single event of weight 1, 2 for three of
            them. One that age has brought close to 0 counts a millionth, so that a pair stays one;
            a total of 0 counts 0, an infinite one as a single event.

        Source:
            Confidences that grow with the logarithm of the count: Hu, Koren, Volinsky,
            *Collaborative Filtering for Implicit Feedback Datasets*, ICDM 2008, eq. 6.
        """
        if self.of_totals:
            totals = np.where(np.isinf(ratings), 1, np.maximum(ratings, 0)).astype(np.float64)
            counting = np.maximum(np.log1p(totals) / np.log(2), _LEAST_WEIGHT_OF_TOTALS)
            return np.where(totals > 0, counting, 0).astype(np.float32)
        if self.weights:
            table = sorted((float(rating), weight) for rating, weight in self.weights.items())
            places, weights = zip(*table, strict=True)
        elif lowest < highest:
            places, weights = (lowest, highest), (_LEAST_WEIGHT, _MOST_WEIGHT)
        else:
            places, weights = (lowest,), (_MOST_WEIGHT,)
        return np.asarray(np.interp(ratings, places, weights), np.float32)

    def renewed(self, known: float, fresh: float) -> float:
        """Tell how much a pair counts of which there is news.

        Args:
            known: its weight so far.
            fresh: the weight that the news alone has.

        Returns:
            The weight of both totals together; of ratings the fresh one, which replaces the other.
        """
        if not self.of_totals:
            return fresh
        return known + math.log2(1 + math.expm1(fresh * math.log(2)) * 2**-known)


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
