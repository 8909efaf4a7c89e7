"""One model against the test set, the baselines and the champion: the whole judgement of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.catalog import CatalogConfig
from recommender.evaluation import (
    Metrics,
    RankingMetrics,
    Verdict,
    classification_metrics,
    item_mean_baseline,
    judge,
    ranking_metrics,
    regression_metrics,
)
from recommender.machine import BINARY_CLASSIFIER
from recommender.ranking import PairModel, SeenItems, popular_lists, top_items
from recommender.vocabulary import Vocabulary

_MOST_RANKED_USERS = 20_000
"""Ranking metrics are means over users: more than these change nothing that anyone could read."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Train and test ratings of a run as user and item numbers: ``(n,)`` and ``(m,)`` arrays.

    ``*_labels`` are what the model learns (0/1 or ratings); ``test_likes`` says which test ratings
    are likes, whatever the labels are.
    """

    train_users: NDArray[np.int64]
    train_items: NDArray[np.int64]
    train_labels: NDArray[np.float32]
    test_users: NDArray[np.int64]
    test_items: NDArray[np.int64]
    test_labels: NDArray[np.float32]
    test_likes: NDArray[np.bool_]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Take the arrays of a run's ``pairs.npz``."""
        integers = {
            name: arrays[name].astype(np.int64, copy=False)
            for name in ("train_users", "train_items", "test_users", "test_items")
        }
        return cls(
            **integers,
            train_labels=arrays["train_labels"].astype(np.float32, copy=False),
            test_labels=arrays["test_labels"].astype(np.float32, copy=False),
            test_likes=arrays["test_likes"].astype(np.bool_, copy=False),
        )


@dataclass(frozen=True, eq=False)
class Champion:
    """The model that serves, with the ids its numbers mean."""

    run_id: str
    vocabulary: Vocabulary
    model: PairModel


@dataclass(frozen=True)
class Assessment:
    """Every figure of an evaluation, and what follows from them."""

    challenger: Metrics
    baseline: Metrics
    champion: Metrics | None
    champion_run: str | None
    ranking: RankingMetrics
    popularity: RankingMetrics
    verdict: Verdict

    def to_dict(self) -> dict[str, object]:
        """For ``metrics.json``."""
        return {
            "challenger": self.challenger.as_dict(),
            "baseline": self.baseline.as_dict(),
            "champion": None if self.champion is None else self.champion.as_dict(),
            "championRunId": self.champion_run,
            "ranking": self.ranking.as_dict(),
            "popularity": self.popularity.as_dict(),
            "verdict": "promoted" if self.verdict.promoted else "rejected",
            "reasons": list(self.verdict.reasons),
        }


def assess(
    model: PairModel,
    vocabulary: Vocabulary,
    pairs: Pairs,
    config: CatalogConfig,
    champion: Champion | None,
) -> Assessment:
    """Judge a model.

    All are scored on the same test set: the challenger, the item means of the train set, and the
    champion by its own vocabulary, in which some users and items may be unknown.
    """
    measure = (
        classification_metrics if model.predictor_type == BINARY_CLASSIFIER else regression_metrics
    )
    predictions = model.predict_pairs(pairs.test_users, pairs.test_items)
    challenger = measure(pairs.test_labels, predictions)
    challenger = _with_likes(challenger, model, predictions, pairs.test_likes)
    means = item_mean_baseline(
        pairs.train_items, pairs.train_labels, pairs.test_items, len(vocabulary.items)
    )
    baseline = measure(pairs.test_labels, means)
    serving = None
    # A champion of the other kind predicts something else: nothing to compare.
    if champion is not None and champion.model.predictor_type == model.predictor_type:
        predictions = _predict_by_id(champion, vocabulary, pairs)
        serving = measure(pairs.test_labels, predictions)
        serving = _with_likes(serving, champion.model, predictions, pairs.test_likes)
    ranking, popularity = _rank(model, pairs, len(vocabulary.items), config)
    return Assessment(
        challenger=challenger,
        baseline=baseline,
        champion=serving,
        champion_run=None if champion is None else champion.run_id,
        ranking=ranking,
        popularity=popularity,
        verdict=judge(challenger, baseline, serving, config.gate_tolerance),
    )


def _with_likes(
    metrics: Metrics,
    model: PairModel,
    predictions: NDArray[np.float64],
    likes: NDArray[np.bool_],
) -> Metrics:
    """Add what a regressor's like-probabilities reach, if it knows how ratings become likes."""
    if model.like_link is None:
        return metrics
    chances = model.like_link.probabilities(predictions)
    of_likes = classification_metrics(likes.astype(np.float32), chances)
    return replace(of_likes, rmse=metrics.rmse, mae=metrics.mae)


def _predict_by_id(champion: Champion, vocabulary: Vocabulary, pairs: Pairs) -> NDArray[np.float64]:
    known_users, known_items = champion.vocabulary.user_numbers, champion.vocabulary.item_numbers
    users = np.array([known_users.get(user, -1) for user in vocabulary.users], dtype=np.int64)
    items = np.array([known_items.get(item, -1) for item in vocabulary.items], dtype=np.int64)
    return champion.model.predict_pairs(users[pairs.test_users], items[pairs.test_items])


def _rank(
    model: PairModel, pairs: Pairs, n_items: int, config: CatalogConfig
) -> tuple[RankingMetrics, RankingMetrics]:
    users = np.unique(pairs.test_users[pairs.test_likes])[:_MOST_RANKED_USERS]
    seen = SeenItems.from_pairs(pairs.train_users, pairs.train_items, model.users)
    threshold = 1.0 if model.predictor_type == BINARY_CLASSIFIER else config.like_threshold
    liked = pairs.train_labels >= threshold
    likes = np.bincount(pairs.train_items[liked], minlength=n_items)
    truth = (pairs.test_users[pairs.test_likes], pairs.test_items[pairs.test_likes])
    personal, _ = top_items(model, users, config.top_n, seen)
    popular = popular_lists(likes, users, config.top_n, seen)
    return (
        ranking_metrics(users, personal, *truth, n_items),
        ranking_metrics(users, popular, *truth, n_items),
    )
