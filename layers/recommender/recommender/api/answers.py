"""What a run answers, as values ready for JSON: the same words in the API and in batch files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

import numpy as np

from recommender.api.queries import RecommendationRequest
from recommender.catalog.side_features import SideFeatures
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import InvalidRequestError
from recommender.features import Float32s, Float64s, Integers
from recommender.model.fold_in import FoldIn
from recommender.model.machine import link as linked
from recommender.model.pair_model import PairModel
from recommender.model.ranking import popular_items, popular_lists, top_items
from recommender.model.seen_items import UNKNOWN, SeenItems
from recommender.predictor_types import BINARY_CLASSIFIER, REGRESSOR


@dataclass(frozen=True)
class ServedRun:
    """What answers need of a run.

    Attributes:
        run_id: its name.
        vocabulary: the ids that its numbers mean.
        titles: item id -> title.
        like: the like model, folded into users and items, if the run has one that can be used.
        ranking: its ranking model, likewise.
        ranks: whether its lists are a ranking model's to make: without one that can be used they
            are the popular items. Else they are the like model's.
        seen: what each user rated.
        item_likes: ``(items,)`` int64 likes of each item in train.
        like_threshold: the rating from which on an item is liked.
        top_n: how many items each user is recommended.
        features: what the endpoint's rows hold beside user and item.
        weigh: tells how much ratings count for the ranking model.
        renewed: tells how much a pair counts, by its weight so far and that of the news.
        withdrawn: users whose ratings are gone: for these the run does not answer any more.
    """

    run_id: str
    vocabulary: Vocabulary
    titles: dict[str, str]
    like: PairModel | None
    ranking: PairModel | None
    ranks: bool
    seen: SeenItems
    item_likes: Integers
    like_threshold: float
    top_n: int
    features: SideFeatures
    weigh: Callable[[Float32s], Float32s]
    renewed: Callable[[float, float], float]
    withdrawn: frozenset[str] = frozenset()

    @cached_property
    def fold_in(self) -> FoldIn | None:
        """What folds strangers into the ranking model, if that can be done."""
        if self.ranking is None or self.ranking.objective is None:
            return None
        return FoldIn.of(self.ranking, len(self.vocabulary.items))

    @cached_property
    def cold_items(self) -> frozenset[str]:
        """Items without ratings, of which the side features are all that is known."""
        return frozenset(self.vocabulary.cold_items)

    def number_of(self, user: str) -> int:
        """Look a user up: the number, -1 for one who is unknown or to be treated so."""
        if user in self.withdrawn:
            return UNKNOWN
        return self.vocabulary.user_numbers.get(user, UNKNOWN)

    def has_rated(self, user: str) -> bool:
        """Whether there are ratings of a user."""
        return 0 <= self.number_of(user) < len(self.vocabulary.users)

    def items_of(self, items: Sequence[str]) -> Integers:
        """Look items up: ``(n,)`` numbers of those that are known, ascending, each once."""
        numbers = self.vocabulary.item_numbers
        return np.array(sorted({numbers[item] for item in items if item in numbers}), np.int64)

    @property
    def list_maker(self) -> PairModel | None:
        """The model that makes lists, if one does."""
        return self.ranking if self.ranks else self.like

    def numbers_of(self, pairs: Sequence[tuple[str, str]]) -> tuple[Integers, Integers]:
        """Look pairs of ids up: ``(n,)`` numbers of users and of items, -1 for unknown ones."""
        items = self.vocabulary.item_numbers
        return (
            np.array([self.number_of(user) for user, _ in pairs], np.int64),
            np.array([items.get(item, -1) for _, item in pairs], np.int64),
        )


def predictions(
    run: ServedRun,
    pairs: Sequence[tuple[str, str]],
    scores: Float64s,
    threshold: float | None,
    scored_by: str,
) -> dict[str, object]:
    """Tell the scores of pairs. Unknown users and items are answered too, and marked.

    Args:
        run: whose scores they are.
        pairs: ids of users and items.
        scores: ``(n,)`` probabilities of a like or, of a regressor, ratings.
        threshold: from which on a pair is liked: a probability, 0.5 if there is none. Only of a
            regressor that tells no such probabilities it is a rating, the catalog's
            ``like_threshold`` if there is none. Without a like model it is a score of the ranking
            model, 0.5 if there is none: half way from a stranger to a sure choice.
        scored_by: who scored them: "endpoint", "factors" or "ranking".

    Raises:
        InvalidRequestError: the threshold is a rating, and the model tells probabilities.
    """
    least = _like_threshold(run, threshold)
    link = run.like.like_link if run.like else None
    judged_by = scores if link is None else link.probabilities(scores)
    users, items = run.numbers_of(pairs)
    n_users, n_items = len(run.vocabulary.users), len(run.vocabulary.items)
    told = items_told(run, [item for _, item in pairs], scores, None if link is None else judged_by)
    return {
        "model_version": run.run_id,
        "scored_by": scored_by,
        "predictions": [
            {
                "user": user,
                **one,
                **({"user_by_features": True} if number >= n_users else {}),
                "liked": liked,
                "user_known": 0 <= number < n_users,
                "item_known": item_known,
            }
            for (user, _), one, liked, number, item_known in zip(
                pairs,
                told,
                (judged_by >= least).tolist(),
                users.tolist(),
                ((items >= 0) & (items < n_items)).tolist(),
                strict=True,
            )
        ],
    }


def _like_threshold(run: ServedRun, wanted: float | None) -> float:
    has_link = run.like is not None and run.like.like_link is not None
    if wanted is None:
        rates = run.like is not None and run.like.predictor_type == REGRESSOR
        is_probability = has_link or not rates
        return 0.5 if is_probability else run.like_threshold
    if has_link and not 0 <= wanted <= 1:
        raise InvalidRequestError(
            "$.threshold", f"expected a probability of a like, 0 to 1, found {wanted:g}"
        )
    return wanted


def recommendations(
    run: ServedRun, likes: ServedRun | None, user: str, request: RecommendationRequest
) -> dict[str, object]:
    """Name a user's best items; those that most people like when the user is unknown.

    The list of a user without ratings of whom a side file tells something follows from that.

    Args:
        run: the run whose lists these are.
        likes: the run whose like model serves, if one does.
        user: as the path has it. API Gateway leaves percent-encoding in place, so the id is looked
            up both as it stands and decoded.
        request: which part of the list, and what is left out of it.
    """
    numbers = run.vocabulary.user_numbers
    name = user if user in numbers else unquote(user)
    number = run.number_of(name)
    left_out = run.items_of(request.exclude)
    if request.exclude_seen:
        left_out = np.union1d(left_out, run.seen.of(number)).astype(np.int64)
    machine = run.list_maker
    basis = "popular"
    if number != UNKNOWN and machine is not None:
        found, raw = best_of(machine.of_user(number), left_out, request.limit, request.offset)
        told = _list(run, likes, name, found, raw)
        basis = _basis(run, number)
    else:
        popular = most_popular(run, left_out, request.limit, request.offset)
        told = popular_told(run, likes, name, popular)
    return {
        "user": name,
        "user_known": run.has_rated(name),
        "basis": basis,
        "model_version": run.run_id,
        "items": told,
    }


def best_of(
    model: PairModel, left_out: Integers, limit: int, offset: int = 0
) -> tuple[Integers, Float64s]:
    """Find the best items of a model's only user, behind the first ``offset`` of them.

    Args:
        model: of one user.
        left_out: ``(m,)`` numbers of items, ascending.
        limit: how many, if there are as many.
        offset: how many better ones are passed over.

    Returns:
        ``(n,)`` items and their raw scores, the best first.
    """
    seen = SeenItems(np.array([0, left_out.size]), left_out)
    found, raw = top_items(model, np.zeros(1, np.int64), limit + offset, seen)
    there = found[0] >= 0
    return found[0][there][offset:], raw[0][there][offset:]


def most_popular(run: ServedRun, left_out: Integers, limit: int, offset: int = 0) -> Integers:
    """Find the items that most users like, as `best_of` finds a model's."""
    items = popular_items(run.item_likes, limit + offset + left_out.size)
    return items[~np.isin(items, left_out)][offset : offset + limit]


def _basis(run: ServedRun, user: int) -> str:
    """What a model's list for a user is made of: what the user rated, or what a file tells."""
    return "personal" if user < len(run.vocabulary.users) else "features"


def names_of(run: ServedRun, items: Integers) -> list[str]:
    """Look the ids of items up by their numbers."""
    return [run.vocabulary.every_item[item] for item in items.tolist()]


def lists(
    run: ServedRun, likes: ServedRun | None, first: int, last: int
) -> list[dict[str, object]]:
    """Name the best items of the users ``first`` to ``last`` (exclusive) that they did not rate.

    Users without ratings of whom a side file tells something come last.

    Where no model makes lists, they are the most popular items, and say so.

    Returns:
        ``{"user", "basis", "items"}`` for each, an item as `recommendations` tells it.
    """
    machine = run.list_maker
    users = np.arange(first, last)
    if machine is not None:
        found, raw = top_items(machine, users, run.top_n, run.seen)
    else:
        found = popular_lists(run.item_likes, users, run.top_n, run.seen)
        raw = np.zeros(found.shape)
    rows: list[dict[str, object]] = []
    for at, user in enumerate(run.vocabulary.every_user[first:last]):
        there = found[at] >= 0
        if machine is None:
            basis, told = "popular", popular_told(run, likes, user, found[at][there])
        else:
            basis = _basis(run, first + at)
            told = _list(run, likes, user, found[at][there], raw[at][there])
        rows.append({"user": user, "basis": basis, "items": told})
    return rows


def _list(
    run: ServedRun, likes: ServedRun | None, user: str, items: Integers, raw: Float64s
) -> list[dict[str, object]]:
    """Tell a list of the ranking model with its scores; of the like model, with its predictions."""
    names = names_of(run, items)
    if run.ranks:
        return items_told(run, names, raw, like_chances(likes, user, names))
    assert run.like is not None  # noqa: S101  # somebody made the list
    scores = linked(raw, run.like.predictor_type)
    link = run.like.like_link
    return items_told(run, names, scores, None if link is None else link.probabilities(scores))


def popular_told(
    run: ServedRun, likes: ServedRun | None, user: str, items: Integers
) -> list[dict[str, object]]:
    """Tell popular items, whose score is how many people like them."""
    names = names_of(run, items)
    scores = run.item_likes[items].astype(np.float64)
    return items_told(run, names, scores, like_chances(likes, user, names))


def like_chances(likes: ServedRun | None, user: str, items: Sequence[str]) -> Float64s | None:
    """How likely a user likes items, if the like model tells that: its own ids may be others."""
    if likes is None or likes.like is None:
        return None
    model = likes.like
    scores = model.predict_pairs(*likes.numbers_of([(user, item) for item in items]))
    if model.predictor_type == BINARY_CLASSIFIER:
        return scores
    return None if model.like_link is None else model.like_link.probabilities(scores)


def items_told(
    run: ServedRun, items: Sequence[str], scores: Float64s, chances: Float64s | None
) -> list[dict[str, object]]:
    """Say of items what people are told: id, title, score, and how likely it is a like.

    Args:
        run: whose titles they have.
        items: ids.
        scores: ``(n,)`` of the model that chose or scored them.
        chances: ``(n,)`` probabilities of a like beside them, if they are known.

    Returns:
        ``n`` objects; one of an item without ratings says ``item_by_features``.
    """
    told: list[dict[str, object]] = [
        {
            "item": item,
            "title": run.titles.get(item),
            "score": score,
            **({"item_by_features": True} if item in run.cold_items else {}),
        }
        for item, score in zip(items, scores.tolist(), strict=True)
    ]
    if chances is not None:
        for one, chance in zip(told, chances.tolist(), strict=True):
            one["like_probability"] = chance
    return told
