"""A ranking model's lists against the test set, other ways to make lists, and those that serve."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recommender.catalog.config import CatalogConfig
from recommender.dataset.unseen import known_pairs, known_places, sampled_users
from recommender.dataset.vocabulary import Vocabulary
from recommender.evaluation.assessment import Champion
from recommender.evaluation.figures import Figure, PerUser
from recommender.evaluation.item_to_item import item_to_item_lists, too_many_products
from recommender.evaluation.list_metrics import CUTS, Likes, ListMetrics, Raters, list_metrics
from recommender.evaluation.list_verdict import lists_verdict
from recommender.evaluation.overlap import list_overlap
from recommender.evaluation.renumbering import renumbered
from recommender.evaluation.unseen import UnseenMetrics, UnseenRatings, unseen_metrics
from recommender.evaluation.verdict import Verdict, beside_limits
from recommender.features import Floats, Integers
from recommender.model.fold_in import FoldIn
from recommender.model.pair_model import PairModel
from recommender.model.ranking import popular_lists, top_items
from recommender.model.seen_items import SeenItems, WeightedItems

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class WeightedPairs:
    """Some ratings of one side: users, items, weights, and which are likes, ``(n,)`` each."""

    users: Integers
    items: Integers
    weights: Floats
    likes: Flags


@dataclass(frozen=True)
class ListSides:
    """The ratings of a run as lists need them; of the train side a few at a time are held.

    Attributes:
        train: reads the train side.
        test: reads the test side.
    """

    train: Callable[[], Iterable[WeightedPairs]]
    test: WeightedPairs


@dataclass(frozen=True, eq=False)
class ListAssessment:
    """What the lists of a ranking model reach, beside others on the same users.

    Attributes:
        model: the ranking model, into which users kept out of its training are folded.
        methods: the method's name -> what its lists reach; ``ranking`` and ``popularity`` always.
        overlap: the method's name -> how much its lists have in common with the ranking model's.
        unseen: what users kept out of training get who are folded in; None if nobody was.
        notes: what was left out, in sentences.
        champion_run: the run whose lists serve, if they are a ranking model's.
        verdict: whether the model may make the lists.
    """

    model: PairModel
    methods: Mapping[str, ListMetrics]
    overlap: Mapping[str, Figure]
    unseen: UnseenMetrics | None
    notes: Sequence[str]
    champion_run: str | None
    verdict: Verdict

    def to_dict(self) -> dict[str, object]:
        """For ``metrics.json``."""
        return {
            "methods": {name: one.to_dict() for name, one in self.methods.items()},
            "overlap": {name: one.to_dict() for name, one in self.overlap.items()},
            "notes": list(self.notes),
            "unseen": None if self.unseen is None else self.unseen.to_dict(),
            "championRunId": self.champion_run,
        }


def assess_lists(
    model: PairModel,
    vocabulary: Vocabulary,
    sides: ListSides,
    kept_out: Flags,
    config: CatalogConfig,
    champion: Champion | None,
    like: PairModel | None,
) -> ListAssessment:
    """Judge a ranking model by its lists.

    Args:
        model: the ranking model.
        vocabulary: the ids that its numbers mean.
        sides: what it learned from, and what was kept to judge by.
        kept_out: ``(users,)`` who was kept out of its training.
        config: the catalog's settings.
        champion: the ranking model that serves, if one does.
        like: the run's like model, whose lists are told beside the others.
    """
    test = sides.test
    judged = sampled_users(vocabulary, test.users[test.likes])
    strangers = np.flatnonzero(kept_out)
    train = _look_at_train(sides, vocabulary, judged, strangers)
    fold_in = None if model.objective is None else FoldIn.of(model)
    unseen = None
    if fold_in is not None and strangers.size:
        folded = fold_in.users(train.of_strangers)
        factors = model.user_factors.copy()
        factors[strangers] = folded.vectors
        model = replace(model, user_factors=factors)
        ratings = _everything_of(strangers, vocabulary, train, test)
        unseen = unseen_metrics(fold_in, ratings, train.likes)
    lists, notes = _lists(model, judged, train, max(config.top_n, *CUTS), like)
    served: PerUser | None = None
    likes = Likes(test.users[test.likes], test.items[test.likes])
    raters = Raters(train.raters, len(vocabulary.users))
    cuts = sorted({*CUTS, config.top_n})
    if champion is not None:
        serving, known = renumbered(champion.model, champion.vocabulary, vocabulary)
        lists["champion"] = top_items(serving, judged, max(cuts), train.seen)[0]
    methods = {
        name: list_metrics(judged, one, likes, model.items, cuts=cuts, raters=raters)
        for name, one in lists.items()
    }
    if champion is not None:
        served = methods["champion"].per_user.among(known)
    verdict = lists_verdict(
        methods["ranking"].per_user,
        methods["popularity"].per_user,
        served,
        length=config.top_n,
        tolerance=config.gate.tolerance,
    )
    limits = beside_limits(
        figures_of(methods["ranking"], config.top_n), config.gate.of_lists(), "lists'"
    )
    return ListAssessment(
        model,
        methods,
        {name: list_overlap(lists["ranking"], one) for name, one in lists.items()},
        unseen,
        notes,
        None if champion is None else champion.run_id,
        verdict.also(limits),
    )


def figures_of(metrics: ListMetrics, top_n: int) -> dict[str, float]:
    """What lists of one length reach, by the names of the gate's limits."""
    return {
        "hit_rate": metrics.figure(f"hit_rate@{top_n}").mean,
        "ndcg": metrics.figure(f"ndcg@{top_n}").mean,
        "coverage": metrics.coverage[top_n],
        "users": metrics.users,
    }


def _lists(
    model: PairModel, judged: Integers, train: "_Train", length: int, like: PairModel | None
) -> tuple[dict[str, Integers], list[str]]:
    """Make the judged users' lists in each way, and say which was left out."""
    lists = {
        "ranking": top_items(model, judged, length, train.seen)[0],
        "popularity": popular_lists(train.likes, judged, length, train.seen),
    }
    if like is not None:
        lists["like"] = top_items(like, judged, length, train.seen)[0]
    problem = too_many_products(train.of_judged, judged.size)
    if problem is None:
        lists["item-to-item"] = item_to_item_lists(
            train.of_judged, train.of_judged, model.items, length
        )
    return lists, [] if problem is None else [problem]


def _everything_of(
    strangers: Integers, vocabulary: Vocabulary, train: "_Train", test: WeightedPairs
) -> UnseenRatings:
    """All that users rated who were kept out of the training."""
    is_stranger = np.zeros(len(vocabulary.users), np.bool_)
    is_stranger[strangers] = True
    own = is_stranger[test.users] & (test.weights > 0)
    given = train.of_strangers
    users = np.concatenate((np.repeat(strangers, given.counts), test.users[own])).astype(np.int64)
    items = np.concatenate((given.items, test.items[own])).astype(np.int64)
    weights = np.concatenate((given.weights, test.weights[own]))
    likes = np.concatenate((given.weights >= train.like_weight, test.likes[own]))
    return UnseenRatings(
        users,
        items,
        weights,
        likes,
        known_places(vocabulary, users, items),
        known_pairs(vocabulary, users, items),
    )


@dataclass(frozen=True, eq=False)
class _Train:
    """What the train side comes to.

    Attributes:
        of_judged: what the judged users rated; row ``r`` is the ``r``-th of them.
        of_strangers: what the users kept out rated, likewise.
        seen: what the judged users rated, by the users' own numbers.
        likes: ``(items,)`` likes of each item.
        raters: ``(items,)`` ratings of each item.
        like_weight: how much the smallest like counts.
    """

    of_judged: WeightedItems
    of_strangers: WeightedItems
    seen: SeenItems
    likes: Integers
    raters: Integers
    like_weight: float


def _look_at_train(
    sides: ListSides, vocabulary: Vocabulary, judged: Integers, strangers: Integers
) -> _Train:
    """Read the train side once. Of strangers, ratings that teach nothing are not looked at."""
    n_users, n_items = len(vocabulary.users), len(vocabulary.items)
    likes, raters = np.zeros(n_items, np.int64), np.zeros(n_items, np.int64)
    wanted = np.zeros(n_users, np.bool_)
    wanted[judged] = wanted[strangers] = True
    least = np.inf
    kept: list[tuple[Integers, Integers, Floats]] = []
    for part in sides.train():
        likes += np.bincount(part.items[part.likes], minlength=n_items)
        raters += np.bincount(part.items, minlength=n_items)
        least = min(least, float(part.weights[part.likes].min(initial=np.inf)))
        some = wanted[part.users]
        kept.append((part.users[some], part.items[some], part.weights[some]))
    of_judged = WeightedItems.collected(kept, judged, n_users)
    counting = [
        (users[weights > 0], items[weights > 0], weights[weights > 0])
        for users, items, weights in kept
    ]
    of_strangers = WeightedItems.collected(counting, strangers, n_users)
    offsets = np.zeros(n_users + 1, np.int64)
    offsets[judged + 1] = of_judged.counts
    seen = SeenItems(np.cumsum(offsets), of_judged.items)
    return _Train(of_judged, of_strangers, seen, likes, raters, least)
