"""The template's two sets of hyperparameters against the images that are given them."""

import json

import pytest
from recommender.hyperparameters.parsing import parse_hyperparameters

from bench.train.settings import ADAM, RICH
from testbed import template

SETS = {
    name: json.loads(one["Json"])
    for name, one in template.load()["Mappings"]["Hyperparameters"].items()
}
# SageMaker developer guide, "Factorization Machines Hyperparameters".
DOCUMENTED = {
    "num_factors",
    "epochs",
    "mini_batch_size",
    "clip_gradient",
    "eps",
    "rescale_grad",
} | {
    f"{term}_{what}"
    for term in ("bias", "linear", "factors")
    for what in ("lr", "wd", "init_method", "init_sigma", "init_scale", "init_value")
}


@pytest.mark.parametrize("image", SETS)
def test_our_image_takes_either_set(image: str) -> None:
    required = {"feature_dim": "9", "predictor_type": "binary_classifier"}
    settings = parse_hyperparameters({**SETS[image], **required})
    assert settings.solver == ("gibbs" if image == "OwnImage" else "adam")


def test_the_built_in_image_is_given_nothing_that_is_not_documented() -> None:
    assert set(SETS["BuiltInImage"]) <= DOCUMENTED


def test_a_catalog_that_chooses_adam_gets_what_the_built_in_image_is_given() -> None:
    chosen = {**SETS["OwnImage"], "num_factors": "64"}
    assert SETS["BuiltInImage"].items() <= chosen.items()


def test_the_benchmark_trains_with_the_sets_of_the_template() -> None:
    assert SETS["BuiltInImage"] == ADAM
    assert RICH.items() <= SETS["OwnImage"].items()
