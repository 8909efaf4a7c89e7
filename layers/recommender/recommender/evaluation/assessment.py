"""One model against the test set, the baselines and the champion: the whole judgement of a run."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recommender.catalog.config import CatalogConfig
from recommender.dataset.vocabulary import Vocabulary
from recommender.evaluation.baselines import ItemMeans
from recommender.evaluation.metrics import (
    Metrics,
    RankingMetrics,
    classification_metrics,
    ranking_metrics,
    regression_metrics,
)
from recommender.evaluation.paired import PairedDifference, paired_difference
from recommender.evaluation.verdict import Verdict, judge
from recommender.features import Float32s, Float64s, Integers
from recommender.model.pair_model import PairModel
from recommender.model.ranking import popular_lists, top_items
from recommender.model.seen_items import SeenItems
from recommender.predictor_types import BINARY_CLASSIFIER

_MOST_RANKED_USERS = 20_000
"""Ranking metrics are means over users: more than these change nothing that anyone could read."""


@dataclass(frozen=True, eq=False)
class RatedPairs:
    """Ratings of one side as user and item numbers: ``(n,)`` each.

    ``labels`` are what the model learns: 0/1 or ratings.
    """

    users: Integers
    items: Integers
    labels: Float32s


@dataclass(frozen=True, eq=False)
class HeldOutPairs(RatedPairs):
    """Ratings to judge by; ``likes`` says which are likes, whatever the labels are."""

    likes: npt.NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Iterable["HeldOutPairs"]) -> "HeldOutPairs":
        """Put parts together, of which there must be one."""
        columns = zip(
            *((one.users, one.items, one.labels, one.likes) for one in parts), strict=True
        )
        users, items, labels, likes = map(np.concatenate, columns)
        return cls(users, items, labels, likes)


@dataclass(frozen=True)
class Sides:
    """The ratings of a run, some at a time: of the train side no more is ever held.

    Attributes:
        train: reads the train side.
        train_rows: how many ratings it has.
        test: reads the test side.
    """

    train: Callable[[], Iterable[RatedPairs]]
    train_rows: int
    test: Callable[[], Iterable[HeldOutPairs]]


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
    difference: PairedDifference | None = None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """For ``metrics.json``."""
        return {
            "challenger": self.challenger.as_dict(),
            "baseline": self.baseline.as_dict(),
            "champion": None if self.champion is None else self.champion.as_dict(),
            "championRunId": self.champion_run,
            "championDifference": self.difference and self.difference.to_dict(),
            "ranking": self.ranking.as_dict(),
            "popularity": self.popularity.as_dict(),
            "verdict": "promoted" if self.verdict.promoted else "rejected",
            "reasons": list(self.verdict.reasons),
            "warnings": list(self.warnings),
        }


def assess(
    model: PairModel,
    vocabulary: Vocabulary,
    sides: Sides,
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
    test = HeldOutPairs.joined(sides.test())
    predictions = model.predict_pairs(test.users, test.items)
    challenger = measure(test.labels, predictions)
    challenger = _with_likes(challenger, model, predictions, test.likes)
    serving = difference = None
    # A champion of the other kind predicts something else: nothing to compare.
    if champion is not None and champion.model.predictor_type == model.predictor_type:
        theirs = _predict_by_id(champion, vocabulary, test)
        serving = measure(test.labels, theirs)
        serving = _with_likes(serving, champion.model, theirs, test.likes)
        squared = model.predictor_type != BINARY_CLASSIFIER
        difference = paired_difference(test.labels, predictions, theirs, squared=squared)
    ranked = np.unique(test.users[test.likes])[:_MOST_RANKED_USERS]
    threshold = 1.0 if model.predictor_type == BINARY_CLASSIFIER else config.like_threshold
    train = _look_at_train(sides, model, ranked, threshold)
    baseline = measure(test.labels, train.means.predict(test.items))
    ranking, popularity = _rank(model, ranked, test, train, config.top_n)
    return Assessment(
        challenger=challenger,
        baseline=baseline,
        champion=serving,
        champion_run=None if champion is None else champion.run_id,
        ranking=ranking,
        popularity=popularity,
        verdict=judge(challenger, baseline, serving, config.gate, ranking, difference),
        difference=difference,
        warnings=tuple(_warnings(challenger, test.likes)),
    )


def _warnings(metrics: Metrics, likes: npt.NDArray[np.bool_]) -> Iterator[str]:
    """Say so of a model that is no better than one answer for everything."""
    if metrics.accuracy is None or not likes.size:
        return
    share = float(likes.mean())
    constant, what = max((share, "a like"), (1 - share, "no like"))
    if metrics.accuracy <= constant:
        yield (
            f"the model's accuracy {metrics.accuracy:.4f} is no better than calling every rating "
            f"{what}, {constant:.4f}. If likes are that common or rare, another "
            "like_threshold in config.json may suit better"
        )


def _with_likes(
    metrics: Metrics,
    model: PairModel,
    predictions: Float64s,
    likes: npt.NDArray[np.bool_],
) -> Metrics:
    """Add what a regressor's like-probabilities reach, if it knows how ratings become likes."""
    if model.like_link is None:
        return metrics
    chances = model.like_link.probabilities(predictions)
    of_likes = classification_metrics(likes.astype(np.float32), chances)
    return replace(of_likes, rmse=metrics.rmse, mae=metrics.mae)


def _predict_by_id(
    champion: Champion, vocabulary: Vocabulary, test: HeldOutPairs
) -> npt.NDArray[np.float64]:
    known_users, known_items = champion.vocabulary.user_numbers, champion.vocabulary.item_numbers
    users = np.array([known_users.get(user, -1) for user in vocabulary.users], dtype=np.int32)
    items = np.array([known_items.get(item, -1) for item in vocabulary.items], dtype=np.int32)
    return champion.model.predict_pairs(users[test.users], items[test.items])


@dataclass(frozen=True, eq=False)
class _TrainFigures:
    """What the train side comes to: its items' means and likes, and what some users rated."""

    means: ItemMeans
    likes: Integers
    seen: SeenItems


def _look_at_train(
    sides: Sides, model: PairModel, ranked: Integers, threshold: float
) -> _TrainFigures:
    """Read the train side once; ``ranked`` are the users whose items are wanted."""
    n_users, n_items = model.users, model.items
    means, likes = ItemMeans(n_items), np.zeros(n_items, np.int64)
    is_ranked = np.zeros(n_users, np.bool_)
    is_ranked[ranked] = True
    keys = np.empty(sides.train_rows, np.int64)  # what is not written to takes no memory
    found = 0
    for part in sides.train():
        means.add(part.items, part.labels)
        likes += np.bincount(part.items[part.labels >= threshold], minlength=n_items)
        some = np.flatnonzero(is_ranked[part.users])
        into = keys[found : found + some.size]
        np.multiply(part.users[some], np.int64(n_items), out=into)
        into += part.items[some]
        found += some.size
    return _TrainFigures(means, likes, SeenItems.from_keys(keys[:found], n_users, n_items))


def _rank(
    model: PairModel, ranked: Integers, test: HeldOutPairs, train: _TrainFigures, top_n: int
) -> tuple[RankingMetrics, RankingMetrics]:
    counted = np.flatnonzero(test.likes & np.isin(test.users, ranked))
    truth = test.users[counted].astype(np.int64), test.items[counted].astype(np.int64)
    personal, _ = top_items(model, ranked, top_n, train.seen)
    popular = popular_lists(train.likes, ranked, top_n, train.seen)
    return (
        ranking_metrics(ranked, personal, *truth, model.items),
        ranking_metrics(ranked, popular, *truth, model.items),
    )
