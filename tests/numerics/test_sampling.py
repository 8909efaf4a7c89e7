"""The sampler: conditionals, posterior and collapse, against independent arithmetic."""

import numpy as np
import pytest
from factorization_machines.errors import DivergedError
from factorization_machines.gibbs.calibration import fit_link
from factorization_machines.gibbs.likelihoods import Gaussian, OrderedProbit
from factorization_machines.gibbs.pairs.collapse import cut_products
from factorization_machines.gibbs.pairs.fields import Pairs, add_implicit_features, find_pairs
from factorization_machines.gibbs.pairs.sampler import PairSampler, sample_probes, score_plain
from factorization_machines.gibbs.pairs.sweeps import draw_side
from factorization_machines.gibbs.pairs.vectors import Links, Prior, Vectors
from factorization_machines.gibbs.randomness import random_state
from factorization_machines.gibbs.rows.sweeps import Columns, draw_factor, draw_weights, score_rows
from factorization_machines.hyperparameters.parsing import parse_hyperparameters
from factorization_machines.solve import solve
from recommender.features import FeatureRows
from recommender.model.machine import FactorizationMachine, predict, score, sigmoid
from scipy import sparse, stats

from testbed.matrices import rows_of

CLASSIFIER, REGRESSOR = "binary_classifier", "regressor"


def columns_of(matrix):
    matrix = sparse.csc_array(matrix)
    return Columns(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float64),
        np.zeros(matrix.shape[1], np.int64),
    )


def settings_of(rows, predictor_type, **others):
    return parse_hyperparameters(
        {
            "feature_dim": str(rows.dimension),
            "num_factors": "4",
            "predictor_type": predictor_type,
            "solver": "gibbs",
            **{name: str(value) for name, value in others.items()},
        }
    )


def sampled(rows, labels, predictor_type, **others):
    settings = settings_of(rows, predictor_type, **others)
    return solve(rows, labels, settings, lambda _summary: None, lambda _text: None)


# One sweep of a tiny model, many times from the same place: the draws' mean and covariance are
# those of the regression that the conditional is.


def tiny_side(generator):
    """Three entities, one feature of two of them; three others; five rows."""
    entities, others = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0])
    totals = generator.normal(size=(3, 3))
    own = generator.normal(size=(3, 3))
    design = np.array([1.0, 0.5, 0.0])
    parts = generator.normal(size=(1, 3))
    root = generator.normal(size=(3, 3))
    precision = root @ root.T + np.eye(3)
    return {
        "entities": entities,
        "others": others,
        "targets": generator.normal(size=5),
        "other_vectors": totals,
        "own": own,
        "parts": parts,
        "design": design,
        "precision": precision,
        "mean": generator.normal(size=3),
        "group_precision": np.array([[0.7, 1.3, 2.0]]),
        "group_mean": generator.normal(size=(1, 3)),
        "weight": 1.7,
    }


def exact_posterior(tiny):
    """Mean and covariance of [own_0, own_1, own_2, part], all drawn jointly, by dense algebra."""
    precision, pull = np.zeros((12, 12)), np.zeros(12)
    for row, (entity, other) in enumerate(zip(tiny["entities"], tiny["others"], strict=True)):
        vector = np.append(tiny["other_vectors"][other, :2], 1.0)
        slope = np.zeros(12)
        slope[3 * entity : 3 * entity + 3] = vector
        slope[9:] = tiny["design"][entity] * vector
        target = tiny["targets"][row] - tiny["other_vectors"][other, 2]
        precision += tiny["weight"] * np.outer(slope, slope)
        pull += tiny["weight"] * target * slope
    for entity in range(3):
        block = slice(3 * entity, 3 * entity + 3)
        precision[block, block] += tiny["precision"]
        pull[block] += tiny["precision"] @ tiny["mean"]
    precision[9:, 9:] += np.diag(tiny["group_precision"][0])
    pull[9:] += tiny["group_precision"][0] * tiny["group_mean"][0]
    covariance = np.linalg.inv(precision)
    return covariance @ pull, covariance


@pytest.mark.parametrize("parts_every", [1, 2])
def test_a_side_is_drawn_from_the_regression_that_the_other_side_makes_of_it(parts_every):
    tiny = tiny_side(np.random.default_rng(8))
    order = np.argsort(tiny["entities"], kind="stable")
    links = Links(
        np.array([0, 2, 3, 5]), tiny["others"][order].astype(np.int32), order.astype(np.int32)
    )
    has = np.flatnonzero(tiny["design"])
    features = find_nothing()._replace(
        offsets=np.array([0, has.size]),
        entities=has.astype(np.int32),
        values=tiny["design"][has],
        groups=np.array([0]),
    )
    prior = Prior(
        tiny["precision"],
        tiny["precision"] @ tiny["mean"],
        tiny["group_precision"],
        tiny["group_mean"],
    )
    vectors = Vectors(
        tiny["own"] + tiny["design"][:, None] * tiny["parts"], tiny["own"], tiny["parts"]
    )
    state, grams, pulls = random_state(6), np.empty((3, 3, 3)), np.empty((3, 3))
    found = np.empty((60_000, 12))

    for number, out in enumerate(found):
        draw_side(
            links,
            tiny["targets"],
            tiny["weight"],
            tiny["other_vectors"],
            features,
            vectors,
            prior,
            grams,
            pulls,
            state,
            number % parts_every == 0,
        )
        out[:] = np.concatenate([vectors.own.ravel(), vectors.parts.ravel()])

    mean, covariance = exact_posterior(tiny)
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(found.T), covariance, atol=0.06)
    np.testing.assert_allclose(
        vectors.totals, vectors.own + tiny["design"][:, None] * vectors.parts, atol=1e-9
    )


def find_nothing():
    return find_pairs(rows_of([[1, 1]]), (1, 1)).user_field.features


@pytest.mark.parametrize("what", ["weight", "factor"])
def test_one_number_of_a_column_is_drawn_from_its_own_normal_distribution(what):
    generator = np.random.default_rng(9)
    matrix = generator.normal(size=(7, 3))
    start, weights = generator.normal(size=3), generator.normal(size=3)
    target, noise, precision, mean = generator.normal(size=7), 2.5, 1.4, 0.3
    columns, state = columns_of(matrix), random_state(7)
    scores = np.empty(7)
    score_rows(columns, weights, start[None], scores)
    found = np.empty(20_000)

    for place in range(found.size):
        residuals, at, at_weights = target - scores, start.copy(), weights.copy()
        arguments = (residuals, np.array([precision]), np.array([mean]), state)
        if what == "weight":
            draw_weights(columns, noise, at_weights, *arguments)
        else:
            draw_factor(columns, noise, at, *arguments, np.empty(7))
        # Only the first column's draw has the others where they began.
        found[place] = at_weights[0] if what == "weight" else at[0]

    slope = matrix[:, 0]
    if what == "factor":
        slope = matrix[:, 0] * (matrix[:, 1:] @ start[1:])
    old = weights[0] if what == "weight" else start[0]
    variance = 1 / (noise * slope @ slope + precision)
    centre = variance * (noise * slope @ (target - scores + slope * old) + precision * mean)
    assert stats.kstest(found, stats.norm(centre, variance**0.5).cdf).pvalue > 1e-3
    np.testing.assert_allclose(residuals, target - rescored(columns, at_weights, at), atol=1e-9)


def rescored(columns, weights, factor):
    scores = np.empty(columns.rows.max() + 1)
    score_rows(columns, weights, factor[None], scores)
    return scores


def test_rows_are_scored_as_the_machine_scores_them():
    generator = np.random.default_rng(10)
    matrix = generator.normal(size=(9, 5)) * (generator.random((9, 5)) < 0.6)
    weights, factors = generator.normal(size=5), generator.normal(size=(2, 5))
    scores = np.empty(9)

    score_rows(columns_of(matrix), weights, factors, scores)

    machine = FactorizationMachine(
        0.0, weights.astype(np.float32), factors.T.astype(np.float32), REGRESSOR
    )
    np.testing.assert_allclose(scores, score(rows_of(matrix), machine), atol=1e-5)


def test_cuts_follow_the_shares_of_the_levels():
    # With all scores 0 a cut's posterior is that of a quantile of the noise.
    generator = np.random.default_rng(11)
    labels = generator.choice([1, 2, 3, 4], size=4000, p=[0.1, 0.2, 0.5, 0.2]).astype(np.float32)
    likelihood = OrderedProbit(labels, 3.0, random_state(8), generator)
    scores, targets, seen = np.full(4000, -stats.norm.ppf(0.3)), np.empty(4000), []

    for _ in range(3000):
        likelihood.draw_targets(scores, targets)
        seen.append(likelihood.cuts[1:-1].copy())

    expected = stats.norm.ppf([0.1, 0.3, 0.8]) - stats.norm.ppf(0.3)
    np.testing.assert_allclose(np.mean(seen[500:], axis=0), expected, atol=0.06)
    likes = labels >= 3
    assert (targets[likes] > 0).all()
    assert (targets[~likes] < 0).all()


# Simulation-based calibration: parameters from the prior, data from the parameters; then the
# parameters' ranks among posterior draws are uniform (Talts et al. 2018).


def test_the_posterior_is_calibrated_under_simulation():
    generator, state = np.random.default_rng(12), random_state(9)
    users, items, rounds, kept = 4, 4, 300, 19
    entities = np.repeat(np.arange(users), items)
    others = np.tile(np.arange(items), users)
    nothing = find_nothing()._replace(groups=np.zeros(0, np.int64))
    prior = Prior(np.eye(2) * 2.0, np.array([0.5, 0.5]), np.empty((0, 2)), np.empty((0, 2)))
    sides = []
    for mine, theirs in ((entities, others), (others, entities)):
        order = np.argsort(mine, kind="stable")
        sides.append(
            Links(np.arange(0, 17, 4), theirs[order].astype(np.int32), order.astype(np.int32))
        )
    ranks = np.empty(rounds)
    for place in range(rounds):
        true = [0.25 + generator.normal(size=(4, 2)) / 2**0.5 for _ in range(2)]
        signal = (true[0][entities, :1] * true[1][others, :1]).sum(axis=1)
        signal += true[0][entities, 1] + true[1][others, 1]
        data = signal + generator.normal(size=signal.size)
        chain = [
            Vectors(own.copy(), own.copy(), np.empty((0, 2)))
            for own in (0.25 + generator.normal(size=(4, 2)) / 2**0.5 for _ in range(2))
        ]
        found = []
        for sweep in range(60 + kept * 12):
            for side in (0, 1):
                draw_side(
                    sides[side],
                    data,
                    1.0,
                    chain[1 - side].totals,
                    nothing,
                    chain[side],
                    prior,
                    np.empty((4, 2, 2)),
                    np.empty((4, 2)),
                    state,
                    with_parts=True,
                )
            if sweep >= 60 and not (sweep - 60) % 12:
                found.append(score_of(chain, 0, 0))
        ranks[place] = np.count_nonzero(np.array(found) < signal[0])

    counts = np.bincount((ranks // 2).astype(int), minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-3


def score_of(chain, user, item):
    first, second = chain[0].totals[user], chain[1].totals[item]
    return first[0] * second[0] + first[1] + second[1]


# The collapse.


def test_a_cut_at_the_full_rank_changes_no_score():
    generator = np.random.default_rng(13)
    left = generator.normal(size=(30, 6)).astype(np.float32)
    right = (0.4 + generator.normal(size=(20, 6))).astype(np.float32)

    plain = cut_products(left, right, 6, seed=0)

    users, items = np.divmod(np.arange(600), 20)
    np.testing.assert_allclose(
        score_plain(plain, users, items), (left @ right.T).ravel(), atol=1e-4
    )


def test_the_cut_is_the_best_of_its_rank_and_no_score_moves_further_than_it_says():
    generator = np.random.default_rng(14)
    scales = 0.6 ** np.arange(12)
    left = (generator.normal(size=(80, 12)) * scales).astype(np.float32)
    right = generator.normal(size=(60, 12)).astype(np.float32)

    plain = cut_products(left, right, 4, seed=0)

    products = (left.astype(float) - left.mean(axis=0)) @ (right - right.mean(axis=0)).T
    singular = np.linalg.svd(products, compute_uv=False)
    away = plain.user_factors @ plain.item_factors.T - products
    assert np.linalg.norm(away) == pytest.approx(np.linalg.norm(singular[4:]), rel=1e-3)
    assert np.abs(away).max() <= plain.next_singular_value * 1.001
    assert plain.next_singular_value == pytest.approx(singular[4], rel=1e-3)


def test_more_factors_than_there_are_directions_are_zero():
    plain = cut_products(
        np.ones((3, 1), np.float32), np.array([[1], [2]], np.float32), rank=10, seed=0
    )

    assert plain.user_factors.shape == (3, 10)
    np.testing.assert_allclose(
        score_plain(plain, np.array([0, 1]), np.array([0, 1])), [1, 2], atol=1e-6
    )


def test_a_link_is_found_again():
    scores = np.random.default_rng(15).normal(3.0, 2.0, 500)

    found = fit_link(scores, sigmoid(1.7 * scores - 4.0))

    assert (found.scale, found.shift) == pytest.approx((1.7, -4.0), abs=1e-6)


# The fold.


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


# Whole fits.


def planted_pairs(generator, count=6000, users=40, items=30):
    """Pairs scored by known weights and factors."""
    user, item = generator.integers(0, users, count), generator.integers(0, items, count)
    first, second = generator.normal(size=(users, 2)), generator.normal(size=(items, 2))
    weights = generator.normal(size=users)
    signal = 0.7 * (first[user] * second[item]).sum(axis=1) + 0.5 * weights[user]
    rows = FeatureRows.pairs(user, item + users, users + items)
    return rows, signal


@pytest.mark.parametrize("chains", [1, 3])
def test_planted_ratings_are_recovered_on_pairs(chains):
    generator = np.random.default_rng(20)
    rows, signal = planted_pairs(generator)
    labels = (3 + signal + 0.1 * generator.normal(size=signal.size)).astype(np.float32)

    sizes = {"draws": 40, "burn_in": 40, "draw_factors": 2, "chains": chains}
    machine = sampled(rows, labels, REGRESSOR, **sizes).machine

    assert np.sqrt(np.mean((score(rows, machine) - 3 - signal) ** 2)) < 0.05


def test_planted_chances_are_recovered_on_pairs():
    generator = np.random.default_rng(21)
    rows, signal = planted_pairs(generator, count=20_000)
    chances = stats.norm.cdf(signal)
    labels = (generator.random(signal.size) < chances).astype(np.float32)

    machine = sampled(rows, labels, CLASSIFIER, draws=60, burn_in=40, draw_factors=2).machine

    assert np.abs(predict(rows, machine) - chances).mean() < 0.05


@pytest.mark.parametrize("predictor_type", [CLASSIFIER, REGRESSOR])
def test_planted_scores_are_recovered_on_rows_of_any_shape(predictor_type):
    generator = np.random.default_rng(22)
    matrix = np.zeros((6000, 10))
    for row in matrix:
        row[generator.choice(10, 4, replace=False)] = generator.choice([-1.0, 1.0, 0.5], 4)
    weights, factors = generator.normal(size=10) * 0.5, generator.normal(size=(10, 2)) * 0.6
    inner = matrix @ factors
    signal = matrix @ weights + 0.5 * (
        (inner**2).sum(axis=1) - (matrix**2 @ factors**2).sum(axis=1)
    )
    if predictor_type == CLASSIFIER:
        expected = stats.norm.cdf(signal)
        labels, limit = (generator.random(6000) < expected).astype(np.float32), 0.05
    else:
        expected, limit = signal, 0.06
        labels = (signal + 0.1 * generator.normal(size=6000)).astype(np.float32)
    rows = rows_of(matrix)

    machine = sampled(
        rows, labels, predictor_type, draws=80, burn_in=80, num_factors=16, draw_factors=2
    ).machine

    assert machine.factors.shape == (10, 16)
    assert np.abs(predict(rows, machine) - expected).mean() < limit


def test_stars_give_chances_of_a_like_from_a_classifier_and_from_a_regressor():
    generator = np.random.default_rng(23)
    rows, signal = planted_pairs(generator, count=20_000)
    noisy = signal + generator.normal(size=signal.size)
    stars = (1 + np.searchsorted([-2.0, -1.0, 0.0, 1.5], noisy)).astype(np.float32)
    chances = stats.norm.cdf(signal)
    others = {"draws": 60, "burn_in": 60, "draw_factors": 2, "like_threshold": 4}

    classifier = sampled(rows, stars, CLASSIFIER, **others)
    regressor = sampled(rows, stars, REGRESSOR, **others)

    assert np.abs(predict(rows, classifier.machine) - chances).mean() < 0.05
    ratings, link = predict(rows, regressor.machine), regressor.like_link
    assert np.abs(sigmoid(link.scale * ratings + link.shift) - chances).mean() < 0.06
    levels = np.arange(1, 6)
    edges = np.array([-np.inf, -2.0, -1.0, 0.0, 1.5, np.inf])
    mass = np.diff(stats.norm.cdf(edges[None] - signal[:, None]), axis=1)
    assert np.sqrt(np.mean((ratings - mass @ levels) ** 2)) < 0.25
    assert classifier.like_link is None


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_of_one_class_are_learned_as_such(label):
    rows, _ = planted_pairs(np.random.default_rng(24), count=500)

    machine = sampled(
        rows, np.full(500, label, np.float32), CLASSIFIER, draws=10, burn_in=10
    ).machine

    assert (np.abs(predict(rows, machine) - label) < 0.4).all()


@pytest.mark.parametrize("chains", [1, 3])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(chains):
    generator = np.random.default_rng(25)
    rows, signal = planted_pairs(generator, count=800)
    labels = (signal > 0).astype(np.float32)

    def bits(seed):
        sizes = {"draws": 4, "burn_in": 2, "chains": chains}
        machine = sampled(rows, labels, CLASSIFIER, seed=seed, **sizes).machine
        return machine.bias, machine.linear.tobytes(), machine.factors.tobytes()

    assert bits(1) == bits(1)
    assert bits(1) != bits(2)


@pytest.mark.parametrize("matrix", [np.zeros((2, 1)), np.eye(2)], ids=["bias alone", "weights"])
def test_a_machine_that_leaves_the_finite_numbers_is_refused_without_a_warning(matrix):
    rows = rows_of(matrix)

    with pytest.raises(DivergedError, match="a parameter is not finite"):
        sampled(
            rows,
            np.array([-3e38, 3e38], np.float32),
            REGRESSOR,
            num_factors=1,
            draws=2,
            burn_in=0,
        )
