"""What a model and its lists reach on the test set."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

from recommender.errors import ShapeMismatchError
from recommender.features import Float64s, Floats, Integers

_CLIP = 1e-15
_THRESHOLD = 0.5
_ROWS_AT_ONCE = 1 << 18
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True)
class Metrics:
    """What a model reaches on the test set; what does not apply to its kind is ``None``.

    A regressor that knows how its ratings become likes has all of them.

    Attributes:
        accuracy: share of the rows whose class at the threshold 0.5 is right.
        cross_entropy: mean of -log of the probability given to the right class, in nats.
        f1: F-measure of the likes at the threshold 0.5; 0 if there are none, in truth or foretold.
        auc: chance that a like is ranked above a non-like, a tie counting half; ``None`` also for
            a test set of one class, where there is nothing to rank.
        rmse: root of the mean squared error, in rating units.
        mae: mean absolute error, in rating units.
    """

    accuracy: float | None = None
    cross_entropy: float | None = None
    f1: float | None = None
    auc: float | None = None
    rmse: float | None = None
    mae: float | None = None

    def as_dict(self) -> dict[str, float]:
        """List the metrics that apply, by name."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in every.items() if value is not None}

    @property
    def loss(self) -> tuple[str, float]:
        """Name and value of the metric that training minimises: lower is better."""
        if self.rmse is not None:
            return "RMSE", self.rmse
        if self.cross_entropy is not None:
            return "cross-entropy", self.cross_entropy
        raise ShapeMismatchError("metrics", "cross_entropy or rmse", sorted(self.as_dict()))


@dataclass(frozen=True)
class RankingMetrics:
    """What lists of recommendations reach on the test set.

    Attributes:
        hit_rate: share of the users whose list holds an item that they like in the test set.
        ndcg: mean normalised discounted cumulative gain of the lists, gain 1 for a like.
        coverage: share of all items that stand in any list.
        users: number of users with a like in the test set, over whom the first two are means.
    """

    hit_rate: float
    ndcg: float
    coverage: float
    users: int

    def as_dict(self) -> dict[str, float]:
        """List the metrics by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def classification_metrics(labels: Floats, probabilities: Floats) -> Metrics:
    """Compare probabilities of a like with what happened.

    Args:
        labels: ``(n,)`` 0 or 1.
        probabilities: ``(n,)`` in [0, 1]; clipped to [1e-15, 1 - 1e-15] for the cross-entropy.

    Returns:
        Accuracy, cross-entropy, F1 and AUC; all NaN if a probability is not a number.

    Raises:
        ShapeMismatchError: the arrays are empty or differ in length.
    """
    _check_lengths("probabilities", labels, probabilities)
    chances = np.asarray(probabilities, np.float64)
    if not bool(np.isfinite(chances).all()):
        return Metrics(accuracy=math.nan, cross_entropy=math.nan, f1=math.nan, auc=math.nan)
    right = both = either = 0
    losses = 0.0
    for rows in _blocks(labels.size):
        liked, foretold = labels[rows] >= _THRESHOLD, chances[rows] >= _THRESHOLD
        right += int(np.count_nonzero(foretold == liked))
        both += int(np.count_nonzero(foretold & liked))
        either += int(np.count_nonzero(foretold)) + int(np.count_nonzero(liked))
        losses += float(np.sum(losses_of(labels[rows], chances[rows], squared=False)))
    return Metrics(
        accuracy=right / labels.size,
        cross_entropy=losses / labels.size,
        f1=2.0 * both / either if either else 0.0,
        auc=_auc(np.asarray(labels) >= _THRESHOLD, chances),
    )


def losses_of(labels: Floats, predictions: Floats, *, squared: bool) -> Float64s:
    """Each row's squared error, or its cross-entropy in nats: ``(n,)``; see the two functions."""
    foretold = np.asarray(predictions, np.float64)
    if squared:
        return np.asarray(np.square(foretold - np.asarray(labels, np.float64)))
    clipped = np.clip(foretold, _CLIP, 1.0 - _CLIP)
    return -np.where(labels >= _THRESHOLD, np.log(clipped), np.log1p(-clipped))


def _blocks(rows: int) -> Iterator[slice]:
    """Cut rows into pieces, of which several arrays at a time take little memory."""
    for first in range(0, rows, _ROWS_AT_ONCE):
        yield slice(first, first + _ROWS_AT_ONCE)


def _auc(liked: npt.NDArray[np.bool_], scores: Float64s) -> float | None:
    """Mann-Whitney's U over the number of pairs: an exact count in whole numbers."""
    likes, others = np.sort(scores[liked]), np.sort(scores[~liked])
    if not likes.size or not others.size:
        return None
    # Of the others, those below each like count twice, those beside it once.
    twice = sum(int(np.searchsorted(others, likes, side).sum()) for side in _SIDES)
    return twice / (2 * likes.size * others.size)


def regression_metrics(ratings: Floats, predictions: Floats) -> Metrics:
    """Compare predicted with given ratings.

    Args:
        ratings: ``(n,)``.
        predictions: ``(n,)``, in the same units.

    Returns:
        RMSE and MAE; NaN or infinite if a prediction is.

    Raises:
        ShapeMismatchError: the arrays are empty or differ in length.
    """
    _check_lengths("predictions", ratings, predictions)
    squares = distances = 0.0
    for rows in _blocks(ratings.size):
        errors = np.asarray(predictions[rows], np.float64) - np.asarray(ratings[rows], np.float64)
        with np.errstate(over="ignore"):
            squares += float(np.sum(np.square(errors)))
            distances += float(np.sum(np.abs(errors)))
    return Metrics(rmse=math.sqrt(squares / ratings.size), mae=distances / ratings.size)


def _check_lengths(what: str, labels: Floats, predictions: Floats | Integers) -> None:
    if labels.ndim != 1 or not labels.size:
        raise ShapeMismatchError("test labels", "one axis, not empty", labels.shape)
    if predictions.shape != labels.shape:
        raise ShapeMismatchError(what, labels.shape, predictions.shape)


def ranking_metrics(
    users: Integers,
    recommended: Integers,
    liked_users: Integers,
    liked_items: Integers,
    n_items: int,
) -> RankingMetrics:
    """Compare lists of recommendations with what users like in the test set.

    Args:
        users: ``(m,)`` numbers of users, none twice.
        recommended: ``(m, n)`` their lists, the best item first, -1 where a list ends.
        liked_users: ``(p,)`` users of the test set's likes.
        liked_items: ``(p,)`` items of the test set's likes. Likes of a user without a list, or of
            an unknown item (-1), are left out.
        n_items: number of items.

    Returns:
        Hit rate and NDCG over the users who have both a list and a like; coverage over all lists.
        All zero if there are none.

    Raises:
        ShapeMismatchError: arrays that belong together differ in length.
    """
    if recommended.ndim != 2 or recommended.shape[0] != users.size:
        raise ShapeMismatchError("lists", f"({users.size}, any)", recommended.shape)
    if liked_users.shape != liked_items.shape:
        raise ShapeMismatchError("liked items", liked_users.shape, liked_items.shape)
    given = recommended[recommended >= 0]
    coverage = np.unique(given).size / n_items if n_items else 0.0
    if not users.size or not recommended.shape[1]:
        return RankingMetrics(0.0, 0.0, coverage, 0)

    order = np.argsort(users)
    row = order[np.minimum(np.searchsorted(users, liked_users, sorter=order), users.size - 1)]
    usable = (users[row] == liked_users) & (liked_items >= 0)
    # One number for each pair of list and item makes "is in the list" one set question.
    liked = np.unique(row[usable] * n_items + liked_items[usable])
    asked = np.bincount(liked // n_items, minlength=users.size) if liked.size else np.zeros(0)
    if not asked.any():
        return RankingMetrics(0.0, 0.0, coverage, 0)
    pairs = np.arange(users.size)[:, None] * n_items + recommended
    hits = np.isin(pairs, liked) & (recommended >= 0)
    discounts = 1.0 / np.log2(np.arange(recommended.shape[1]) + 2.0)
    ideal = np.concatenate((np.zeros(1), np.cumsum(discounts)))
    counted = asked > 0
    best = ideal[np.minimum(asked[counted], recommended.shape[1])]
    return RankingMetrics(
        hit_rate=float(np.mean(hits[counted].any(axis=1))),
        ndcg=float(np.mean((hits[counted] @ discounts) / best)),
        coverage=coverage,
        users=int(np.count_nonzero(counted)),
    )
