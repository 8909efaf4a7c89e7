"""Vectors of users and items without ratings: the map by brute force, and what it is good for."""

import numpy as np
import pytest
from recommender.catalog.side_features import SideFeatures, no_rows
from recommender.features import FeatureRows
from recommender.model.cold_start import with_cold
from recommender.model.fold_in import FoldIn
from recommender.model.objective import ImplicitObjective
from recommender.model.pair_model import PairModel
from recommender.predictor_types import REGRESSOR

RANK = 4


def rows_of(table: np.ndarray) -> FeatureRows:
    owners, columns = np.nonzero(table)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=len(table)))))
    values = table[owners, columns].astype(np.float32)
    return FeatureRows(offsets, columns.astype(np.int64), values, table.shape[1])


def model_of(users: np.ndarray, items: np.ndarray, weights: np.ndarray | None = None) -> PairModel:
    return PairModel(
        bias=0.0,
        user_weights=np.zeros(len(users), np.float32),
        user_factors=users.astype(np.float32),
        item_weights=np.zeros(len(items), np.float32) if weights is None else weights,
        item_factors=items.astype(np.float32),
        predictor_type=REGRESSOR,
        objective=ImplicitObjective(0.1, 0.01, 1.0),
    )


def side(table: np.ndarray, cold: int, n_users: int) -> SideFeatures:
    names = tuple(f"f{n}" for n in range(table.shape[1]))
    ids = tuple(f"new {n}" for n in range(cold))
    return SideFeatures(names, no_rows(n_users), rows_of(table), cold_items=ids)


def planted(seed: int, noise: float, n: int = 300, cold: int = 40):
    """Items of one kind and one maker each, whose vectors are the sum of both and some noise."""
    rng = np.random.default_rng(seed)
    kinds = rng.normal(size=(6, RANK))
    makers = rng.normal(size=(10, RANK)) * 0.5
    kind, maker = rng.integers(6, size=n + cold), rng.integers(10, size=n + cold)
    table = np.zeros((n + cold, 16))
    table[np.arange(n + cold), kind] = 1
    table[np.arange(n + cold), 6 + maker] = 1
    vectors = kinds[kind] + makers[maker] + noise * rng.normal(size=(n + cold, RANK))
    return rng.normal(size=(200, RANK)), vectors, table


def test_a_vector_that_follows_from_features_is_found_and_the_share_they_explain_is_told():
    users, vectors, table = planted(1, noise=0.0)
    model, found = with_cold(model_of(users, vectors[:300]), side(table, 40, 200))
    np.testing.assert_allclose(model.item_factors[300:], vectors[300:], atol=0.02)
    assert model.item_factors[:300].tobytes() == vectors[:300].astype(np.float32).tobytes()
    assert found["item"].count == 40
    assert found["item"].explained > 0.999


def test_the_explained_share_is_that_of_maps_without_the_item_itself():
    """With every map fitted anew, by the ridge that is best of all."""
    users, vectors, table = planted(2, noise=1.0, n=30, cold=3)
    _, found = with_cold(model_of(users, vectors[:30]), side(table, 3, 200))
    known, wanted = table[:30], vectors[:30].astype(np.float32).astype(float)
    errors = []
    for ridge in (0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0):
        total = 0.0
        for item in range(30):
            others = np.arange(30) != item
            centre, mean = known[others].mean(axis=0), wanted[others].mean(axis=0)
            x, y = known[others] - centre, wanted[others] - mean
            map_ = np.linalg.solve(x.T @ x + ridge * np.eye(16), x.T @ y)
            guess = mean + (known[item] - centre) @ map_
            total += np.square(users.astype(np.float32) @ (wanted[item] - guess)).sum()
        errors.append(total)
    mean = [wanted[np.arange(30) != item].mean(axis=0) for item in range(30)]
    nothing = np.square(users.astype(np.float32) @ (wanted - np.array(mean)).T).sum()
    assert found["item"].explained == pytest.approx(1 - min(errors) / nothing, abs=1e-4)
    assert 0.1 < found["item"].explained < 0.9


def test_features_that_tell_nothing_give_the_mean():
    users, vectors, _ = planted(3, noise=0.5)
    rng = np.random.default_rng(4)
    table = np.eye(5)[rng.integers(5, size=340)]
    model, found = with_cold(model_of(users, rng.permutation(vectors[:300])), side(table, 40, 200))
    mean = vectors[:300].mean(axis=0)
    spread = np.linalg.norm(vectors[:300] - mean, axis=1).mean()
    away = np.linalg.norm(model.item_factors[300:] - mean, axis=1)
    assert away.max() < 0.2 * spread
    assert found["item"].explained < 0.05


def test_new_items_are_ranked_as_those_who_know_them_would():
    users, vectors, table = planted(5, noise=0.6)
    model, _ = with_cold(model_of(users, vectors[:300]), side(table, 40, 200))
    truth, told = users @ vectors[300:].T, model.user_factors @ model.item_factors[300:].T
    agree = [np.corrcoef(one, two)[0, 1] for one, two in zip(truth, told, strict=True)]
    assert np.mean(agree) > 0.7


def test_weights_of_items_are_told_as_well():
    users, vectors, table = planted(6, noise=0.0)
    weights = (table @ np.arange(16.0)).astype(np.float32)
    own = model_of(users, vectors[:300], weights[:300])
    model, _ = with_cold(own, side(table, 40, 200))
    np.testing.assert_allclose(model.item_weights[300:], weights[300:], atol=0.2)


def test_of_users_the_same_holds_and_both_are_told_of():
    items, vectors, table = planted(7, noise=0.0)
    ids = tuple(f"new {n}" for n in range(40))
    features = SideFeatures(tuple("abcdefghijklmnop"), rows_of(table), no_rows(200), cold_users=ids)
    model, found = with_cold(model_of(vectors[:300], items), features)
    np.testing.assert_allclose(model.user_factors[300:], vectors[300:], atol=0.02)
    assert [*found] == ["user"]
    assert model.items == 200


@pytest.mark.parametrize("rated", [0, 1, 2])
def test_with_hardly_anything_to_learn_from_the_mean_is_all(rated: int):
    users, vectors, table = planted(8, noise=0.0)
    table[:300][rated:] = 0  # so many rated items have features
    model, found = with_cold(model_of(users, vectors[:300]), side(table, 40, 200))
    expected = np.broadcast_to(vectors[:300].mean(axis=0), (40, RANK))
    np.testing.assert_allclose(model.item_factors[300:], expected, atol=1e-6)
    assert found["item"].explained == 0.0


def test_a_model_without_cold_ones_stays_as_it_is():
    users, vectors, table = planted(9, noise=0.0)
    own = model_of(users, vectors)
    model, found = with_cold(own, side(table, 0, 200))
    assert model is own
    assert found == {}


def test_strangers_are_folded_in_as_if_the_new_items_were_not_there():
    users, vectors, table = planted(10, noise=0.3)
    own = model_of(users, vectors[:300])
    model, _ = with_cold(own, side(table, 40, 200))
    items, weights = np.array([3, 50, 299]), np.array([1.0, 2.0, 0.5])
    vector, _ = FoldIn.of(model, 300).user(items, weights)
    assert vector.tobytes() == FoldIn.of(own).user(items, weights)[0].tobytes()
    with_new, count = FoldIn.of(model, 300).user(np.array([3, 310]), np.array([1.0, 1.0]))
    assert count == 2
    assert not np.allclose(with_new, vector)
