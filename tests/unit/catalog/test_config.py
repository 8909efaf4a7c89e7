"""Settings and names of catalogs."""

import dataclasses
import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.catalog.config import CatalogConfig, config_from_dict, parse_config
from recommender.catalog.gate import LIKE_METRICS, RANKING_METRICS, RATING_METRICS
from recommender.catalog.keys import catalog_of_key, check_catalog_name, is_test_key
from recommender.errors import InvalidCatalogNameError, InvalidConfigError
from recommender.evaluation.metrics import Metrics, RankingMetrics

KEY = "catalogs/films/config.json"

FULL = {
    "quote": "'",
    "escape": "\\",
    "comment": "#",
    "missing": [0, "NR"],
    "decimal": ",",
    "date_order": "day_first",
    "like_threshold": 3.5,
    "predictor_type": "regressor",
    "hyperparameters": {"epochs": 50, "factors_lr": 0.001, "clip_gradient": "5"},
    "columns": {"user": "viewer", "item": "film"},
    "separator": "::",
    "features": {"items": {"genres": {}, "year": {"bounds": [1970, 1990.5]}}},
    "split": {"fraction": 0.2},
    "top_n": 20,
    "recommendations": {"format": "parquet", "titles": False},
    "scores": {"titles": False},
    "reject_limit": 0.5,
    "gate": {
        "tolerance": 0.05,
        "baseline_margin": 0.1,
        "minimum": {"ndcg": 0.25},
        "maximum": {"rmse": 1, "mae": 0.75},
    },
    "training": {"max_seconds": 600, "shards": 3},
    "models": ["ranking"],
    "ranking": {"hyperparameters": {"num_factors": 32}, "weights": {"1": 0, "5": 1.5}},
}


def refusal(document: object) -> InvalidConfigError:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(KEY, data)
    assert caught.value.key == KEY
    return caught.value


@pytest.mark.parametrize("data", [None, b"{}", b"\xef\xbb\xbf{}"])
def test_without_settings_everything_has_its_default(data: bytes | None) -> None:
    assert parse_config(KEY, data) == CatalogConfig(
        4.0, "binary_classifier", {}, holdout_fraction=0.1, top_n=10, reject_limit=0.1
    )


def test_every_setting_is_read() -> None:
    config = parse_config(KEY, json.dumps(FULL).encode())
    assert dataclasses.asdict(config) == {
        "like_threshold": 3.5,
        "like_threshold_given": True,
        "predictor_type": "regressor",
        "hyperparameters": {"epochs": "50", "factors_lr": "0.001", "clip_gradient": "5"},
        "holdout_fraction": 0.2,
        "models": ("ranking",),
        "ranking": {
            "hyperparameters": {"num_factors": "32"},
            "weights": {"1": 0.0, "5": 1.5},
            "of_totals": False,
        },
        "top_n": 20,
        "reject_limit": 0.5,
        "gate": {
            "tolerance": 0.05,
            "baseline_margin": 0.1,
            "minimum": {"ndcg": 0.25},
            "maximum": {"rmse": 1.0, "mae": 0.75},
            "max_shrink": 0.3,
        },
        "max_training_seconds": 600,
        "last_per_user": 0,
        "train_shards": 3,
        "features": {
            "item": (
                {"name": "genres", "kind": "", "separator": "|", "bounds": ()},
                {"name": "year", "kind": "number", "separator": "|", "bounds": (1970.0, 1990.5)},
            )
        },
        "form": {
            "separator": "::",
            "columns": {"user": "viewer", "item": "film"},
            "feedback": "",
            "events": {},
            "first_file": "",
            "partitions": {},
            "writing": {
                "quote": "'",
                "escape": "\\",
                "comment": "#",
                "missing": ("0", "NR"),
                "decimal": ",",
                "date_order": "day_first",
            },
        },
        "feedback": "",
        "events": {},
        "half_life_days": 0.0,
        "list_format": "parquet",
        "list_titles": False,
        "score_titles": False,
    }


@pytest.mark.parametrize("data", [None, b'{"features": {}}', json.dumps(FULL).encode()])
def test_settings_survive_a_plan(data: bytes | None) -> None:
    config = parse_config(KEY, data)
    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"like_threshold": "4"}, "$.like_threshold", ['"4"', "a number"]),
        ({"like_threshold": True}, "$.like_threshold", ["true", "a number"]),
        ({"like_threshold": 1e39}, "$.like_threshold", ["1e+39", "at most"]),
        ({"predictor_type": "fm"}, "$.predictor_type", ['"fm"', '"binary_classifier"']),
        ({"recommendations": {"format": "csv"}}, "$.recommendations.format", ['"csv"', '"jsonl"']),
        ({"recommendations": {"title": True}}, "$.recommendations", ['"title"', "format, titles"]),
        ({"scores": {"titles": "yes"}}, "$.scores.titles", ['"yes"', "a boolean"]),
        ({"split": {"fraction": 0}}, "$.split.fraction", ["0 ", "more than 0"]),
        ({"split": {"fraction": 1}}, "$.split.fraction", ["1 ", "less than 1"]),
        ({"split": 0.1}, "$.split", ["0.1", "an object"]),
        ({"split": {"fractoin": 0.1}}, "$.split", ['"fractoin"', "fraction"]),
        ({"split": {"last_per_user": 0}}, "$.split.last_per_user", ["0 ", "at least 1"]),
        ({"split": {"fraction": 0.1, "last_per_user": 1}}, "$.split", ["fraction or last_per"]),
        ({"separator": "ab"}, "$.separator", ['"ab"', "'::' or one character"]),
        ({"separator": "\n"}, "$.separator", ["'::' or one character"]),
        ({"separator": ""}, "$.separator", ['""', "'::' or one character"]),
        ({"columns": {"user": 0}}, "$.columns.user", ["0 ", "at least 1"]),
        ({"columns": {"user": 1, "item": "film"}}, "$.columns", ["all names, or all numbers"]),
        ({"columns": {"user": 2}}, "$.columns", ["usual place of item", "say where item is"]),
        ({"columns": {"user": "a", "item": "a"}}, "$.columns", ["distinct"]),
        ({"columns": {"users": "a"}}, "$.columns", ['"users"', "user, item"]),
        ({"features": {"items": {"a": {"kind": "x"}}}}, "$.features.items.a.kind", ['"category"']),
        (
            {"features": {"items": {"a": {"bounds": [2, 1]}}}},
            "$.features.items.a.bounds",
            ["[2, 1]"],
        ),
        ({"features": {"item": {}}}, "$.features", ['"item"', "users, items"]),
        ({"training": {"shards": 0}}, "$.training.shards", ["0 ", "at least 1"]),
        ({"top_n": 0}, "$.top_n", ["0 ", "at least 1"]),
        ({"top_n": 2.5}, "$.top_n", ["2.5", "an integer"]),
        ({"top_n": 1001}, "$.top_n", ["1001", "at most 1000"]),
        ({"reject_limit": 1.5}, "$.reject_limit", ["1.5", "at most 1"]),
        ({"training": {"max_seconds": 0}}, "$.training.max_seconds", ["0 ", "at least 1"]),
        ({"gate": {"tolerance": -0.1}}, "$.gate.tolerance", ["-0.1", "at least 0"]),
        ({"gate": {"baseline_margin": 1}}, "$.gate.baseline_margin", ["1 ", "less than 1"]),
        ({"gate": {"minimum": {"auc": 70}}}, "$.gate.minimum.auc", ["70 ", "at most 1"]),
        ({"gate": {"minimum": {"auc": "0.7"}}}, "$.gate.minimum.auc", ['"0.7"', "a number"]),
        ({"gate": {"minimum": {"AUC": 0.7}}}, "$.gate.minimum", ['"AUC"', "f1, auc, hit_rate"]),
        ({"gate": {"maximum": {"auc": 0.7}}}, "$.gate.maximum", ['"auc"', "cross_entropy, rmse"]),
        ({"gate": {"maximum": {"mae": 0}}}, "$.gate.maximum.mae", ["0 ", "more than 0"]),
        ({"like_treshold": 4}, "$", ['"like_treshold"', "like_threshold"]),
        ({"hyperparameters": {"epochs": None}}, "$.hyperparameters.epochs", ["null", "number"]),
        ({"hyperparameters": {"epochs": ""}}, "$.hyperparameters.epochs", ['""', "1 character"]),
        ({"hyperparameters": {"a": "x" * 257}}, "$.hyperparameters.a", ["256 characters"]),
        ({"hyperparameters": {"feature_dim": 9}}, "$.hyperparameters", ['"feature_dim"']),
        (
            {"hyperparameters": {"predictor_type": "r"}},
            "$.hyperparameters",
            ["of their own"],
        ),
        ({"hyperparameters": {"like_threshold": 3}}, "$.hyperparameters", ['"like_threshold"']),
        ({"hyperparameters": {"field_sizes": "3,4"}}, "$.hyperparameters", ['"field_sizes"']),
        ({"hyperparameters": {"epochs\n": 9}}, "$.hyperparameters", ["epochs"]),
        ({"hyperparameters": {f"h{n}": n for n in range(81)}}, "$.hyperparameters", ["80"]),
        ([], "$", ["[]", "an object"]),
        (None, "$", ["null", "an object"]),
    ],
)
def test_a_broken_setting_is_named_with_its_path_its_value_and_what_is_expected(
    document: object, path: str, words: list[str]
) -> None:
    error = refusal(document)
    assert error.path == path
    for word in words:
        assert word in error.reason


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"like_threshold: 4", id="YAML"),
        pytest.param(b'{"top_n": 5,}', id="trailing comma"),
        pytest.param(b'{"top_n": 5, "top_n": 6}', id="a field twice"),
        pytest.param(b'{"like_threshold": NaN}', id="NaN"),
        pytest.param(b'{"like_threshold": 1e999}', id="infinite"),
        pytest.param(b'{"hyperparameters": {"a": -Infinity}}', id="Infinity"),
        pytest.param(b"\xff\xfe{}", id="UTF-16"),
        pytest.param(b"[" * 100_000, id="nested too deeply"),
        pytest.param(b'{"top_n": ' + b"1" * 5000 + b"}", id="thousands of digits"),
    ],
)
def test_what_is_not_plain_json_is_an_invalid_config(data: bytes) -> None:
    refusal(data)


def test_a_syntax_error_is_located_by_line_and_column() -> None:
    error = refusal(b'{\n  "top_n": five\n}')
    assert error.path == "line 2, column 12"


def test_the_schema_describes_every_field() -> None:
    text = resources.files("recommender.catalog").joinpath("schemas/config.schema.json").read_text()
    waiting = [json.loads(text)]
    seen = 0
    while waiting:
        schema = waiting.pop()
        assert schema["description"]
        assert schema.get("type") or schema["enum"]
        if schema.get("type") == "object":
            others = schema["additionalProperties"]
            waiting += [others] if isinstance(others, dict) else []
            assert others is False or isinstance(others, dict)
        seen += 1
        waiting += schema.get("properties", {}).values()
        waiting += schema.get("patternProperties", {}).values()
    assert seen == 69


def test_there_is_a_limit_for_every_metric_and_for_nothing_else() -> None:
    text = resources.files("recommender.catalog").joinpath("schemas/config.schema.json").read_text()
    gate = json.loads(text)["properties"]["gate"]["properties"]
    limited = [*gate["minimum"]["properties"], *gate["maximum"]["properties"]]
    measured = {one.name for kind in (Metrics, RankingMetrics) for one in dataclasses.fields(kind)}
    assert sorted(limited) == sorted(measured - {"users"})
    assert {*LIKE_METRICS, *RATING_METRICS, *RANKING_METRICS} == set(limited)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_config_or_an_invalid_config(data: bytes) -> None:
    try:
        config = parse_config(KEY, data)
    except InvalidConfigError:
        return
    assert 1 <= config.top_n <= 1000


@pytest.mark.parametrize("name", ["a", "9", "movielens-100k", "a-b", "x" * 32])
def test_a_possible_name_is_returned(name: str) -> None:
    assert check_catalog_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a_b", "a.b", "x" * 33, "a b", "ä", "a\n", "..", "٣"]
)
def test_an_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidCatalogNameError) as caught:
        check_catalog_name(name)
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("key", "catalog"),
    [
        ("ratings/films/ua.base", "films"),
        ("ratings/films/2024/01/part-0.csv.gz", "films"),
        ("ratings/test/test/x.csv", "test"),
        ("catalogs/books/config.json", "books"),
    ],
)
def test_the_second_segment_of_a_key_names_its_catalog(key: str, catalog: str) -> None:
    assert catalog_of_key(key) == catalog


@pytest.mark.parametrize(
    "key",
    ["", "ratings", "ratings/films", "ratings//x", "/ratings/films/x", "runs/films/x", "Films/a/b"],
)
def test_a_key_of_no_catalog_is_refused(key: str) -> None:
    with pytest.raises(InvalidCatalogNameError):
        catalog_of_key(key)


@pytest.mark.parametrize(
    ("key", "is_test"),
    [
        ("ratings/films/test/ua.test", True),
        ("ratings/films/2024/test/part-0.csv", True),
        ("ratings/films/test", True),
        ("ratings/films/ua.test", False),
        ("ratings/films/tests/ua.test", False),
        ("ratings/films/Test/ua.test", False),
        ("ratings/test/ua.base", False),
        ("catalogs/films/test/items.csv", False),
    ],
)
def test_a_file_is_a_test_file_by_a_whole_segment_below_its_catalog(
    key: str,
    is_test: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    assert is_test_key(key) is is_test
