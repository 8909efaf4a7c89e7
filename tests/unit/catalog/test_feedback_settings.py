"""What a catalog's settings say of feedback without ratings, and what does not go with it."""

import json
from typing import Any

import pytest
from recommender.catalog.config import CatalogConfig, config_from_dict, parse_config
from recommender.errors import InvalidConfigError

KEY = "catalogs/shop/config.json"

FULL = {
    "feedback": "implicit",
    "events": {"purchase": 3, "view": 0.5, "Bought it": 0},
    "half_life_days": 30,
    "columns": {"count": "times", "event": "what"},
}


def parsed(document: dict[str, Any]) -> CatalogConfig:
    return parse_config(KEY, json.dumps(document).encode())


def refused(document: dict[str, Any]) -> InvalidConfigError:
    with pytest.raises(InvalidConfigError) as caught:
        parsed(document)
    return caught.value


def test_a_catalog_without_ratings_trains_the_ranking_model_alone() -> None:
    config = parsed(FULL)
    assert config.is_implicit
    assert config.models == ("ranking",)
    assert config.ranking.of_totals
    assert config.events == {"purchase": 3.0, "view": 0.5, "Bought it": 0.0}
    assert config.half_life_days == 30
    assert config.rating_form().events == config.events


@pytest.mark.parametrize("settings", [FULL, {}, {"feedback": "explicit"}])
def test_the_settings_survive_a_plan(settings: dict[str, Any]) -> None:
    config = parsed(settings)
    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_plan_from_before_there_was_feedback_without_ratings_is_read() -> None:
    facts = CatalogConfig().to_dict()
    for name in ("feedback", "events", "half_life_days"):
        del facts[name]
    facts["ranking"] = {"hyperparameters": {}, "weights": {}}
    assert config_from_dict(facts) == CatalogConfig()


@pytest.mark.parametrize("column", ["count", "event"])
def test_a_column_of_counts_or_events_says_that_there_are_no_ratings(column: str) -> None:
    assert parsed({"columns": {column: "x"}}).is_implicit


def test_ratings_train_both_models() -> None:
    assert parsed({"feedback": "explicit"}).models == ("like", "ranking")


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"feedback": "both"}, "$.feedback", ["'explicit'", "'implicit'"]),
        ({"events": {}}, "$.events", ["1 field or more"]),
        ({"events": {"view": -1}}, "$.events.view", ["-1", "at least 0"]),
        ({"events": {"view": "1"}}, "$.events.view", ["a number"]),
        ({"half_life_days": 0}, "$.half_life_days", ["more than 0"]),
        ({"columns": {"count": "n", "rating": "r"}}, "$.columns", ["a rating or a count"]),
        ({"feedback": "implicit", "models": ["like"]}, "$.models", ["without ratings"]),
        (
            {"feedback": "implicit", "ranking": {"weights": {"5": 1}}},
            "$.ranking.weights",
            ["has none"],
        ),
        ({"feedback": "explicit", "events": {"view": 1}}, "$.events", ["has ratings"]),
        ({"feedback": "explicit", "half_life_days": 1}, "$.half_life_days", ["has ratings"]),
        ({"feedback": "explicit", "columns": {"event": "e"}}, "$.columns", ["has ratings"]),
    ],
)
def test_what_does_not_go_together_is_refused(
    document: dict[str, Any], path: str, words: list[str]
) -> None:
    error = refused(document)
    assert error.path == path
    for word in words:
        assert word.replace("'", '"') in str(error)
