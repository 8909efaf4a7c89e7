"""Metrics of lists against their definitions, counted in loops, and what they have in common."""

import itertools
import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import ShapeMismatchError
from recommender.evaluation import list_metrics as module
from recommender.evaluation import overlap
from recommender.evaluation.figures import Figure, PerUser, paired_difference, paired_ratio
from recommender.evaluation.list_metrics import Likes, ListMetrics, Raters, list_metrics
from recommender.evaluation.metrics import ranking_metrics
from recommender.evaluation.overlap import list_overlap, list_overlaps, overlap_between_users

N_ITEMS = 12
CUTS = (1, 3, 5, 8)


def by_hand(row: list[int], wanted: set[int], cut: int) -> dict[str, float]:
    """What one list reaches, item by item."""
    hits = [item >= 0 and item in wanted for item in row[:cut]]
    best = min(len(wanted), cut)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, best + 1))
    gain = sum(1 / math.log2(place + 1) for place, hit in enumerate(hits, 1) if hit)
    precisions = [sum(hits[:place]) / place for place, hit in enumerate(hits, 1) if hit]
    return {
        "ndcg": gain / ideal,
        "recall": sum(hits) / best,
        "map": sum(precisions) / best,
        "hit_rate": float(any(hits)),
    }


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[int], np.ndarray, list[tuple[int, int]]]:
    users = draw(st.lists(st.integers(0, 7), unique=True, max_size=8))
    length = draw(st.integers(0, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lists = np.array([rng.permutation(N_ITEMS)[:length] for _ in users], np.int64)
    lists = lists.reshape(len(users), length)
    for row in lists:
        row[int(rng.integers(0, length + 1)) :] = -1
    pairs = st.tuples(st.integers(0, 9), st.integers(-1, N_ITEMS - 1))
    return users, lists, draw(st.lists(pairs, max_size=40))


def likes_of(pairs: list[tuple[int, int]]) -> Likes:
    users, items = np.array(pairs, np.int64).reshape(-1, 2).T
    return Likes(users, items)


@given(problem=problems(), at_once=st.sampled_from([1, 7, 1 << 20]))
@settings(max_examples=150)
def test_metrics_equal_a_count_list_by_list(problem, at_once: int) -> None:
    users, lists, pairs = problem
    raters = Raters(np.arange(N_ITEMS), 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_NUMBERS_AT_ONCE", at_once)
        found = list_metrics(
            np.array(users, np.int64), lists, likes_of(pairs), N_ITEMS, cuts=CUTS, raters=raters
        )
    judged = sorted(user for user in users if any(who == user and item >= 0 for who, item in pairs))
    assert found.per_user.users.tolist() == judged
    for at, user in enumerate(judged):
        row = lists[users.index(user)].tolist()
        wanted = {item for who, item in pairs if who == user and item >= 0}
        for cut in CUTS:
            expected = by_hand(row, wanted, cut)
            shown = [item for item in row[:cut] if item >= 0]
            bits = [-math.log2(max(item, 1) / 20) for item in shown]
            expected["novelty"] = statistics.mean(bits) if bits else 0.0
            told = {name: found.per_user.values[f"{name}@{cut}"][at] for name in expected}
            assert told == pytest.approx(expected)
    for cut in CUTS:
        shown = {item for row in lists.tolist() for item in row[:cut] if item >= 0}
        assert found.coverage[cut] == pytest.approx(len(shown) / N_ITEMS)


@given(problem=problems())
@settings(max_examples=60)
def test_the_gate_s_metrics_and_these_are_the_same_ones(problem) -> None:
    users, lists, pairs = problem
    likes = likes_of(pairs)
    one = np.array(users, np.int64)
    length = max(lists.shape[1], 1)
    found = list_metrics(one, lists, likes, N_ITEMS, cuts=[length])
    known = ranking_metrics(one, lists, likes.users, likes.items, N_ITEMS)
    if not lists.shape[1]:
        return
    told = (found.figure(f"hit_rate@{length}").mean, found.figure(f"ndcg@{length}").mean)
    assert (known.hit_rate, known.ndcg) == pytest.approx(told)
    assert (known.coverage, known.users) == (found.coverage[length], found.users)


def some_metrics(seed: int = 0, users: int = 300) -> ListMetrics:
    rng = np.random.default_rng(seed)
    lists = np.argsort(rng.random((users, N_ITEMS)), axis=1)[:, :5]
    likes = Likes(rng.integers(0, users, 900), np.random.default_rng(9).integers(0, N_ITEMS, 900))
    return list_metrics(np.arange(users), lists, likes, N_ITEMS, cuts=(3, 5))


def test_a_mean_has_the_standard_error_of_its_users() -> None:
    found = some_metrics()
    values = found.per_user.values["ndcg@5"].tolist()
    figure = found.figure("ndcg@5")
    assert figure.mean == pytest.approx(statistics.mean(values))
    expected = statistics.stdev(values) / math.sqrt(len(values))
    assert figure.standard_error == pytest.approx(expected)
    assert figure.users == len(values)


@pytest.mark.parametrize(("values", "mean"), [([], 0.0), ([0.25], 0.25)])
def test_fewer_than_two_users_have_no_standard_error(values: list[float], mean: float) -> None:
    assert Figure.of(np.array(values)) == Figure(mean, None, len(values))


def test_metrics_are_kept_as_json() -> None:
    told = json.loads(json.dumps(some_metrics().to_dict()))
    assert told["ndcg@3"].keys() == {"mean", "standard_error"}
    assert {"users", "recall@5", "map@3", "hit_rate@5", "coverage@5"} <= told.keys()
    assert "novelty@5" not in told


def test_the_best_list_reaches_one_and_a_list_beside_it_nothing() -> None:
    users, likes = np.array([4]), Likes(np.array([4, 4]), np.array([1, 2]))
    best = list_metrics(users, np.array([[2, 1, 7]]), likes, N_ITEMS, cuts=(2, 3))
    worst = list_metrics(users, np.array([[5, 6, 7]]), likes, N_ITEMS, cuts=(2, 3))
    assert all(values.tolist() == [1.0] for values in best.per_user.values.values())
    assert all(values.tolist() == [0.0] for values in worst.per_user.values.values())


def test_users_in_another_order_have_the_same_figures() -> None:
    rng = np.random.default_rng(3)
    lists = np.argsort(rng.random((50, N_ITEMS)), axis=1)[:, :5]
    likes = Likes(rng.integers(0, 50, 200), rng.integers(0, N_ITEMS, 200))
    order = rng.permutation(50)
    there = list_metrics(np.arange(50), lists, likes, N_ITEMS)
    back = list_metrics(order, lists[order], likes, N_ITEMS)
    assert back.to_dict() == there.to_dict()


def test_an_item_that_all_have_rated_is_no_news_and_one_that_nobody_has_is_the_rarest() -> None:
    raters = Raters(np.array([8, 4, 1, 0]), 8)
    assert raters.self_information.tolist() == [0.0, 1.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("lists", "liked"),
    [([[1]], [[1], [1]]), ([[1], [N_ITEMS]], [[1], [1]]), ([[1], [2]], [[1], [N_ITEMS]])],
)
def test_lists_and_likes_that_do_not_fit_are_refused(lists, liked) -> None:
    with pytest.raises(ShapeMismatchError):
        list_metrics(np.array([1, 2]), np.array(lists), Likes(*np.array(liked)), N_ITEMS)
    uneven = Likes(np.array([1]), np.array([1, 2]))
    with pytest.raises(ShapeMismatchError):
        list_metrics(np.array([1, 2]), np.array([[1], [2]]), uneven, N_ITEMS)


def per_user(users: list[int], values: list[float]) -> PerUser:
    return PerUser(np.array(users), {"x": np.array(values)})


def test_two_methods_are_compared_on_the_users_that_both_have() -> None:
    ours = per_user([1, 2, 5, 9], [0.5, 0.25, 1.0, 0.0])
    theirs = per_user([2, 3, 5, 9], [0.5, 9.0, 0.5, 0.25])
    differences = [-0.25, 0.5, -0.25]
    found = paired_difference(ours, theirs, "x")
    assert found.mean == pytest.approx(statistics.mean(differences))
    assert found.standard_error == pytest.approx(statistics.stdev(differences) / math.sqrt(3))
    ratio = paired_ratio(ours, theirs, "x")
    assert (ratio.mean, ratio.users) == (pytest.approx(1.25 / 1.25), 3)
    kept = ours.among(np.array([9, 2, 7]))
    assert (kept.users.tolist(), kept.values["x"].tolist()) == ([2, 9], [0.25, 0.0])
    with pytest.raises(ShapeMismatchError, match="name of a metric"):
        paired_difference(ours, theirs, "y")


def test_the_standard_error_of_a_ratio_is_that_of_many_samples() -> None:
    rng = np.random.default_rng(0)
    ratios, told = [], []
    for _ in range(400):
        theirs = rng.gamma(2.0, 1.0, 200)
        ours = 0.8 * theirs + rng.normal(0, 0.5, 200)
        found = paired_ratio(per_user([*range(200)], ours), per_user([*range(200)], theirs), "x")
        ratios.append(found.mean)
        told.append(found.standard_error)
    assert statistics.mean(told) == pytest.approx(statistics.stdev(ratios), rel=0.1)
    assert paired_ratio(per_user([1, 2], [1, 1]), per_user([1, 2], [0, 0]), "x").mean == 0.0


LISTS = st.integers(1, 7).flatmap(
    lambda users: st.lists(
        st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=5),
        min_size=users,
        max_size=users,
    )
)


def padded(lists: list[list[int]]) -> np.ndarray:
    return np.array([[*row, *[-1] * (5 - len(row))] for row in lists], np.int64)


@given(ours=LISTS, seed=st.integers(0, 99), at_once=st.sampled_from([1, 60, 1 << 22]))
@settings(max_examples=80)
def test_the_overlap_of_two_methods_is_jaccard_s(ours, seed: int, at_once: int) -> None:
    rng = np.random.default_rng(seed)
    theirs = [rng.permutation(N_ITEMS)[: int(rng.integers(0, 6))].tolist() for _ in ours]
    expected = [
        len(set(one) & set(other)) / max(len(set(one) | set(other)), 1)
        for one, other in zip(ours, theirs, strict=True)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "_NUMBERS_AT_ONCE", at_once)
        assert list_overlaps(padded(ours), padded(theirs)).tolist() == pytest.approx(expected)
    assert list_overlap(padded(ours), padded(ours)).mean == pytest.approx(
        sum(bool(row) for row in ours) / len(ours)
    )


@given(lists=LISTS)
@settings(max_examples=80)
def test_the_overlap_between_users_is_a_mean_over_all_pairs(lists: list[list[int]]) -> None:
    found = overlap_between_users(padded(lists), N_ITEMS)
    shares = [len(set(one) & set(other)) / 5 for one, other in itertools.combinations(lists, 2)]
    assert found.mean == pytest.approx(statistics.mean(shares) if shares else 0.0)
    assert (found.standard_error is None) == (len(lists) < 2)


def test_the_standard_error_between_users_is_that_of_many_samples() -> None:
    rng = np.random.default_rng(1)
    means, told = [], []
    for _ in range(300):
        tastes = rng.random((150, 1)) * np.linspace(0, 3, N_ITEMS)
        lists = np.argsort(rng.random((150, N_ITEMS)) - tastes, axis=1)[:, :5]
        found = overlap_between_users(lists, N_ITEMS)
        means.append(found.mean)
        told.append(found.standard_error)
    assert statistics.mean(told) == pytest.approx(statistics.stdev(means), rel=0.15)


def test_lists_of_different_users_are_not_compared() -> None:
    with pytest.raises(ShapeMismatchError):
        list_overlaps(np.zeros((2, 3), np.int64), np.zeros((3, 3), np.int64))
