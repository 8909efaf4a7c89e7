"""The template's table of built-in images against the SageMaker SDK's."""

import logging
import warnings
from typing import Any

import pytest

from testbed import template

ALGORITHM = "factorization-machines"
IMAGES = {region: one["Uri"] for region, one in template.load()["Mappings"]["BuiltInImage"].items()}


@pytest.fixture(scope="module")
def sdk() -> Any:
    """The SDK's own table. Importing it takes seconds and warns of much that is not ours."""
    level = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            from sagemaker import image_uris
        finally:
            logging.disable(level)
    return image_uris


def test_every_region_that_the_sdk_knows_has_its_image(sdk: Any) -> None:
    table = sdk.config_for_framework(ALGORITHM)["versions"]
    (version,) = table
    regions = table[version]["registries"]
    assert len(regions) > 30
    assert {region: sdk.retrieve(ALGORITHM, region) for region in regions} == IMAGES


def test_without_an_image_of_ones_own_the_built_in_one_trains() -> None:
    image = template.environment("EncodeRatings")["TRAINING_IMAGE"]
    assert image == IMAGES[template.REGION]
