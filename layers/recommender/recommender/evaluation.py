"""Is the new model good enough? Metrics, baselines, and the verdict of the gate."""

import math
from dataclasses import dataclass, fields

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.features import Float64s, Floats, Integers

_CLIP = 1e-15
_THRESHOLD = 0.5


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


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may serve, and why or why not, in sentences."""

    promoted: bool
    reasons: tuple[str, ...]


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
    liked = np.asarray(labels) >= _THRESHOLD
    if not bool(np.isfinite(chances).all()):
        return Metrics(accuracy=math.nan, cross_entropy=math.nan, f1=math.nan, auc=math.nan)
    foretold = chances >= _THRESHOLD
    clipped = np.clip(chances, _CLIP, 1.0 - _CLIP)
    both = int(np.count_nonzero(foretold & liked))
    either = int(np.count_nonzero(foretold)) + int(np.count_nonzero(liked))
    return Metrics(
        accuracy=float(np.mean(foretold == liked)),
        cross_entropy=float(-np.mean(np.where(liked, np.log(clipped), np.log1p(-clipped)))),
        f1=2.0 * both / either if either else 0.0,
        auc=_auc(liked, chances),
    )


def _auc(liked: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], scores: Float64s) -> float | None:
    """Mann-Whitney's U over the number of pairs, from ranks that ties share."""
    positives = int(np.count_nonzero(liked))
    negatives = liked.size - positives
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (2 * ends - counts + 1) / 2.0
    rank_sum = float(ranks[place.reshape(-1)][liked].sum())
    return (rank_sum - positives * (positives + 1) / 2.0) / (positives * negatives)


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
    errors = np.asarray(predictions, np.float64) - np.asarray(ratings, np.float64)
    with np.errstate(over="ignore"):
        return Metrics(
            rmse=float(np.sqrt(np.mean(np.square(errors)))), mae=float(np.mean(np.abs(errors)))
        )


def _check_lengths(what: str, labels: Floats, predictions: Floats | Integers) -> None:
    if labels.ndim != 1 or not labels.size:
        raise ShapeMismatchError("test labels", "one axis, not empty", labels.shape)
    if predictions.shape != labels.shape:
        raise ShapeMismatchError(what, labels.shape, predictions.shape)


def item_mean_baseline(
    train_items: Integers,
    train_labels: Floats,
    test_items: Integers,
    n_items: int,
    *,
    prior_weight: float = 5.0,
) -> Float64s:
    """Predict each item's mean label, drawn towards the mean of all: knows items, and no user.

    Args:
        train_items: ``(n,)`` numbers of items.
        train_labels: ``(n,)`` labels or ratings.
        test_items: ``(m,)`` numbers of items, -1 for an unknown one.
        n_items: number of items.
        prior_weight: how many labels the mean of all counts for.

    Returns:
        ``(m,)`` predictions: a share of likes, or a rating. An item without a train label is
        predicted the mean of all.

    Raises:
        ShapeMismatchError: there are no train labels, or not one for each item given.
    """
    _check_lengths("train items", train_labels, train_items)
    mean = float(np.mean(train_labels, dtype=np.float64))
    counts = np.bincount(train_items, minlength=n_items)
    sums = np.bincount(train_items, np.asarray(train_labels, np.float64), minlength=n_items)
    means = (sums + prior_weight * mean) / (counts + prior_weight)
    # The unknown item is the last one: -1 finds it.
    return np.asarray(np.append(means, mean)[test_items], np.float64)


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


def judge(
    challenger: Metrics, baseline: Metrics, champion: Metrics | None, tolerance: float
) -> Verdict:
    """Decide whether the challenger may replace the champion.

    Args:
        challenger: the new model on the test set.
        baseline: the item means on the same test set.
        champion: the serving model on the same test set, if there is one.
        tolerance: by which share of the champion's loss the challenger may be worse, such as 0.01.

    Returns:
        Promoted with what it is better than, or not promoted with everything that is wrong.

    Raises:
        ShapeMismatchError: challenger and baseline are of different kinds.
    """
    broken = [name for name, value in challenger.as_dict().items() if not math.isfinite(value)]
    if broken:
        return Verdict(
            promoted=False,
            reasons=tuple(f"The new model's {name} is not finite." for name in broken),
        )
    name, loss = challenger.loss
    baseline_name, baseline_loss = baseline.loss
    if name != baseline_name:
        raise ShapeMismatchError("the baseline's loss", name, baseline_name)
    ours = f"The new model's {name} {loss:.4f} is"
    against, passed = [], []
    if loss < baseline_loss:
        passed.append(f"{ours} better than the item means' {baseline_loss:.4f}.")
    else:
        against.append(f"{ours} not better than the item means' {baseline_loss:.4f}.")
    if champion is None:
        passed.append("No model serves yet.")
        return Verdict(promoted=not against, reasons=tuple(against or passed))
    champion_name, champion_loss = champion.loss
    share = f"{tolerance:.1%}"
    if champion_name != name:
        passed.append(f"The serving model has no {name} to compare with, only {champion_name}.")
    elif not math.isfinite(champion_loss):
        passed.append(f"The serving model's {name} is not finite.")
    elif loss > champion_loss * (1.0 + tolerance):
        against.append(
            f"{ours} more than {share} worse than the serving one's {champion_loss:.4f}."
        )
    elif loss > champion_loss:
        passed.append(f"{ours} at most {share} worse than the serving one's {champion_loss:.4f}.")
    else:
        passed.append(f"{ours} no worse than the serving one's {champion_loss:.4f}.")
    return Verdict(promoted=not against, reasons=tuple(against or passed))
