"""The judgement of a run: every figure against one computed by hand, in loops."""

import json
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from recommender.catalog.config import CatalogConfig
from recommender.catalog.gate import Gate
from recommender.dataset.vocabulary import Vocabulary
from recommender.evaluation import metrics as evaluation
from recommender.evaluation.assessment import (
    Assessment,
    Champion,
    HeldOutPairs,
    RatedPairs,
    Sides,
    assess,
)
from recommender.model.pair_model import PairModel
from recommender.predictor_types import BINARY_CLASSIFIER, REGRESSOR
from scipy.sparse import csr_array
from scipy.stats import rankdata

from testbed import films

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]

VOCABULARY = Vocabulary(films.USERS, films.ITEMS)
CONFIG = CatalogConfig(top_n=3)
REGRESSION = CatalogConfig(predictor_type=REGRESSOR, top_n=3)


def planted(
    vocabulary: Vocabulary = VOCABULARY,
    *,
    strength: float = 2.0,
    predictor_type: str = BINARY_CLASSIFIER,
    bias: float = 0.0,
) -> PairModel:
    """A model whose score of a pair is +/- 2 x strength: by taste, or against it when negative."""
    n_users, n_items = len(vocabulary.users), len(vocabulary.items)
    return PairModel(
        bias=bias,
        user_weights=np.zeros(n_users, np.float32),
        user_factors=np.array([[2.0 * films.taste(user)] for user in vocabulary.users], np.float32),
        item_weights=np.zeros(n_items, np.float32),
        item_factors=np.array(
            [[strength * films.taste(item)] for item in vocabulary.items], np.float32
        ),
        predictor_type=predictor_type,
    )


def rating(user: str, item: str) -> float:
    return 5.0 if films.likes(user, item) else 1.0


def sides(predictor_type: str = BINARY_CLASSIFIER, *, liked: bool = True) -> Sides:
    """The planted catalog's ratings, three at a time."""

    def numbers(which: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = list(films.pairs(which))
        ratings = np.array([rating(*pair) for pair in found], np.float32)
        return (
            np.array([films.USERS.index(user) for user, _ in found]),
            np.array([films.ITEMS.index(item) for _, item in found]),
            ratings if predictor_type == REGRESSOR else (ratings >= 4).astype(np.float32),
        )

    def parts(*columns: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        for first in range(0, columns[0].size, 3):
            yield tuple(column[first : first + 3] for column in columns)

    train, test = numbers("train"), numbers("test")
    likes = np.array([liked and films.likes(*pair) for pair in films.pairs("test")])
    return Sides(
        train=lambda: (RatedPairs(*part) for part in parts(*train)),
        train_rows=train[0].size,
        test=lambda: (HeldOutPairs(*part) for part in parts(*test, likes)),
    )


def judged(
    model: PairModel, champion: Champion | None = None, config: CatalogConfig = CONFIG
) -> Assessment:
    return assess(model, VOCABULARY, sides(model.predictor_type), config, champion)


def cross_entropy(probabilities: Sequence[float]) -> float:
    losses = [
        -math.log(chance if films.likes(*pair) else 1 - chance)
        for pair, chance in zip(films.pairs("test"), probabilities, strict=True)
    ]
    return sum(losses) / len(losses)


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def test_a_challenger_is_measured_on_the_test_set() -> None:
    result = judged(planted())
    found = result.challenger.as_dict()
    assert found["accuracy"] == found["auc"] == found["f1"] == 1.0
    chances = [sigmoid(4 if films.likes(*pair) else -4) for pair in films.pairs("test")]
    assert found["cross_entropy"] == pytest.approx(cross_entropy(chances))
    assert result.verdict.promoted


def test_a_challenger_that_is_wrong_about_everything_is_rejected() -> None:
    result = judged(planted(strength=-2.0))
    assert result.challenger.as_dict()["accuracy"] == 0.0
    assert not result.verdict.promoted
    assert "not better than the item means'" in result.verdict.reasons[0]


def test_a_regressor_is_measured_in_rating_units() -> None:
    result = judged(planted(strength=0.5, predictor_type=REGRESSOR, bias=3.0), config=REGRESSION)
    # It says 3 + 1 and 3 - 1, where 5 and 1 are right.
    assert result.challenger.as_dict() == pytest.approx({"rmse": 1.0, "mae": 1.0})
    assert result.verdict.promoted


def test_a_champion_is_asked_in_its_own_words() -> None:
    vocabulary = Vocabulary(films.USERS[::-1], films.ITEMS[::-1])
    champion = Champion("old", vocabulary, planted(vocabulary, strength=1.0))
    result = judged(planted(), champion)
    chances = [sigmoid(2 if films.likes(*pair) else -2) for pair in films.pairs("test")]
    assert result.champion is not None
    assert result.champion.as_dict()["cross_entropy"] == pytest.approx(cross_entropy(chances))
    assert result.champion_run == "old"


def test_what_a_champion_does_not_know_it_answers_with_its_bias() -> None:
    vocabulary = Vocabulary(films.USERS[:5], films.ITEMS[:5])
    champion = Champion("old", vocabulary, planted(vocabulary, bias=0.25))
    result = judged(planted(), champion)
    chances = []
    for user, item in films.pairs("test"):
        known = user in vocabulary.users and item in vocabulary.items
        score = (4 if films.likes(user, item) else -4) if known else 0
        chances.append(sigmoid(score + 0.25))
    assert result.champion is not None
    assert result.champion.as_dict()["cross_entropy"] == pytest.approx(cross_entropy(chances))


@pytest.mark.parametrize(
    ("strength", "promoted"),
    [(2.0, True), (1.999, True), (1.9, False)],
    ids=["equal", "within tolerance", "beyond tolerance"],
)
def test_a_challenger_may_be_worse_than_the_champion_by_the_tolerance(
    strength: float, *, promoted: bool
) -> None:
    champion = Champion("old", VOCABULARY, planted())
    assert judged(planted(strength=strength), champion).verdict.promoted is promoted


@pytest.mark.parametrize(
    ("gate", "promoted"),
    [
        (Gate(minimum={"auc": 1.0, "hit_rate": 0.1}), True),
        (Gate(maximum={"cross_entropy": 0.001}), False),
        (Gate(minimum={"coverage": 1.0}), False),
        (Gate(baseline_margin=0.99), False),
    ],
)
def test_the_gate_of_the_catalog_is_the_one_that_judges(gate: Gate, *, promoted: bool) -> None:
    config = CatalogConfig(top_n=1, gate=gate)
    assert judged(planted(), config=config).verdict.promoted is promoted


def test_a_champion_of_the_other_kind_is_not_compared_with() -> None:
    champion = Champion("old", VOCABULARY, planted(predictor_type=REGRESSOR))
    result = judged(planted(strength=0.5), champion)
    assert (result.champion, result.champion_run) == (None, "old")
    assert result.verdict.promoted


def best(user: str, value: dict[str, float]) -> list[str]:
    """A user's list as one would make it by hand: what they have not rated, best first."""
    train = set(films.pairs("train"))
    left = [item for item in films.ITEMS if (user, item) not in train]
    return sorted(left, key=lambda item: (-value[item], films.ITEMS.index(item)))[: CONFIG.top_n]


def ranked(lists: dict[str, list[str]]) -> dict[str, float]:
    hits, gains = [], []
    for user, found in lists.items():
        liked = {i for u, i in films.pairs("test") if u == user and films.likes(u, i)}
        if not liked:
            continue
        marks = [item in liked for item in found]
        gain = sum(1 / math.log2(at + 2) for at, mark in enumerate(marks) if mark)
        ideal = sum(1 / math.log2(at + 2) for at in range(min(len(liked), len(found))))
        hits.append(any(marks))
        gains.append(gain / ideal)
    named = {item for found in lists.values() for item in found}
    return {
        "hit_rate": sum(hits) / len(hits),
        "ndcg": sum(gains) / len(gains),
        "coverage": len(named) / len(films.ITEMS),
    }


@pytest.mark.parametrize("config", [CONFIG, REGRESSION], ids=lambda one: one.predictor_type)
def test_lists_are_compared_with_those_of_plain_popularity(config: CatalogConfig) -> None:
    model = planted(predictor_type=config.predictor_type)
    result = judged(model, config=config)
    users = [
        user
        for user in films.USERS
        if any(u == user and films.likes(u, i) for u, i in films.pairs("test"))
    ]
    scores = {
        user: {item: float(films.taste(user) * films.taste(item)) for item in films.ITEMS}
        for user in users
    }
    personal = ranked({user: best(user, scores[user]) for user in users})
    likes = {
        item: float(sum(films.likes(u, i) for u, i in films.pairs("train") if i == item))
        for item in films.ITEMS
    }
    popular = ranked({user: best(user, likes) for user in users})
    for found, expected in ((result.ranking, personal), (result.popularity, popular)):
        told = found.as_dict()
        assert {name: told[name] for name in expected} == pytest.approx(expected)


def test_a_test_set_without_likes_has_no_lists_to_compare() -> None:
    result = assess(planted(), VOCABULARY, sides(liked=False), CONFIG, None)
    assert result.ranking.as_dict()["hit_rate"] == 0.0


def test_an_assessment_is_kept_as_json() -> None:
    champion = Champion("old", VOCABULARY, planted(strength=1.0))
    told = json.loads(json.dumps(judged(planted(), champion).to_dict()))
    assert set(told) == {
        "warnings",
        "challenger",
        "baseline",
        "champion",
        "championRunId",
        "championDifference",
        "ranking",
        "popularity",
        "verdict",
        "reasons",
    }
    assert (told["verdict"], told["championRunId"]) == ("promoted", "old")


def by_the_whole(
    model: PairModel, train: Columns, test: Columns, likes: np.ndarray, config: CatalogConfig
) -> dict[str, float]:
    """The figures of many ratings, from whole arrays and plain definitions."""
    users, items, labels = test
    chances = 1 / (1 + np.exp(-model.score_pairs(users, items)))
    counts = np.bincount(train[1], minlength=model.items)
    sums = np.bincount(train[1], train[2].astype(float), minlength=model.items)
    means = ((sums + 5 * train[2].mean(dtype=float)) / (counts + 5))[items]
    wins = rankdata(chances)[labels == 1].sum()
    positives = int((labels == 1).sum())
    auc = (wins - positives * (positives + 1) / 2) / (positives * (labels == 0).sum())

    def loss(chance: np.ndarray) -> float:
        return float(-np.mean(np.log(np.where(labels == 1, chance, 1 - chance))))

    rated = csr_array((np.ones(train[0].size), train[:2]), (model.users, model.items)).toarray()
    scores = np.where(
        rated > 0, -np.inf, model.item_weights + model.user_factors @ model.item_factors.T
    )
    best = np.argsort(-scores, axis=1, kind="stable")[:, : config.top_n]
    wanted = np.zeros((model.users, model.items), bool)
    wanted[users[likes], items[likes]] = True
    hits = np.take_along_axis(wanted, best, axis=1).any(axis=1)[wanted.any(axis=1)]
    return {
        "accuracy": float(np.mean((chances >= 0.5) == labels)),
        "cross_entropy": loss(chances),
        "auc": float(auc),
        "baseline": loss(means),
        "hit_rate": float(hits.mean()),
    }


def test_many_ratings_in_pieces_come_to_the_same_figures_as_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluation, "_ROWS_AT_ONCE", 1000)
    rng = np.random.default_rng(3)
    n_users, n_items = 300, 500
    pairs = rng.permutation(n_users * n_items)[:60_000]
    users, items = (pairs // n_items).astype("i4"), (pairs % n_items).astype("i4")
    labels = (rng.random(pairs.size) < 0.2 + 0.6 * (items % 7) / 7).astype("f4")
    model = PairModel(
        -0.1,
        *(rng.normal(size=shape).astype("f4") for shape in (n_users, (n_users, 8))),
        *(rng.normal(size=shape).astype("f4") for shape in (n_items, (n_items, 8))),
        BINARY_CLASSIFIER,
    )
    cut = 54_000
    train = users[:cut], items[:cut], labels[:cut]
    test = users[cut:], items[cut:], labels[cut:]
    likes = test[2] == 1
    pieces = Sides(
        train=lambda: (RatedPairs(*(c[at : at + 700] for c in train)) for at in range(0, cut, 700)),
        train_rows=cut,
        test=lambda: (
            HeldOutPairs(*(c[at : at + 700] for c in (*test, likes))) for at in range(0, 6000, 700)
        ),
    )
    names = [str(n) for n in range(max(n_users, n_items))]
    vocabulary = Vocabulary(tuple(names[:n_users]), tuple(names[:n_items]))
    found = assess(model, vocabulary, pieces, CONFIG, None)
    told = {
        **found.challenger.as_dict(),
        "baseline": found.baseline.as_dict()["cross_entropy"],
        "hit_rate": found.ranking.hit_rate,
    }
    expected = by_the_whole(model, train, test, likes, CONFIG)
    assert {name: told[name] for name in expected} == pytest.approx(expected, rel=1e-12, abs=0)
