"""A training job's hyperparameters: the stack's, the catalog's, and what follows from the data."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby

import numpy as np

from recommender.catalog.config import CatalogConfig
from recommender.catalog.gate import LIKE_METRICS, RANKING_METRICS, RATING_METRICS, misplaced_limit
from recommender.catalog.side_features import SideFeatures
from recommender.dataset.encoding import Dataset
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import InvalidConfigError
from recommender.hyperparameters.checking import problem_of, problems_together
from recommender.model_names import LIKE, RANKING
from recommender.predictor_types import BINARY_CLASSIFIER, REGRESSOR

_LONGEST = 256  # characters of a value that SageMaker takes
_GIBBS = "gibbs"
_ALS = "als"
_SOLVER = "solver"
_FEATURE_STRENGTH = "feature_strength"


def resolve_features(config: CatalogConfig, stack: Mapping[str, str]) -> CatalogConfig:
    """Leave the features of a catalog that declares none to be found out, or have none at all.

    Where every column has the same prior, as in the built-in image, undeclared features made the
    model worse on folds of MovieLens; with a prior for each group of columns they made it better.
    """
    if config.features is None and not learns_from_ratings({**stack, **config.hyperparameters}):
        return replace(config, features={})
    return config


def check_limits(key: str, config: CatalogConfig, stack: Mapping[str, str]) -> None:
    """Refuse limits of the gate on metrics that the model will not have.

    A classifier has those of likes. A regressor has those of ratings, and those of likes where
    the image tells how its ratings become likes.

    Args:
        key: the config's key, for the message.
        config: the catalog's settings.
        stack: hyperparameters that every catalog starts from.

    Raises:
        InvalidConfigError: naming the first of them, and what there is.
    """
    if config.is_implicit:
        whose, known = "a catalog without ratings", list(RANKING_METRICS)
    elif config.predictor_type == BINARY_CLASSIFIER:
        whose, known = "a binary classifier", [*LIKE_METRICS, *RANKING_METRICS]
    elif learns_from_ratings({**stack, **config.hyperparameters}):
        whose, known = (
            "a regressor trained by gibbs",
            [*RATING_METRICS, *LIKE_METRICS, *RANKING_METRICS],
        )
    else:
        whose, known = "a regressor", [*RATING_METRICS, *RANKING_METRICS]
    misplaced = misplaced_limit(config.gate, known)
    if misplaced:
        path, limit = misplaced
        reason = f"{limit:g} is not allowed; {whose} has {', '.join(known)}"
        raise InvalidConfigError(key, f"$.gate.{path}", reason)


def check_values(key: str, config: CatalogConfig, stack: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse hyperparameters of a catalog that no training job could do anything with.

    Args:
        key: the config's key, for the message.
        config: the catalog's settings.
        stack: hyperparameters that every catalog starts from, by model.

    Raises:
        InvalidConfigError: naming the first of them, and what it may be.
    """
    for model, where, given in (
        (LIKE, "$.hyperparameters", config.hyperparameters),
        (RANKING, "$.ranking.hyperparameters", config.ranking.hyperparameters),
    ):
        own_image = _SOLVER in {**stack[model], **given}
        for name, value in given.items():
            problem = problem_of(name, value, own_image=own_image)
            if problem:
                raise InvalidConfigError(key, f"{where}.{name}", problem)
    if float(config.ranking.hyperparameters.get(_FEATURE_STRENGTH, 0)):
        raise InvalidConfigError(
            key,
            f"$.ranking.hyperparameters.{_FEATURE_STRENGTH}",
            "the ranking model's rows hold no side features: users and items without ratings get "
            "their vectors from features after training, so leave this out",
        )


def models_of(
    key: str, stack: Mapping[str, Mapping[str, str]], config: CatalogConfig, dataset: Dataset
) -> dict[str, dict[str, str]]:
    """Put together what the training job of each of a run's models is given.

    Args:
        key: the config's key, for the message.
        stack: what every catalog starts from, by model.
        config: the catalog's settings.
        dataset: what the run trains on.

    Returns:
        Model -> hyperparameters, in the order of `MODELS`.

    Raises:
        InvalidConfigError: a job would refuse them together, though each of them is possible.
    """
    found: dict[str, dict[str, str]] = {}
    if LIKE in config.models and not config.is_implicit:
        found[LIKE] = job_hyperparameters(stack[LIKE], config, dataset.vocabulary, dataset.features)
    if RANKING in config.models:
        threshold = np.array([config.like_threshold], np.float32)
        (least,) = config.ranking.weigh(threshold, dataset.lowest, dataset.highest).tolist()
        least = 0.0 if config.is_implicit else least  # where every pair is a like
        found[RANKING] = ranking_hyperparameters(stack[RANKING], config, dataset.vocabulary, least)
    for where, name in (("$.hyperparameters", LIKE), ("$.ranking.hyperparameters", RANKING)):
        problems = problems_together(found[name]) if name in found else ()
        if problems:
            raise InvalidConfigError(key, where, "; ".join(problems))
    return found


def job_hyperparameters(
    stack: Mapping[str, str],
    config: CatalogConfig,
    vocabulary: Vocabulary,
    features: SideFeatures,
) -> dict[str, str]:
    """Put together what the training job is given.

    Only Matinee's own image knows a ``solver``, and its Bayesian one learns from the ratings
    themselves and wants to know which columns belong together. SageMaker's built-in image would
    refuse to hear of it.

    Args:
        stack: what every catalog starts from.
        config: the catalog's settings, which replace it.
        vocabulary: the columns.
        features: the side features among them.
    """
    found = {
        **stack,
        **config.hyperparameters,
        "feature_dim": str(vocabulary.dimension),
        "predictor_type": config.predictor_type,
    }
    if learns_from_ratings(found):
        found["like_threshold"] = f"{config.like_threshold:.9g}"
        found["field_sizes"] = _field_sizes(vocabulary, features)
    return found


def ranking_hyperparameters(
    stack: Mapping[str, str],
    config: CatalogConfig,
    vocabulary: Vocabulary,
    like_weight: float,
) -> dict[str, str]:
    """Put together what the ranking model's training job is given.

    Args:
        stack: what every catalog starts from. With a ``solver`` it is Matinee's own image, which
            factorizes weighted pairs; without one the built-in image tells rated pairs from others.
        config: the catalog's settings, which replace it.
        vocabulary: the columns.
        like_weight: how much the smallest like counts.
    """
    users, items = len(vocabulary.users), len(vocabulary.items)
    found = {
        **stack,
        **config.ranking.hyperparameters,
        "feature_dim": str(users + items),
        "predictor_type": BINARY_CLASSIFIER,
    }
    if factorizes_weights(found):
        found["predictor_type"] = REGRESSOR
        found["field_sizes"] = f"{users},{items}"
        # A little less, so that no rounding of texts keeps the smallest like out.
        found["hit_threshold"] = f"{like_weight * (1 - 1e-6):.9g}"
    return found


def factorizes_weights(hyperparameters: Mapping[str, str]) -> bool:
    """Whether the ranking channel holds weighted pairs, not rated and sampled ones."""
    return hyperparameters.get("solver") == _ALS


def learns_from_ratings(hyperparameters: Mapping[str, str]) -> bool:
    """Whether the labels of the channels are to be ratings, though likes are predicted."""
    return hyperparameters.get("solver") == _GIBBS


def _field_sizes(vocabulary: Vocabulary, features: SideFeatures) -> str:
    """Write down how many columns users, items and each column of a side file have."""
    ids = [len(vocabulary.users), len(vocabulary.items)]
    told = [(str(one["side"]), int(str(one["features"]))) for one in features.columns]
    text = _joined(ids, (size for _, size in told))
    if len(text) > _LONGEST:  # then a side file is one group
        sides = groupby(told, key=lambda one: one[0])
        text = _joined(ids, (sum(size for _, size in group) for _, group in sides))
    return text


def _joined(ids: Iterable[int], others: Iterable[int]) -> str:
    return ",".join(str(size) for size in (*ids, *others) if size)
