"""What a ranking model reaches for users whom its training never saw.

Such users are folded in from a part of what they rated; the lists are judged by the rest. That is
what new users, sessions without an account and ratings given a second ago get.

Source:
    Liang, Krishnan, Hoffman, Jebara, *Variational Autoencoders for Collaborative Filtering*, WWW
    2018, section 4.2: strong generalisation, four fifths of a user's ratings known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recommender.errors import ShapeMismatchError
from recommender.evaluation.figures import Figure, paired_ratio
from recommender.evaluation.list_metrics import CUTS, Likes, ListMetrics, list_metrics
from recommender.features import Floats, Integers
from recommender.model.fold_in import FoldIn
from recommender.model.pair_model import PairModel
from recommender.model.ranking import popular_lists, top_items
from recommender.model.seen_items import WeightedItems

FEW: Sequence[int] = (3, 5, 10)
"""How many likes are known of users of whom little is known."""


@dataclass(frozen=True, eq=False)
class UnseenRatings:
    """Everything that the users rated who were kept out of a training; ``(n,)`` each.

    Attributes:
        users: numbers of users, in the vocabulary.
        items: numbers of items.
        weights: what the ranking model's training makes of the ratings.
        likes: which of them are likes.
        places: the place of each rating in its user's shuffled ratings, see
            `recommender.dataset.unseen.known_places`: what is told first.
        known: which of them are told; the likes among the others are what lists are judged by.
    """

    users: Integers
    items: Integers
    weights: Floats
    likes: npt.NDArray[np.bool_]
    places: Integers
    known: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name, column in vars(self).items():
            if column.shape != self.users.shape:
                raise ShapeMismatchError(f"{name} of ratings", self.users.shape, column.shape)

    @property
    def judged_users(self) -> Integers:
        """The users who have a like to be judged by, ascending."""
        return np.unique(self.users[self.wanted])

    @property
    def wanted(self) -> npt.NDArray[np.bool_]:
        """``(n,)`` which of the ratings lists are judged by."""
        return ~self.known & self.likes

    def told(self, users: Integers, chosen: npt.NDArray[np.bool_]) -> WeightedItems:
        """The chosen ratings of some users, a row for each.

        Args:
            users: ``(m,)`` numbers of users, ascending.
            chosen: ``(n,)`` which ratings.
        """
        if not users.size:
            return WeightedItems(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))
        rows = np.minimum(np.searchsorted(users, self.users), users.size - 1)
        chosen = chosen & (users[rows] == self.users)
        return WeightedItems.from_pairs(
            rows[chosen], self.items[chosen], self.weights[chosen], users.size
        )

    def first_likes(self, count: int) -> npt.NDArray[np.bool_]:
        """Which ratings are the first known likes of each user.

        Args:
            count: how many of each user.

        Returns:
            ``(n,)``; nothing of a user who has fewer.
        """
        likes = np.flatnonzero(self.known & self.likes)
        likes = likes[np.lexsort((self.places[likes], self.users[likes]))]
        _, begins, counts = np.unique(self.users[likes], return_index=True, return_counts=True)
        rank = np.arange(likes.size) - np.repeat(begins, counts)
        chosen = np.zeros(self.users.shape, np.bool_)
        chosen[likes[(rank < count) & (np.repeat(counts, counts) >= count)]] = True
        return chosen


@dataclass(frozen=True, eq=False)
class UnseenMetrics:
    """What lists for unseen users reach.

    Attributes:
        folded: with all that is told of them known.
        popular: the most liked items, for the same users.
        few: number of known likes -> the lists made of these alone, for the users who have as
            many. What else was told of a user is left out of the list all the same, so that the
            same items are to be found.
    """

    folded: ListMetrics
    popular: ListMetrics
    few: Mapping[int, ListMetrics]

    def to_dict(self) -> dict[str, object]:
        """For a file."""
        return {
            "folded_in": self.folded.to_dict(),
            "popularity": self.popular.to_dict(),
            "few_known": {str(count): metrics.to_dict() for count, metrics in self.few.items()},
        }


def unseen_metrics(
    fold: FoldIn,
    ratings: UnseenRatings,
    item_likes: Integers,
    *,
    cuts: Sequence[int] = CUTS,
    few: Sequence[int] = FEW,
) -> UnseenMetrics:
    """Fold users in who were kept out of the training, and judge their lists.

    Args:
        fold: a ranking model that none of the users took part in.
        ratings: what they rated.
        item_likes: ``(I,)`` number of likes of each item in train.
        cuts: lengths at which lists are judged.
        few: numbers of known likes to judge by alone as well.

    Raises:
        ShapeMismatchError: an item's number is outside.
    """
    users, longest = ratings.judged_users, max(cuts)
    told = ratings.told(users, ratings.known)
    likes = Likes(ratings.users[ratings.wanted], ratings.items[ratings.wanted])
    rows, n_items = np.arange(users.size), fold.model.items

    def judged(some: Integers, lists: Integers) -> ListMetrics:
        return list_metrics(some, lists, likes, n_items, cuts=cuts)

    by_count: dict[int, ListMetrics] = {}
    for count in few:
        given = ratings.told(users, ratings.first_likes(count))
        have = np.flatnonzero(given.counts)
        lists, _ = top_items(fold.model_of(fold.users(given)), have, longest, told.seen())
        by_count[count] = judged(users[have], lists)
    lists, _ = top_items(fold.model_of(fold.users(told)), rows, longest, told.seen())
    popular = popular_lists(item_likes, rows, longest, told.seen())
    return UnseenMetrics(judged(users, lists), judged(users, popular), by_count)


def trained_metrics(
    model: PairModel, ratings: UnseenRatings, *, cuts: Sequence[int] = CUTS
) -> ListMetrics:
    """Judge the same users' lists by a model that was trained with what is told of them.

    Args:
        model: a ranking model whose training had the known ratings, not the others.
        ratings: what they rated.
        cuts: lengths at which lists are judged.
    """
    users = ratings.judged_users
    told = ratings.told(users, ratings.known)
    own = replace(
        model, user_weights=model.user_weights[users], user_factors=model.user_factors[users]
    )
    lists, _ = top_items(own, np.arange(users.size), max(cuts), told.seen())
    likes = Likes(ratings.users[ratings.wanted], ratings.items[ratings.wanted])
    return list_metrics(users, lists, likes, model.items, cuts=cuts)


def share_of_trained(folded: ListMetrics, trained: ListMetrics, name: str) -> Figure:
    """Which share of what training with a user reaches folding in reaches, on the same users.

    Args:
        folded: lists of users who were folded in.
        trained: lists of the same users by a model that was trained with them.
        name: the metric, such as ``ndcg@10``.
    """
    return paired_ratio(folded.per_user, trained.per_user, name)
