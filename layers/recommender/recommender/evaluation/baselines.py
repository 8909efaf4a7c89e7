"""What a model must beat: predictions that know nothing of the user."""

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.features import Float64s, Floats, Integers


class ItemMeans:
    """Each item's mean label, drawn towards the mean of all: knows items, and no user."""

    def __init__(self, n_items: int, *, prior_weight: float = 5.0) -> None:
        """Start without labels.

        Args:
            n_items: number of items.
            prior_weight: how many labels the mean of all counts for.
        """
        self._prior_weight = prior_weight
        self._counts, self._sums = np.zeros(n_items, np.int64), np.zeros(n_items)

    def add(self, items: Integers, labels: Floats) -> None:
        """Learn some labels.

        Args:
            items: ``(n,)`` numbers of items.
            labels: ``(n,)`` labels or ratings.

        Raises:
            ShapeMismatchError: there is not one label for each item given.
        """
        if items.shape != labels.shape:
            raise ShapeMismatchError("train items", labels.shape, items.shape)
        self._counts += np.bincount(items, minlength=self._counts.size)
        self._sums += np.bincount(items, np.asarray(labels, np.float64), self._sums.size)

    def predict(self, items: Integers) -> Float64s:
        """Predict labels.

        Args:
            items: ``(m,)`` numbers of items, -1 for an unknown one.

        Returns:
            ``(m,)`` predictions: a share of likes, or a rating. An item without a label is
            predicted the mean of all.

        Raises:
            ShapeMismatchError: nothing was learned.
        """
        if not self._counts.any():
            raise ShapeMismatchError("train labels", "one or more", 0)
        mean = float(self._sums.sum() / self._counts.sum())
        weights = self._counts + self._prior_weight
        means = (self._sums + self._prior_weight * mean) / weights
        # The unknown item is the last one: -1 finds it.
        return np.asarray(np.append(means, mean)[items], np.float64)
