"""Fields: what belongs to users and to items, and how it is folded into them."""

import numpy as np
import pytest
from factorization_machines.fields import Pairs, find_pairs
from factorization_machines.gibbs.likelihoods import Gaussian
from factorization_machines.gibbs.pairs.implicit_features import add_implicit_features
from factorization_machines.gibbs.pairs.sampler import PairSampler, sample_probes, score_plain
from factorization_machines.gibbs.randomness import random_state
from recommender.features import FeatureRows
from recommender.model.machine import predict
from recommender.predictor_types import BINARY_CLASSIFIER as CLASSIFIER
from scipy import sparse

from testbed.numerics.matrices import rows_of
from testbed.numerics.training import sampled


def side_rows(generator, count=4000, users=12, items=9):
    """User, item, two features of the user, one real feature of the item."""
    user, item = generator.integers(0, users, count), generator.integers(0, items, count)
    pair = np.unique(user * items + item)
    user, item = pair // items, pair % items
    known_user = generator.random((users, 2)) < 0.5
    known_item = generator.choice([0.5, 2.0], size=(items, 1))
    one_hot = np.hstack([np.eye(users)[user], np.eye(items)[item]])
    return np.hstack([one_hot, known_user[user], known_item[item]])


def test_columns_are_given_to_the_side_that_decides_them():
    generator = np.random.default_rng(16)
    matrix = side_rows(generator)
    used = matrix.any(axis=0)

    for sizes in ((), (12, 9, 2, 1)):
        pairs = find_pairs(rows_of(matrix), sizes)

        assert (pairs.user_field.first, pairs.user_field.size) == (0, 12)
        assert (pairs.item_field.first, pairs.item_field.size) == (12, 9)
        assert pairs.user_field.features.size == used[21:23].sum()
        assert pairs.item_field.features.size == 1
        for row, (user, item) in enumerate(zip(pairs.users, pairs.items, strict=True)):
            assert matrix[row, user] == 1
            assert matrix[row, 12 + item] == 1
        item_values = pairs.item_field.features
        by_item = dict(zip(item_values.entities, item_values.values, strict=True))
        assert all(matrix[row, 23] == by_item[item] for row, item in enumerate(pairs.items))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda matrix: matrix * 2,
        lambda matrix: np.hstack([matrix, np.random.default_rng(0).random((len(matrix), 1))]),
        lambda matrix: np.vstack([matrix, np.zeros(matrix.shape[1])]),
    ],
)
def test_rows_that_are_more_than_pairs_are_not_taken_for_pairs(spoil):
    matrix = side_rows(np.random.default_rng(17))

    assert find_pairs(rows_of(spoil(matrix)), ()) is None


def test_implicit_features_describe_each_side_by_the_other():
    users, items = np.array([0, 0, 1], np.int32), np.array([0, 2, 2], np.int32)
    rows = FeatureRows.pairs(users.astype(np.int64), items + np.int64(2), 5)

    pairs = add_implicit_features(find_pairs(rows, (2, 3)))

    def dense(field):
        found = field.features
        return sparse.csc_array(
            (found.values, found.entities, found.offsets), (field.size, found.size)
        ).toarray()

    half = 0.5**0.5
    np.testing.assert_allclose(dense(pairs.user_field), [[half, 0, half], [0, 0, 1]])
    np.testing.assert_allclose(dense(pairs.item_field), [[1, 0], [0, 0], [half, half]])


def unfolded_score(sampler: PairSampler, pairs: Pairs, user, item):
    """The score of a pair's own and features' parts, each written out."""
    vectors = []
    for side, field, entity in (
        (sampler._users, pairs.user_field, user),
        (sampler._items, pairs.item_field, item),
    ):
        found = field.features
        design = sparse.csc_array(
            (found.values, found.entities, found.offsets), (field.size, found.size)
        ).toarray()
        vectors.append(side.vectors.own[entity] + design[entity] @ side.vectors.parts)
    first, second = vectors
    return first[:-1] @ second[:-1] + first[-1] + second[-1]


def test_the_folded_machine_scores_as_the_features_do_unfolded():
    generator = np.random.default_rng(18)
    matrix = side_rows(generator)
    pairs = add_implicit_features(find_pairs(rows_of(matrix), ()))
    labels = generator.normal(size=len(matrix)).astype(np.float32)
    likelihood = Gaussian(labels, None, generator)
    sampler = PairSampler(pairs, likelihood, 2, 1, random_state(10), generator)
    for _ in range(5):
        sampler.sweep()
    sampler.keep()

    plain = sampler.collapse(9, classifies=False, seed=0).plain

    users, items = np.divmod(np.arange(12 * 9), 9)
    unfolded = np.array(
        [unfolded_score(sampler, pairs, *pair) for pair in zip(users, items, strict=True)]
    )
    np.testing.assert_allclose(
        score_plain(plain, users, items), likelihood.expected(unfolded), atol=2e-5
    )


def test_side_columns_of_the_served_machine_weigh_nothing():
    generator = np.random.default_rng(19)
    matrix = side_rows(generator)
    rows = rows_of(matrix)
    labels = (generator.random(len(matrix)) < 0.5).astype(np.float32)

    machine = sampled(
        rows, labels, CLASSIFIER, draws=5, burn_in=2, implicit_features="true"
    ).machine

    assert not machine.linear[21:].any()
    assert not machine.factors[21:].any()
    pairs_alone = rows_of(np.hstack([matrix[:, :21], np.zeros((len(matrix), 3))]))
    np.testing.assert_allclose(predict(rows, machine), predict(pairs_alone, machine), rtol=1e-12)


def test_chains_put_together_are_the_mean_of_all_their_draws():
    generator = np.random.default_rng(19)
    pairs = find_pairs(rows_of(side_rows(generator)), ())
    labels = generator.normal(size=pairs.users.size).astype(np.float32)
    probes = sample_probes(pairs, generator)
    chains, scores = [], []
    for number, draws in enumerate((2, 3)):
        own = np.random.default_rng(number)
        likelihood = Gaussian(labels, None, own)
        chain = PairSampler(pairs, likelihood, 2, 4, random_state(number), own, probes)
        for _ in range(draws):
            chain.sweep()
            chain.keep()
            users, items = (
                chain._users.vectors.totals[probes[0]],
                chain._items.vectors.totals[probes[1]],
            )
            scores.append((users[:, :-1] * items[:, :-1]).sum(axis=1) + users[:, -1] + items[:, -1])
        chains.append(chain)

    both, other = chains
    both.absorb(other)

    mean = np.mean(scores, axis=0)
    np.testing.assert_allclose(both._posterior.means(both._kept)[0], mean, atol=1e-12)
    left, right = both._stacks
    products = np.einsum("pc,pc->p", left[probes[0], :10], right[probes[1], :10], dtype=np.float64)
    weights = both._weights[0][probes[0]] + both._weights[1][probes[1]]
    np.testing.assert_allclose((products + weights) / both._kept, mean, atol=1e-5)
