"""Whole fits by ``als``: planted tastes, machines that hold them, and what is refused."""

import numpy as np
import pytest
from factorization_machines.errors import DivergedError, InvalidChannelError
from factorization_machines.solve import solve
from recommender.features import FeatureRows
from recommender.predictor_types import REGRESSOR

from testbed.numerics.ranking import best_vector, ranked
from testbed.numerics.training import hyperparameters_of, quietly

USERS, ITEMS = 300, 120


def planted(seed=30):
    """Pairs that users of planted tastes choose, and the probabilities of all pairs."""
    generator = np.random.default_rng(seed)
    tastes, kinds = generator.normal(size=(USERS, 3)), generator.normal(size=(ITEMS, 3))
    chances = 1 / (1 + np.exp(-2.5 * (tastes @ kinds.T) + 3))
    users, items = np.nonzero(generator.random(chances.shape) < chances)
    return users, items, chances


def factors_of(fitted):
    return fitted.machine.factors[:USERS], fitted.machine.factors[USERS : USERS + ITEMS]


def test_planted_tastes_rank_what_was_not_chosen_yet():
    users, items, chances = planted()

    fitted = ranked(users, items, np.ones(users.size), (USERS, ITEMS), num_factors=16)

    scores = np.matmul(*(factors_of(fitted)[0], factors_of(fitted)[1].T))
    scores[users, items], chances[users, items] = -np.inf, -np.inf
    found = np.argsort(-scores, axis=1)[:, :10]
    reached = np.take_along_axis(chances, found, axis=1).mean()
    best = np.sort(chances, axis=1)[:, -10:].mean()
    popular = np.argsort(-np.bincount(items, minlength=ITEMS))
    listed = [[item for item in popular if chances[user, item] >= 0][:10] for user in range(USERS)]
    by_popularity = np.take_along_axis(chances, np.array(listed), axis=1).mean()
    assert reached > 0.8 * best
    assert reached > 4 * by_popularity


def test_the_machine_is_plain_and_a_user_is_the_fold_in_of_his_items():
    users, items, _ = planted()
    weights = np.random.default_rng(1).uniform(0.2, 1, users.size).astype(np.float32)

    fitted = ranked(users, items, weights, (USERS, ITEMS), num_factors=20)

    machine = fitted.machine
    assert (machine.bias, machine.linear.any()) == (0.0, False)
    assert machine.factors.shape == (USERS + ITEMS, 20)
    dense = np.zeros((USERS, ITEMS))
    dense[users, items] = weights
    rated, found = factors_of(fitted)
    expected = [best_vector(row, found, machine.objective) for row in dense]
    np.testing.assert_allclose(rated, expected, atol=3e-6)


def test_what_is_told_as_chosen_gives_the_same_bytes_when_it_is_given():
    users, items, _ = planted()
    weights = np.ones(users.size)

    searched = ranked(users, items, weights, (USERS, ITEMS), num_factors=8, search="true")
    given = ranked(users, items, weights, (USERS, ITEMS), **searched.chosen)

    assert set(searched.chosen) == {
        "num_factors",
        "sweeps",
        "unobserved_weight",
        "regularization",
    }
    assert searched.machine.factors.tobytes() == given.machine.factors.tobytes()
    assert searched.machine.objective == given.machine.objective


def test_the_search_keeps_what_is_fixed_and_finds_better_lists():
    users, items, chances = planted()

    def quality(**others):
        fitted = ranked(users, items, np.ones(users.size), (USERS, ITEMS), num_factors=16, **others)
        scores, hidden = (
            np.matmul(*(factors_of(fitted)[0], factors_of(fitted)[1].T)),
            chances.copy(),
        )
        scores[users, items] = -np.inf
        top = np.argsort(-scores, axis=1)[:, :10]
        return np.take_along_axis(hidden, top, axis=1).mean(), fitted.machine.objective

    poor, _ = quality(unobserved_weight=0.001, regularization=1e-5)
    found, objective = quality(search="true")
    half, fixed = quality(search="true", unobserved_weight=0.05)

    assert found > 1.1 * poor
    assert fixed.unobserved_weight == 0.05
    assert 0.9 < half / found < 1.1
    assert objective.regularization > 1e-4


def test_the_rank_is_chosen_where_none_is_given():
    users, items, _ = planted()
    rows = FeatureRows.pairs(users, items + USERS, USERS + ITEMS)
    settings = hyperparameters_of(rows, REGRESSOR, solver="als", sweeps=2)

    fitted = solve(rows, np.ones(users.size, np.float32), settings, quietly, quietly)

    assert fitted.machine.rank in (32, 64, 128)
    assert fitted.chosen["num_factors"] == str(fitted.machine.rank)


def test_a_threshold_is_compared_as_the_labels_are_stored():
    users = np.repeat(np.arange(40), 5)
    items = np.tile(np.arange(5), 40)
    said = []
    rows = FeatureRows.pairs(users, items + 40, 45)
    settings = hyperparameters_of(
        rows, REGRESSOR, solver="als", num_factors=2, hit_threshold=0.7, sweeps=1
    )

    solve(rows, np.full(200, 0.7, np.float32), settings, quietly, said.append)

    assert any("40 pairs of 40 users are held out" in line for line in said)


def test_seen_pairs_of_weight_zero_teach_nothing_and_are_in_no_list():
    users, items, _ = planted()
    plain = ranked(users, items, np.ones(users.size), (USERS, ITEMS))
    missing = np.argwhere(np.ones((USERS, ITEMS)))[:500]
    missing = missing[~np.isin(missing @ [ITEMS, 1], users * ITEMS + items)]
    more = [np.append(users, missing[:, 0]), np.append(items, missing[:, 1])]
    weights = np.append(np.ones(users.size), np.zeros(len(missing)))

    fitted = ranked(*more, weights, (USERS, ITEMS))

    assert fitted.machine.factors.tobytes() == plain.machine.factors.tobytes()
    wanted = FeatureRows.pairs(missing[:, 0], missing[:, 1] + USERS, USERS + ITEMS)
    assert fitted.judge_lists(wanted, np.ones(len(missing), np.float32))["hit_rate"] == 0
    assert plain.judge_lists(wanted, np.ones(len(missing), np.float32))["hit_rate"] > 0


def test_the_test_channel_is_judged_by_lists_of_ten():
    users, items, _ = planted()
    out = np.random.default_rng(3).random(users.size) < 0.2
    fitted = ranked(users[~out], items[~out], np.ones((~out).sum()), (USERS, ITEMS))
    wanted = FeatureRows.pairs(users[out], items[out] + USERS, USERS + ITEMS)

    found = fitted.judge_lists(wanted, np.ones(int(out.sum()), np.float32))

    scores = np.matmul(*(factors_of(fitted)[0], factors_of(fitted)[1].T))
    scores[users[~out], items[~out]] = -np.inf
    top = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    liked = np.zeros((USERS, ITEMS), bool)
    liked[users[out], items[out]] = True
    hits = np.take_along_axis(liked, top, axis=1)
    discounts = 1 / np.log2(np.arange(2, 12))
    asked = liked.sum(axis=1)
    ideal = np.array([discounts[:count].sum() for count in np.minimum(asked, 10)])
    some = asked > 0
    assert found["ndcg"] == pytest.approx(((hits @ discounts)[some] / ideal[some]).mean(), rel=1e-9)
    assert found["hit_rate"] == pytest.approx(hits[some].any(axis=1).mean())


def test_rows_that_are_no_pairs_and_channels_without_a_positive_are_refused():
    rows = FeatureRows(np.array([0, 3]), np.array([0, 1, 2]), np.ones(3, np.float32), 3)
    settings = hyperparameters_of(rows, REGRESSOR, solver="als", field_sizes="2,1")

    with pytest.raises(InvalidChannelError, match="channel train: als takes rows of one user"):
        solve(rows, np.ones(1, np.float32), settings, quietly, quietly)
    with pytest.raises(InvalidChannelError, match="no label is above 0"):
        ranked([0, 1], [0, 1], [0, 0], (2, 2))


def test_weights_beyond_float32s_reach_are_refused_without_a_warning():
    with pytest.raises(DivergedError, match="the objective is"):
        ranked([0, 1], [0, 1], [3e38, 3e38], (2, 2), unobserved_weight=1e-3, regularization=1e-3)
