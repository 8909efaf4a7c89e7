"""A run's plan: what EncodeRatings decided, for every later step to read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from recommender.aws.storage import read_json
from recommender.catalog.config import CatalogConfig, config_from_dict
from recommender.pipeline.run_files import RunFiles


@dataclass(frozen=True)
class Plan:
    """The part of ``plan.json`` that later steps act on.

    Attributes:
        image: what trains and serves.
        models: model -> the hyperparameters of its training job.
        config: the catalog's settings.
        counts: what the run's rows came to.
    """

    image: str
    models: Mapping[str, Mapping[str, str]]
    config: CatalogConfig
    counts: Mapping[str, object]


def read_plan(bucket: str, files: RunFiles) -> Plan:
    """Read the plan of a run."""
    plan = read_json(bucket, files.plan)
    return Plan(
        image=cast("str", plan["image"]),
        models=cast("Mapping[str, Mapping[str, str]]", plan["models"]),
        config=config_from_dict(cast("dict[str, object]", plan["config"])),
        counts=cast("Mapping[str, object]", plan["counts"]),
    )
