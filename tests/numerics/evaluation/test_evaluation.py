"""Metrics against their definitions, counted pair by pair, and the gate's verdicts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.catalog.gate import Gate
from recommender.errors import ShapeMismatchError
from recommender.evaluation.baselines import ItemMeans
from recommender.evaluation.metrics import (
    Metrics,
    RankingMetrics,
    classification_metrics,
    ranking_metrics,
    regression_metrics,
)
from recommender.evaluation.verdict import judge
from scipy.special import rel_entr


def pair_count_auc(labels, scores):
    """Share of the pairs of a like and a non-like that are in the right order, ties a half."""
    likes = [score for label, score in zip(labels, scores, strict=True) if label]
    others = [score for label, score in zip(labels, scores, strict=True) if not label]
    right = sum((like > other) + 0.5 * (like == other) for like in likes for other in others)
    return right / (len(likes) * len(others))


@given(
    rows=st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])),
        min_size=1,
        max_size=60,
    )
)
@settings(max_examples=100)
def test_classification_metrics_equal_their_definitions(rows):
    labels = np.array([float(label) for label, _ in rows], np.float32)
    chances = np.array([chance for _, chance in rows])
    metrics = classification_metrics(labels, chances)
    foretold = [chance >= 0.5 for _, chance in rows]
    true_positives = sum(f and label for f, (label, _) in zip(foretold, rows, strict=True))
    either = sum(foretold) + sum(label for label, _ in rows)
    hits = [f == label for f, (label, _) in zip(foretold, rows, strict=True)]
    assert metrics.accuracy == pytest.approx(sum(hits) / len(rows))
    assert metrics.f1 == pytest.approx(2 * true_positives / either if either else 0.0)
    if 0 < sum(label for label, _ in rows) < len(rows):
        assert metrics.auc == pytest.approx(pair_count_auc(labels, chances))
    else:
        assert metrics.auc is None
        assert "auc" not in metrics.as_dict()


def test_auc_equals_the_pair_count_on_many_untied_and_tied_scores():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    for scores in (rng.random(400), np.round(rng.random(400), 1), np.full(400, 0.5)):
        metrics = classification_metrics(labels.astype(np.float32), scores)
        assert metrics.auc == pytest.approx(pair_count_auc(labels, scores), rel=1e-12)


def test_cross_entropy_equals_the_relative_entropy_to_the_labels():
    rng = np.random.default_rng(1)
    labels, chances = rng.integers(0, 2, 500).astype(float), rng.random(500)
    expected = (rel_entr(labels, chances) + rel_entr(1 - labels, 1 - chances)).mean()
    metrics = classification_metrics(labels, chances)
    assert metrics.cross_entropy == pytest.approx(expected, rel=1e-12)


def test_certainty_costs_a_finite_amount_when_wrong_and_almost_nothing_when_right():
    wrong = classification_metrics(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert wrong.cross_entropy == pytest.approx(-math.log(1e-15), rel=1e-3)
    right = classification_metrics(np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    assert right.cross_entropy == pytest.approx(1e-15, rel=0.2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_probability_that_is_no_number_makes_every_metric_none(bad):
    metrics = classification_metrics(np.array([1.0, 0.0]), np.array([bad, 0.2]))
    assert all(math.isnan(value) for value in metrics.as_dict().values())


def test_regression_metrics_equal_their_definitions():
    rng = np.random.default_rng(2)
    ratings, predictions = rng.integers(1, 6, 300).astype(np.float32), rng.normal(3, 1, 300)
    metrics = regression_metrics(ratings, predictions)
    errors = [p - r for p, r in zip(predictions.tolist(), ratings.tolist(), strict=True)]
    assert metrics.rmse == pytest.approx(math.sqrt(sum(e * e for e in errors) / 300))
    assert metrics.mae == pytest.approx(sum(abs(e) for e in errors) / 300)
    assert sorted(metrics.as_dict()) == ["mae", "rmse"]


@pytest.mark.parametrize("function", [classification_metrics, regression_metrics])
@pytest.mark.parametrize(("labels", "predictions"), [([], []), ([1.0], [0.5, 0.5])])
def test_labels_and_predictions_must_be_as_many_and_not_none(function, labels, predictions):
    with pytest.raises(ShapeMismatchError):
        function(np.array(labels), np.array(predictions))


def test_the_baseline_is_the_item_s_mean_drawn_towards_the_mean_of_all():
    items = np.array([0, 0, 0, 2])
    labels = np.array([1, 1, 0, 0], np.float32)
    means = ItemMeans(3, prior_weight=2.0)
    for part in (slice(0, 1), slice(1, 1), slice(1, 4)):
        means.add(items[part], labels[part])
    predictions = means.predict(np.array([0, 1, 2, -1]))
    np.testing.assert_allclose(predictions, [(2 + 2 * 0.5) / 5, 0.5, (0 + 2 * 0.5) / 3, 0.5])


def test_a_baseline_without_train_labels_is_refused():
    with pytest.raises(ShapeMismatchError):
        ItemMeans(3).predict(np.array([0]))


def test_every_label_is_of_an_item():
    with pytest.raises(ShapeMismatchError):
        ItemMeans(3).add(np.array([0, 1]), np.ones(3, np.float32))


def plain_ranking(users, lists, likes, n_items):
    """Hit rate, NDCG and coverage, user by user."""
    hit, gain, shown = [], [], set()
    for user, row in zip(users, lists, strict=True):
        shown |= {item for item in row if item >= 0}
        wanted = {item for who, item in likes if who == user and item >= 0}
        if not wanted:
            continue
        found = [item >= 0 and item in wanted for item in row]
        hit.append(any(found))
        best = sum(1 / math.log2(place + 2) for place in range(min(len(wanted), len(row))))
        gain.append(sum(f / math.log2(place + 2) for place, f in enumerate(found)) / best)
    means = (sum(hit) / len(hit), sum(gain) / len(gain)) if hit else (0.0, 0.0)
    return (*means, len(shown) / n_items, len(hit))


@given(
    users=st.lists(st.integers(0, 7), unique=True, max_size=8),
    length=st.integers(0, 5),
    likes=st.lists(st.tuples(st.integers(-1, 9), st.integers(-1, 11)), max_size=30),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150)
def test_ranking_metrics_equal_a_count_user_by_user(users, length, likes, seed):
    rng = np.random.default_rng(seed)
    lists = [rng.permutation(12)[:length].tolist() for _ in users]
    for row in lists:
        cut = int(rng.integers(0, length + 1))
        row[cut:] = [-1] * (length - cut)
    metrics = ranking_metrics(
        np.array(users, np.int64),
        np.array(lists, np.int64).reshape(len(users), length),
        np.array([user for user, _ in likes], np.int64),
        np.array([item for _, item in likes], np.int64),
        12,
    )
    if not users or not length:
        assert (metrics.hit_rate, metrics.ndcg, metrics.users) == (0.0, 0.0, 0)
        return
    expected = plain_ranking(users, lists, likes, 12)
    found = (metrics.hit_rate, metrics.ndcg, metrics.coverage, metrics.users)
    assert found == pytest.approx(expected)


def test_the_best_list_has_gain_one_and_a_list_beside_it_none():
    users, likes = np.array([4]), (np.array([4, 4]), np.array([1, 2]))
    assert ranking_metrics(users, np.array([[2, 1, 7]]), *likes, 10).ndcg == pytest.approx(1.0)
    missed = ranking_metrics(users, np.array([[5, 6, 7]]), *likes, 10)
    assert (missed.hit_rate, missed.ndcg, missed.coverage, missed.users) == (0.0, 0.0, 0.3, 1)


def test_lists_that_do_not_belong_to_the_users_are_refused():
    none = np.zeros(0, np.int64)
    with pytest.raises(ShapeMismatchError):
        ranking_metrics(np.array([1, 2]), np.array([[1]]), none, none, 3)
    with pytest.raises(ShapeMismatchError):
        ranking_metrics(np.array([1]), np.array([[1]]), none, np.array([1]), 3)


def classifier(loss):
    return Metrics(accuracy=0.7, cross_entropy=loss, f1=0.7, auc=0.7)


def test_the_first_model_that_beats_the_item_means_is_promoted():
    verdict = judge(classifier(0.55), classifier(0.58), None, Gate())
    assert verdict.promoted
    assert "0.5500" in verdict.reasons[0]
    assert "0.5800" in verdict.reasons[0]


@pytest.mark.parametrize("loss", [0.58, 0.6])
def test_a_model_no_better_than_the_item_means_is_rejected_with_both_figures(loss):
    verdict = judge(classifier(loss), classifier(0.58), None, Gate())
    assert not verdict.promoted
    assert verdict.reasons == (
        f"The new model's cross-entropy {loss:.4f} is not better than the item means' 0.5800.",
    )


@pytest.mark.parametrize(
    ("loss", "promoted", "words"),
    [
        (0.54, True, "no worse than"),
        (0.55, True, "no worse than"),
        (0.5554, True, "at most 1.0% worse than"),
        (0.5556, False, "more than 1.0% worse than"),
    ],
)
def test_a_challenger_may_be_worse_than_the_champion_by_the_tolerance(loss, promoted, words):
    verdict = judge(classifier(loss), classifier(0.58), classifier(0.55), Gate())
    assert verdict.promoted is promoted
    assert any(words in reason and "0.5500" in reason for reason in verdict.reasons)


def test_everything_that_is_wrong_is_said():
    verdict = judge(classifier(0.7), classifier(0.58), classifier(0.55), Gate())
    assert not verdict.promoted
    assert len(verdict.reasons) == 2


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_metric_that_is_not_finite_is_rejected_by_name(bad):
    broken = Metrics(accuracy=0.9, cross_entropy=0.1, f1=0.9, auc=bad)
    verdict = judge(broken, classifier(0.58), None, Gate())
    assert not verdict.promoted
    assert verdict.reasons == ("The new model's auc is not finite.",)


def test_a_test_set_of_one_class_does_not_stop_a_model():
    one_class = Metrics(accuracy=0.9, cross_entropy=0.1, f1=0.9)
    assert judge(one_class, classifier(0.58), None, Gate()).promoted


def test_a_regressor_is_judged_by_its_rmse():
    champion = Metrics(rmse=0.92, mae=0.7)
    assert judge(
        Metrics(rmse=0.925, mae=0.7), Metrics(rmse=1.0, mae=0.8), champion, Gate()
    ).promoted
    assert not judge(
        Metrics(rmse=0.93, mae=0.7), Metrics(rmse=1.0, mae=0.8), champion, Gate()
    ).promoted


@pytest.mark.parametrize("champion", [Metrics(rmse=0.9, mae=0.7), classifier(math.nan)])
def test_a_champion_that_cannot_be_compared_does_not_stop_a_better_model(champion):
    verdict = judge(classifier(0.5), classifier(0.58), champion, Gate())
    assert verdict.promoted
    assert "serving model" in verdict.reasons[1]


@pytest.mark.parametrize(
    ("loss", "promoted"), [(0.58, False), (0.5511, False), (0.5509, True), (0.5, True)]
)
def test_a_margin_asks_for_more_than_beating_the_item_means(loss, promoted):
    verdict = judge(classifier(loss), classifier(0.58), None, Gate(baseline_margin=0.05))
    assert verdict.promoted is promoted
    assert "the item means' 0.5800 by more than 5.0%" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        (Gate(minimum={"auc": 0.71}), "auc 0.7000 is below gate.minimum, 0.7100"),
        (Gate(maximum={"cross_entropy": 0.5}), "cross_entropy 0.5500 is above gate.maximum, 0.5"),
        (Gate(minimum={"hit_rate": 0.31}), "hit_rate 0.3000 is below gate.minimum, 0.3100"),
        (Gate(minimum={"f1": 0.70000001}), "f1 0.70000000 is below gate.minimum, 0.70000001"),
    ],
)
def test_a_metric_beyond_its_limit_rejects_a_model_with_both_figures(gate, reason):
    lists = RankingMetrics(hit_rate=0.3, ndcg=0.2, coverage=0.5, users=9)
    verdict = judge(classifier(0.55), classifier(0.58), None, gate, lists)
    assert not verdict.promoted
    (told,) = verdict.reasons
    assert told.startswith(f"The new model's {reason}")


def test_a_metric_that_is_its_limit_is_within_it():
    gate = Gate(minimum={"auc": 0.7}, maximum={"cross_entropy": 0.55})
    verdict = judge(classifier(0.55), classifier(0.58), None, gate)
    assert verdict.promoted
    assert "The new model's auc 0.7000 is not below gate.minimum, 0.7000." in verdict.reasons
    assert (
        "The new model's cross_entropy 0.5500 is not above gate.maximum, 0.5500." in verdict.reasons
    )


@pytest.mark.parametrize("name", ["auc", "ndcg"])
def test_a_metric_that_the_test_set_cannot_tell_is_within_no_limit(name):
    one_class = Metrics(accuracy=0.9, cross_entropy=0.1, f1=0.9)
    nobody = RankingMetrics(hit_rate=0.0, ndcg=0.0, coverage=0.0, users=0)
    verdict = judge(one_class, classifier(0.58), None, Gate(minimum={name: 0.0}), nobody)
    assert verdict.reasons == (
        f"The new model's {name} cannot be told on this test set; gate.minimum asks for 0.",
    )


def test_a_baseline_of_another_kind_is_a_mistake():
    with pytest.raises(ShapeMismatchError):
        judge(classifier(0.5), Metrics(rmse=0.9), None, Gate())
