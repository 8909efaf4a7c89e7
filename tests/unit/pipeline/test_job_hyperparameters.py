"""What a training job is given: the stack's, the catalog's, and what follows from the data."""

import json

import numpy as np
import pytest
from recommender.catalog.config import CatalogConfig
from recommender.catalog.gate import Gate
from recommender.catalog.ranking import Ranking
from recommender.catalog.side_features import SideFeatures
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import InvalidConfigError
from recommender.features import FeatureRows
from recommender.hyperparameters.checking import problem_of
from recommender.pipeline.hyperparameters import (
    check_limits,
    check_values,
    job_hyperparameters,
    learns_from_ratings,
    resolve_features,
)

from testbed import template

GIBBS = {"solver": "gibbs", "num_factors": "16"}
BUILT_IN = {"num_factors": "64", "epochs": "40"}
USERS, ITEMS = ("1", "2", "3"), ("7", "8")


def features(*sizes: tuple[str, int]) -> SideFeatures:
    names = tuple(f"{side}.{at}" for side, size in sizes for at in range(size))
    none = np.zeros(0, np.int64)

    def rows(count: int) -> FeatureRows:
        offsets = np.zeros(count + 1, np.int64)
        return FeatureRows(offsets, none, np.zeros(0, np.float32), len(names))

    columns = tuple({"side": side, "column": "c", "features": size} for side, size in sizes)
    return SideFeatures(names, rows(len(USERS)), rows(len(ITEMS)), columns)


def given(stack: dict[str, str], config: CatalogConfig, *sizes: tuple[str, int]) -> dict[str, str]:
    side = features(*sizes)
    return job_hyperparameters(stack, config, Vocabulary(USERS, ITEMS, side.names), side)


def test_the_built_in_image_hears_nothing_that_it_does_not_know() -> None:
    config = CatalogConfig(hyperparameters={"epochs": "7"}, like_threshold=3.5)
    assert given(BUILT_IN, config, ("user", 4)) == {
        "num_factors": "64",
        "epochs": "7",
        "feature_dim": "9",
        "predictor_type": "binary_classifier",
    }


def test_the_sampler_is_told_what_a_like_is_and_which_columns_belong_together() -> None:
    config = CatalogConfig(like_threshold=3.5, predictor_type="regressor")
    found = given(GIBBS, config, ("user", 4), ("item", 0), ("item", 11))
    assert found["like_threshold"] == "3.5"
    assert found["field_sizes"] == "3,2,4,11"
    assert found["feature_dim"] == "20"
    assert found["predictor_type"] == "regressor"


def test_a_catalog_may_choose_the_other_solver() -> None:
    config = CatalogConfig(hyperparameters={"solver": "adam"})
    assert not {"like_threshold", "field_sizes"} & set(given(GIBBS, config))
    assert not learns_from_ratings(given(GIBBS, config))
    assert learns_from_ratings(given(BUILT_IN, CatalogConfig(hyperparameters=GIBBS)))


def test_more_columns_than_a_value_has_room_for_are_one_group_a_side() -> None:
    many = [("user", 1000)] * 60 + [("item", 1000)] * 30
    assert given(GIBBS, CatalogConfig(), *many)["field_sizes"] == "3,2,60000,30000"


@pytest.mark.parametrize(
    ("stack", "config", "expected"),
    [
        (GIBBS, CatalogConfig(), None),
        (BUILT_IN, CatalogConfig(), {}),
        (BUILT_IN, CatalogConfig(hyperparameters=GIBBS), None),
        (GIBBS, CatalogConfig(hyperparameters={"solver": "adam"}), {}),
        (GIBBS, CatalogConfig(features={}), {}),
    ],
)
def test_features_are_found_out_only_where_groups_of_columns_have_priors_of_their_own(
    stack: dict[str, str], config: CatalogConfig, expected: object
) -> None:
    assert resolve_features(config, stack).features == expected


@pytest.mark.parametrize(
    ("stack", "predictor_type", "gate", "words"),
    [
        (
            GIBBS,
            "binary_classifier",
            Gate(maximum={"rmse": 0.9}),
            "maximum.rmse: 0.9 is not allowed; a binary classifier has accuracy, cross_entropy",
        ),
        (
            BUILT_IN,
            "regressor",
            Gate(minimum={"ndcg": 0.1, "auc": 0.7}),
            "minimum.auc: 0.7 is not allowed; a regressor has rmse, mae, hit_rate, ndcg, coverage",
        ),
    ],
)
def test_a_limit_on_what_the_model_will_not_have_is_refused(
    stack: dict[str, str], predictor_type: str, gate: Gate, words: str
) -> None:
    config = CatalogConfig(predictor_type=predictor_type, gate=gate)
    with pytest.raises(InvalidConfigError) as refusal:
        check_limits("config.json", config, stack)
    assert words in str(refusal.value)


@pytest.mark.parametrize("kind", ["binary_classifier", "regressor"])
def test_whatever_gibbs_trains_may_be_limited_by_its_likes(kind: str) -> None:
    limits = Gate(minimum={"auc": 0.7, "hit_rate": 0.1}, maximum={"cross_entropy": 0.6})
    check_limits("config.json", CatalogConfig(predictor_type=kind, gate=limits), GIBBS)
    chosen = CatalogConfig(predictor_type=kind, gate=limits, hyperparameters=GIBBS)
    check_limits("config.json", chosen, BUILT_IN)


@pytest.mark.parametrize(
    ("stack", "given", "words"),
    [
        (GIBBS, {"epochs": "many"}, ["$.hyperparameters.epochs", "'many'", "an integer from 1"]),
        (BUILT_IN, {"epochs": "0"}, ["$.hyperparameters.epochs", "'0'", "an integer from 1"]),
        (GIBBS, {"epoch": "3"}, ["$.hyperparameters.epoch", "no such", "epochs"]),
        (GIBBS, {"solver": "sgd"}, ["$.hyperparameters.solver", "adam or als or gibbs"]),
        (BUILT_IN, {"patience": "3"}, ["$.hyperparameters.patience", "built-in image", "eps"]),
    ],
)
def test_values_that_no_job_would_take_are_refused_before_there_is_one(
    stack: dict[str, str], given: dict[str, str], words: list[str]
) -> None:
    stacks = {"like": stack, "ranking": {}}
    with pytest.raises(InvalidConfigError) as refusal:
        check_values("config.json", CatalogConfig(hyperparameters=given), stacks)
    for word in words:
        assert word in str(refusal.value)


def test_of_the_ranking_model_the_same_holds() -> None:
    stacks = {"like": BUILT_IN, "ranking": {"solver": "als"}}

    def config(**given: str) -> CatalogConfig:
        return CatalogConfig(ranking=Ranking(hyperparameters=given))

    check_values("config.json", config(num_factors="32", search="false"), stacks)
    with pytest.raises(InvalidConfigError, match=r"ranking.hyperparameters.num_factors: is '0'"):
        check_values("config.json", config(num_factors="0"), stacks)
    with pytest.raises(InvalidConfigError, match="no side features"):
        check_values("config.json", config(feature_strength="3"), stacks)


@pytest.mark.parametrize("own_image", [True, False])
def test_what_the_template_gives_is_taken(*, own_image: bool) -> None:
    mappings = template.load()["Mappings"]
    for name in ("Hyperparameters", "RankingHyperparameters"):
        sets = mappings[name]["OwnImage" if own_image else "BuiltInImage"]
        given = json.loads(sets["Json"])
        assert not any(problem_of(*one, own_image=own_image) for one in given.items())
