"""What functions are told by their environment."""

from dataclasses import dataclass

import pytest
from recommender.errors import MissingSettingsError
from recommender.pipeline.settings import EncodeRatingsSettings, Settings


@dataclass(frozen=True)
class Example(Settings):
    state_table: str
    poll_seconds: int


def test_each_field_is_read_from_its_own_name_in_capitals() -> None:
    environ = {"STATE_TABLE": "table", "POLL_SECONDS": "30", "OTHER": "x"}
    assert Example.from_environ(environ) == Example("table", 30)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(MissingSettingsError) as caught:
        Example.from_environ({"POLL_SECONDS": "soon"})
    assert caught.value.problems == (
        "STATE_TABLE is not set",
        "POLL_SECONDS='soon' is not a whole number",
    )
    assert str(caught.value) == (
        "environment: STATE_TABLE is not set; POLL_SECONDS='soon' is not a whole number"
    )


def test_an_empty_variable_is_an_absent_one() -> None:
    with pytest.raises(MissingSettingsError, match="STATE_TABLE is not set"):
        Example.from_environ({"STATE_TABLE": "", "POLL_SECONDS": "30"})


def encode_settings(like: str, ranking: str = "{}") -> EncodeRatingsSettings:
    return EncodeRatingsSettings("table", "ratings", "artifacts", like, ranking, "image")


def test_the_stacks_hyperparameters_are_a_json_object_of_strings_for_each_model() -> None:
    settings = encode_settings('{"epochs": "3"}', '{"sweeps": "8"}')
    assert settings.stack_hyperparameters() == {
        "like": {"epochs": "3"},
        "ranking": {"sweeps": "8"},
    }


@pytest.mark.parametrize("text", ["{", "[]", '"epochs"', '{"epochs": 3}'])
def test_other_hyperparameters_are_the_operators_mistake(text: str) -> None:
    with pytest.raises(MissingSettingsError, match=": HYPERPARAMETERS"):
        encode_settings(text).stack_hyperparameters()
    with pytest.raises(MissingSettingsError, match="RANKING_HYPERPARAMETERS"):
        encode_settings("{}", text).stack_hyperparameters()
