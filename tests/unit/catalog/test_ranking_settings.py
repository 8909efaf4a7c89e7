"""How much a rating counts for the ranking model."""

import numpy as np
import pytest
from recommender.catalog.config import parse_config
from recommender.catalog.ranking import Ranking
from recommender.errors import InvalidConfigError

STARS = np.array([1, 2, 3, 4, 5], np.float32)


def test_one_to_five_stars_count_a_fifth_each() -> None:
    np.testing.assert_allclose(Ranking().weigh(STARS, 1, 5), STARS / 5, rtol=1e-6)


def test_the_highest_rating_of_any_scale_counts_one_and_the_lowest_a_fifth() -> None:
    found = Ranking().weigh(np.array([-1, 0, 1], np.float32), -1, 1)
    np.testing.assert_allclose(found, [0.2, 0.6, 1.0], rtol=1e-6)


def test_where_all_ratings_are_equal_each_counts_one() -> None:
    assert Ranking().weigh(np.array([7, 7], np.float32), 7, 7).tolist() == [1, 1]


def test_a_table_is_taken_as_it_is_and_between_its_ratings_in_proportion() -> None:
    ranking = Ranking(weights={"5": 1.5, "1": 0.0, "4": 1.0})
    found = ranking.weigh(np.array([0, 1, 2.5, 4, 4.5, 5, 9], np.float32), 0, 9)
    np.testing.assert_allclose(found, [0, 0, 0.5, 1, 1.25, 1.5, 1.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("ranking", "path", "word"),
    [
        ('{"weights": {"five": 1}}', "$.ranking.weights", "expected ratings such as"),
        ('{"weights": {"5": 1, "5.0": 2}}', "$.ranking.weights", "distinct ratings"),
        ('{"weights": {"5": -1}}', "$.ranking.weights.5", "at least 0"),
        ('{"weights": {}}', "$.ranking.weights", "1 field or more"),
        ('{"hyperparameters": {"feature_dim": 3}}', "$.ranking.hyperparameters", "feature_dim"),
    ],
)
def test_a_mistake_is_told_with_its_path(ranking: str, path: str, word: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        parse_config("config.json", f'{{"ranking": {ranking}}}'.encode())
    assert caught.value.path == path
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("models", "word"),
    [("[]", "1 entry"), ('["like", "like"]', "once"), ('["all"]', "like"), ('"like"', "an array")],
)
def test_models_are_named_once_and_known(models: str, word: str) -> None:
    with pytest.raises(InvalidConfigError, match=word):
        parse_config("config.json", f'{{"models": {models}}}'.encode())


@pytest.mark.parametrize(("known", "fresh"), [(0, 3), (1, 1), (5, 2), (0.001, 0.001), (1e6, 1)])
def test_without_ratings_news_weighs_what_both_totals_do_together(
    known: float, fresh: float
) -> None:
    totals = Ranking(of_totals=True)

    def weight(total: float) -> float:
        return float(totals.weigh(np.array([total], np.float32), 0, 0)[0])

    renewed = totals.renewed(weight(known), weight(fresh))
    assert renewed == pytest.approx(weight(known + fresh), rel=1e-5, abs=2e-6)


def test_a_fresh_rating_replaces_the_one_before() -> None:
    assert Ranking().renewed(1.0, 0.2) == 0.2
