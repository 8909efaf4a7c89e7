"""Folding in against numpy's dense solution, and the explanation against the score."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import ShapeMismatchError
from recommender.model import fold_in
from recommender.model.fold_in import FoldIn
from recommender.model.objective import ImplicitObjective
from recommender.model.pair_model import PairModel
from recommender.model.ranking import top_items
from recommender.model.seen_items import WeightedItems

from testbed.numerics.implicit import fit, half_sweep, loss, ranking_model

OBJECTIVE = ImplicitObjective(0.3, 0.02, 0.9)
N_ITEMS, RANK = 23, 4


def made(seed: int = 0, objective: ImplicitObjective = OBJECTIVE, rank: int = RANK) -> PairModel:
    rng = np.random.default_rng(seed)
    return ranking_model(np.zeros((1, rank)), rng.normal(size=(N_ITEMS, rank)), objective)


def system(
    model: PairModel, weight_of: dict[int, float], prior: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The matrix and the right side, term by term."""
    factors = model.item_factors.astype(float)
    objective = model.objective
    assert objective is not None
    matrix = sum(objective.unobserved_weight * np.outer(one, one) for one in factors)
    penalty = objective.penalty(len(weight_of), model.items)
    matrix = matrix + penalty * np.eye(factors.shape[1])
    right = np.zeros(factors.shape[1]) if prior is None else penalty * prior
    for item, weight in weight_of.items():
        matrix = matrix + weight * np.outer(factors[item], factors[item])
        right = right + weight * factors[item]
    return matrix, right


def added_up(pairs: list[tuple[int, float]]) -> dict[int, float]:
    total: dict[int, float] = {}
    for item, weight in pairs:
        if item >= 0:
            total[item] = total.get(item, 0.0) + weight
    return total


def columns(pairs: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([item for item, _ in pairs], np.int64),
        np.array([weight for _, weight in pairs], np.float64),
    )


PAIRS = st.lists(st.tuples(st.integers(-1, N_ITEMS - 1), st.floats(0.05, 4.0)), max_size=40)
PRIORS = st.none() | st.lists(st.floats(-2, 2), min_size=RANK, max_size=RANK).map(np.array)


@given(pairs=PAIRS, prior=PRIORS, seed=st.integers(0, 99))
@settings(max_examples=80)
def test_a_vector_solves_the_dense_system(
    pairs: list[tuple[int, float]], prior: np.ndarray | None, seed: int
) -> None:
    model = made(seed)
    vector, count = FoldIn.of(model).user(*columns(pairs), prior)
    weight_of = added_up(pairs)
    expected = np.linalg.solve(*system(model, weight_of, prior))
    np.testing.assert_allclose(vector, expected, rtol=1e-9, atol=1e-12)
    assert count == len(weight_of)


@given(pairs=PAIRS, order=st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_of_the_items_does_not_matter(pairs: list[tuple[int, float]], order) -> None:
    one = FoldIn.of(made())
    shuffled = list(pairs)
    order.shuffle(shuffled)
    np.testing.assert_allclose(
        one.user(*columns(shuffled))[0], one.user(*columns(pairs))[0], rtol=1e-9, atol=1e-12
    )


@given(pairs=PAIRS, prior=PRIORS, seed=st.integers(0, 99))
@settings(max_examples=80)
def test_shares_add_up_to_the_score_and_the_largest_stands_first(
    pairs: list[tuple[int, float]], prior: np.ndarray | None, seed: int
) -> None:
    model = made(seed)
    one = FoldIn.of(model)
    asked = np.array([5, 0, 22, 5])
    told = one.explain(*columns(pairs), asked, prior)
    vector, count = one.user(*columns(pairs), prior)
    expected = model.item_factors[asked].astype(float) @ vector
    np.testing.assert_allclose(told.scores, expected, rtol=1e-9, atol=1e-12)
    total = told.shares.sum(axis=1) + told.prior
    scale = np.abs(told.shares).sum(axis=1) + np.abs(told.prior)
    assert (np.abs(total - told.scores) <= 1e-9 * np.maximum(scale, 1e-9)).all()
    assert told.items.shape == told.shares.shape == (asked.size, count)
    for items, shares in zip(told.items.tolist(), told.shares.tolist(), strict=True):
        ranked = sorted(zip(items, shares, strict=True), key=lambda one: (-one[1], one[0]))
        assert [item for item, _ in ranked] == items
        assert set(items) == set(added_up(pairs))


def test_a_share_is_the_weight_times_the_two_items_nearness() -> None:
    model = made(3)
    pairs = [(2, 1.0), (7, 0.4), (11, 2.0)]
    told = FoldIn.of(model).explain(*columns(pairs), np.array([4]))
    inverse = np.linalg.inv(system(model, dict(pairs))[0])
    factors = model.item_factors.astype(float)
    for item, share in zip(told.items[0].tolist(), told.shares[0].tolist(), strict=True):
        expected = dict(pairs)[item] * factors[4] @ inverse @ factors[item]
        assert share == pytest.approx(expected, rel=1e-10)


def planted(n_users: int = 40) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.where(rng.random((n_users, N_ITEMS)) < 0.3, rng.uniform(0.2, 1.0, (n_users, 1)), 0.0)


def given_of(table: np.ndarray) -> WeightedItems:
    rows, items = np.nonzero(table)
    return WeightedItems.from_pairs(rows, items, table[rows, items], len(table))


@pytest.mark.parametrize("numbers", [1 << 21, 150, 1])
def test_the_training_s_users_fold_in_to_their_own_vectors(
    monkeypatch: pytest.MonkeyPatch, numbers: int
) -> None:
    monkeypatch.setattr(fold_in, "_NUMBERS_AT_ONCE", numbers)
    table = planted()
    _, items = fit(table, RANK, OBJECTIVE)
    # The last half-step of a training that keeps float32 factors.
    model = ranking_model(np.zeros((1, RANK)), items, OBJECTIVE)
    users = half_sweep(table, model.item_factors.astype(float), OBJECTIVE)
    found = FoldIn.of(model).users(given_of(table))
    np.testing.assert_allclose(found.vectors, users, rtol=1e-9, atol=1e-12)
    assert found.counts.tolist() == np.count_nonzero(table, axis=1).tolist()


def test_no_other_vector_has_a_smaller_loss() -> None:
    table = planted(6)
    _, items = fit(table, RANK, OBJECTIVE)
    model = ranking_model(np.zeros((1, RANK)), items, OBJECTIVE)
    items = model.item_factors.astype(float)
    users = FoldIn.of(model).users(given_of(table)).vectors
    least = loss(table, users, items, OBJECTIVE)
    rng = np.random.default_rng(1)
    for _ in range(20):
        assert loss(table, users + rng.normal(0, 0.01, users.shape), items, OBJECTIVE) > least


def test_many_users_and_priors_at_once_are_the_same_as_one_by_one() -> None:
    table = planted()
    table[[3, 17]] = 0.0
    one = FoldIn.of(made())
    priors = np.random.default_rng(2).normal(size=(len(table), RANK))
    together = one.users(given_of(table), priors).vectors
    for row, own in enumerate(table):
        items = np.flatnonzero(own)
        vector, _ = one.user(items, own[items], priors[row])
        np.testing.assert_allclose(together[row], vector, rtol=1e-9)


@pytest.mark.parametrize("items", [[], [-1, -1]])
def test_a_user_of_whom_nothing_is_known_is_zero_and_says_so(items: list[int]) -> None:
    one = FoldIn.of(made())
    vector, count = one.user(np.array(items, np.int64), np.ones(len(items)))
    assert (vector.tolist(), count) == ([0.0] * RANK, 0)
    told = one.explain(np.array(items, np.int64), np.ones(len(items)), np.array([1, 2]))
    assert (told.items.shape, told.scores.tolist()) == ((2, 0), [0.0, 0.0])


def test_folded_users_have_lists_like_any_others() -> None:
    table = planted()
    one = FoldIn.of(made())
    given = given_of(table)
    folded = one.users(given)
    lists, _ = top_items(one.model_of(folded), np.arange(len(table)), 5, given.seen())
    scores = folded.vectors @ one.model.item_factors.T.astype(float)
    scores[table > 0] = -np.inf
    assert np.array_equal(lists, np.argsort(-scores, axis=1)[:, :5])


def test_the_gram_matrix_is_made_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made()
    whole = FoldIn.of(model).gram
    monkeypatch.setattr(fold_in, "_NUMBERS_AT_ONCE", 3 * RANK)
    np.testing.assert_allclose(FoldIn.of(model).gram, whole, rtol=1e-12)


def test_without_regularization_and_with_few_items_a_vector_is_still_finite() -> None:
    rng = np.random.default_rng(0)
    objective = ImplicitObjective(0.1, 0.0, 1.0)
    model = ranking_model(np.zeros((1, 6)), rng.normal(size=(3, 6)), objective)
    vector, _ = FoldIn.of(model).user(np.array([1]), np.ones(1))
    factors = model.item_factors.astype(float)
    matrix = 0.1 * factors.T @ factors + np.outer(factors[1], factors[1])
    expected = factors @ np.linalg.pinv(matrix) @ factors[1]
    np.testing.assert_allclose(factors @ vector, expected, rtol=1e-3, atol=1e-3)
    nothing = ranking_model(np.zeros((1, 6)), np.zeros((3, 6)), objective)
    assert not FoldIn.of(nothing).user(np.array([1]), np.ones(1))[0].any()


@pytest.mark.parametrize(
    ("items", "weights"),
    [([N_ITEMS], [1.0]), ([1], [-0.5]), ([1], [np.nan]), ([1, 2], [1.0])],
)
def test_items_that_do_not_exist_and_impossible_weights_are_refused(
    items: list[int], weights: list[float]
) -> None:
    one = FoldIn.of(made())
    with pytest.raises(ShapeMismatchError):
        one.user(np.array(items), np.array(weights))
    with pytest.raises(ShapeMismatchError):
        one.explain(np.array(items), np.array(weights), np.array([0]))


def test_what_is_explained_is_an_item_and_what_is_drawn_to_a_vector() -> None:
    one = FoldIn.of(made())
    items, weights = np.array([1]), np.ones(1)
    for asked in ([-1], [N_ITEMS]):
        with pytest.raises(ShapeMismatchError):
            one.explain(items, weights, np.array(asked))
    with pytest.raises(ShapeMismatchError):
        one.explain(items, weights, np.array([0]), np.zeros(RANK + 1))
    with pytest.raises(ShapeMismatchError):
        one.user(items, weights, np.zeros(RANK + 1))


def test_only_a_ranking_model_folds_in() -> None:
    model = made()
    biased = PairModel(**{**vars(model), "item_weights": np.ones(N_ITEMS, np.float32)})
    without = PairModel(**{**vars(model), "objective": None})
    for other in (biased, without):
        with pytest.raises(ShapeMismatchError):
            FoldIn.of(other)


def test_pairs_in_parts_are_collected_for_the_users_asked_for() -> None:
    parts = [
        (np.array([4, 1, 4]), np.array([2, 0, 1]), np.array([1.0, 2.0, 3.0])),
        (np.array([2, 4]), np.array([9, 2]), np.array([5.0, 0.5])),
    ]
    found = WeightedItems.collected(parts, np.array([4, 3, 1]), 5)
    assert found.counts.tolist() == [2, 0, 1]
    assert [one.tolist() for one in found.of(0)] == [[1, 2], [3.0, 1.5]]
    assert found.seen().of(2).tolist() == [0]
    with pytest.raises(ShapeMismatchError, match="row number"):
        WeightedItems.from_pairs(np.array([3]), np.array([0]), np.ones(1), 3)
