"""Users who were kept out of a training: their lists against vectors solved one at a time."""

import json
import math

import numpy as np
import pytest
from recommender.dataset.unseen import known_pairs, known_places
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import ShapeMismatchError
from recommender.evaluation.unseen import (
    UnseenRatings,
    share_of_trained,
    trained_metrics,
    unseen_metrics,
)
from recommender.model.fold_in import FoldIn
from recommender.model.objective import ImplicitObjective
from recommender.model.pair_model import PairModel

from testbed.numerics.implicit import fit, half_sweep, ranking_model

OBJECTIVE = ImplicitObjective(0.1, 0.02, 1.0)
N_USERS, N_ITEMS, RANK = 120, 40, 3
VOCABULARY = Vocabulary(tuple(map(str, range(N_USERS))), tuple(map(str, range(N_ITEMS))))
UNSEEN = np.arange(0, N_USERS, 4)


def planted() -> np.ndarray:
    """Stars of two tastes; 0 is not rated."""
    rng = np.random.default_rng(4)
    same = np.arange(N_USERS)[:, None] % 2 == np.arange(N_ITEMS) % 2
    rated = rng.random(same.shape) < np.where(same, 0.5, 0.1)
    return np.where(rated, rng.integers(1, 6, same.shape), 0)


STARS = planted()


def ratings_of(users: np.ndarray, *, shuffled: bool = False) -> UnseenRatings:
    rows, items = np.nonzero(STARS[users])
    numbers = users[rows]
    if shuffled:
        order = np.random.default_rng(0).permutation(rows.size)
        numbers, items = numbers[order], items[order]
    stars = STARS[numbers, items]
    return UnseenRatings(
        numbers,
        items,
        stars / 5,
        stars >= 4,
        known_places(VOCABULARY, numbers, items),
        known_pairs(VOCABULARY, numbers, items),
    )


def model_without() -> PairModel:
    others = np.setdiff1d(np.arange(N_USERS), UNSEEN)
    users, items = fit(STARS[others] / 5, RANK, OBJECTIVE, sweeps=5)
    return ranking_model(users, items, OBJECTIVE)


MODEL = model_without()
ITEM_LIKES = np.count_nonzero(STARS >= 4, axis=0)


def told_to(ratings: UnseenRatings, user: int) -> tuple[list[int], list[int], set[int]]:
    """A user's known items and known likes as they are told, and the likes to be judged by."""
    own = sorted(
        (place, item, known, like)
        for who, place, item, known, like in zip(
            ratings.users.tolist(),
            ratings.places.tolist(),
            ratings.items.tolist(),
            ratings.known.tolist(),
            ratings.likes.tolist(),
            strict=True,
        )
        if who == user
    )
    known = [item for _, item, is_known, _ in own if is_known]
    likes = [item for _, item, is_known, like in own if is_known and like]
    return known, likes, {item for _, item, is_known, like in own if like and not is_known}


def ndcg_by_hand(ratings: UnseenRatings, length: int, count: int | None) -> dict[int, float]:
    """NDCG of each user, with everything known or the first likes alone."""
    found = {}
    items = MODEL.item_factors.astype(float)
    for user in np.unique(ratings.users).tolist():
        known, likes, wanted = told_to(ratings, user)
        if not wanted or (count is not None and len(likes) < count):
            continue
        given = known if count is None else likes[:count]
        weights = np.zeros((1, N_ITEMS))
        weights[0, given] = STARS[user, given] / 5
        scores = items @ half_sweep(weights, items, OBJECTIVE)[0]
        left = [item for item in range(N_ITEMS) if item not in known]
        best = sorted(left, key=lambda item: -scores[item])[:length]
        gain = sum(1 / math.log2(at + 2) for at, item in enumerate(best) if item in wanted)
        ideal = sum(1 / math.log2(at + 2) for at in range(min(len(wanted), length)))
        found[user] = gain / ideal
    return found


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("count", [None, 2, 4])
def test_unseen_users_are_judged_by_what_they_were_not_asked_about(count, *, shuffled) -> None:
    ratings = ratings_of(UNSEEN, shuffled=shuffled)
    found = unseen_metrics(FoldIn.of(MODEL), ratings, ITEM_LIKES, cuts=(5, 10), few=(2, 4))
    lists = found.folded if count is None else found.few[count]
    expected = ndcg_by_hand(ratings, 10, count)
    assert 5 < len(expected) <= UNSEEN.size
    assert lists.per_user.users.tolist() == list(expected)
    assert lists.per_user.values["ndcg@10"].tolist() == pytest.approx([*expected.values()])


def test_who_is_known_better_has_better_lists_and_all_better_than_the_popular() -> None:
    found = unseen_metrics(FoldIn.of(MODEL), ratings_of(UNSEEN), ITEM_LIKES, few=(1, 5))
    few, more = (found.few[count].figure("ndcg@10").mean for count in (1, 5))
    assert found.popular.figure("ndcg@10").mean < few < more + 0.05
    assert found.popular.users == found.folded.users
    told = json.loads(json.dumps(found.to_dict()))
    assert told.keys() == {"folded_in", "popularity", "few_known"}
    assert told["few_known"].keys() == {"1", "5"}


def test_folding_in_reaches_what_training_with_the_user_reaches() -> None:
    ratings = ratings_of(UNSEEN)
    table = STARS / 5
    hidden = ~ratings.known
    table[ratings.users[hidden], ratings.items[hidden]] = 0.0
    trained = trained_metrics(
        ranking_model(*fit(table, RANK, OBJECTIVE, sweeps=5), OBJECTIVE), ratings
    )
    folded = unseen_metrics(FoldIn.of(MODEL), ratings, ITEM_LIKES).folded
    assert trained.users == folded.users
    share = share_of_trained(folded, trained, "ndcg@10")
    assert share.standard_error is not None
    assert share.mean == pytest.approx(1.0, abs=max(0.03, 4 * share.standard_error))


def test_a_model_s_own_users_are_judged_by_their_trained_vectors() -> None:
    ratings = ratings_of(np.arange(N_USERS))
    rng = np.random.default_rng(1)
    users, items = rng.normal(size=(N_USERS, RANK)), MODEL.item_factors.astype(float)
    found = trained_metrics(ranking_model(users, items, OBJECTIVE), ratings, cuts=(5,))
    for at, user in enumerate(found.per_user.users.tolist()):
        known, _, wanted = told_to(ratings, user)
        scores = items @ users[user]
        scores[known] = -np.inf
        best = np.argsort(-scores)[:5].tolist()
        recall = len(wanted & set(best)) / min(5, len(wanted))
        assert found.per_user.values["recall@5"][at] == pytest.approx(recall)


def test_nobody_to_judge_by_is_no_mistake() -> None:
    found = unseen_metrics(FoldIn.of(MODEL), ratings_of(np.zeros(0, np.int64)), ITEM_LIKES)
    assert (found.folded.users, found.few[3].users) == (0, 0)
    assert found.to_dict()["popularity"] == found.popular.to_dict()


def test_columns_of_ratings_are_as_long_as_each_other() -> None:
    ratings = ratings_of(UNSEEN)
    with pytest.raises(ShapeMismatchError, match="known of ratings"):
        UnseenRatings(**{**vars(ratings), "known": ratings.known[1:]})
