"""A ranking model's lists against the test set, other ways to make lists, and those that serve."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recommender.catalog.config import CatalogConfig
from recommender.dataset.unseen import known_pairs, sampled_users
from recommender.dataset.vocabulary import Vocabulary
from recommender.evaluation.assessment import Champion
from recommender.evaluation.list_metrics import CUTS, Likes, ListMetrics, Raters, list_metrics
from recommender.evaluation.list_verdict import judge_lists
from recommender.evaluation.verdict import Verdict
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
        unseen: the ranking model's lists for users kept out of training, who are folded in from
            four fifths of what they rated; None if there are none to judge by.
        champion_run: the run whose lists serve, if they are a ranking model's.
        verdict: whether the model may make the lists.
    """

    model: PairModel
    methods: Mapping[str, ListMetrics]
    unseen: ListMetrics | None
    champion_run: str | None
    verdict: Verdict

    def to_dict(self) -> dict[str, object]:
        """For ``metrics.json``."""
        return {
            "methods": {name: one.to_dict() for name, one in self.methods.items()},
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
        unseen = _unseen(fold_in, vocabulary, strangers, train, test)
    likes = Likes(test.users[test.likes], test.items[test.likes])
    raters = Raters(train.raters, len(vocabulary.users))
    length = max(config.top_n, *CUTS)
    cuts = sorted({*CUTS, config.top_n})
    seen = train.seen

    def reached(lists: Integers) -> ListMetrics:
        return list_metrics(judged, lists, likes, model.items, cuts=cuts, raters=raters)

    methods = {
        "ranking": reached(top_items(model, judged, length, seen)[0]),
        "popularity": reached(popular_lists(train.likes, judged, length, seen)),
    }
    if like is not None:
        methods["like"] = reached(top_items(like, judged, length, seen)[0])
    if champion is not None:
        serving = _renumbered(champion, vocabulary)
        methods["champion"] = reached(top_items(serving, judged, length, seen)[0])
    verdict = judge_lists(methods, config.top_n, config.gate)
    run = None if champion is None else champion.run_id
    return ListAssessment(model, methods, unseen, run, verdict)


@dataclass(frozen=True, eq=False)
class _Train:
    """What the train side comes to.

    Attributes:
        seen: what the judged users rated.
        of_strangers: what the users kept out rated; row ``r`` is the ``r``-th of them.
        likes: ``(items,)`` likes of each item.
        raters: ``(items,)`` ratings of each item.
    """

    seen: SeenItems
    of_strangers: WeightedItems
    likes: Integers
    raters: Integers


def _look_at_train(
    sides: ListSides, vocabulary: Vocabulary, judged: Integers, strangers: Integers
) -> _Train:
    """Read the train side once."""
    n_users, n_items = len(vocabulary.users), len(vocabulary.items)
    is_judged = np.zeros(n_users, np.bool_)
    is_judged[judged] = True
    likes, raters = np.zeros(n_items, np.int64), np.zeros(n_items, np.int64)
    keys: list[Integers] = [np.zeros(0, np.int64)]

    def looked_at() -> Iterable[tuple[Integers, Integers, Floats]]:
        nonlocal likes, raters
        for part in sides.train():
            likes += np.bincount(part.items[part.likes], minlength=n_items)
            raters += np.bincount(part.items, minlength=n_items)
            some = is_judged[part.users]
            keys.append(part.users[some].astype(np.int64) * n_items + part.items[some])
            yield part.users, part.items, part.weights

    of_strangers = WeightedItems.collected(looked_at(), strangers, n_users)
    seen = SeenItems.from_keys(np.concatenate(keys), n_users, n_items)
    return _Train(seen, of_strangers, likes, raters)


def _unseen(
    fold_in: FoldIn,
    vocabulary: Vocabulary,
    strangers: Integers,
    train: _Train,
    test: WeightedPairs,
) -> ListMetrics | None:
    """Fold strangers in from four fifths of what they rated, and judge by the likes of the rest."""
    row_of = np.full(len(vocabulary.users), -1, np.int64)
    row_of[strangers] = np.arange(strangers.size)
    own = row_of[test.users] >= 0
    given = train.of_strangers
    rows = np.concatenate((np.repeat(np.arange(len(given)), given.counts), row_of[test.users[own]]))
    items = np.concatenate((given.items, test.items[own]))
    weights = np.concatenate((given.weights, test.weights[own]))
    likes = np.concatenate((_liked(given.weights, test), test.likes[own]))
    told = known_pairs(vocabulary, strangers[rows], items)
    known = WeightedItems.from_pairs(rows[told], items[told], weights[told], strangers.size)
    folded = fold_in.model_of(fold_in.users(known))
    rest = ~told & likes
    users = np.unique(rows[rest])
    if not users.size:
        return None
    lists, _ = top_items(folded, users, max(CUTS), known.seen())
    return list_metrics(users, lists, Likes(rows[rest], items[rest]), fold_in.model.items)


def _liked(weights: Floats, test: WeightedPairs) -> Flags:
    """Which weights are those of likes, as far as the test set tells: it has both, or one."""
    least = float(test.weights[test.likes].min(initial=np.inf))
    return np.asarray(weights >= least, np.bool_)


def _renumbered(champion: Champion, vocabulary: Vocabulary) -> PairModel:
    """A model of another run with this run's numbers; whom it does not know has no factors."""
    model = champion.model
    users = champion.vocabulary.user_numbers
    items = champion.vocabulary.item_numbers
    who = np.array([users.get(name, -1) for name in vocabulary.users], np.int64)
    what = np.array([items.get(name, -1) for name in vocabulary.items], np.int64)

    def taken(table: npt.NDArray[np.float32], numbers: Integers) -> npt.NDArray[np.float32]:
        rows = table[numbers]
        rows[numbers < 0] = 0
        return rows

    return replace(
        model,
        user_weights=taken(model.user_weights, who),
        user_factors=taken(model.user_factors, who),
        item_weights=taken(model.item_weights, what),
        item_factors=taken(model.item_factors, what),
    )
