"""Check hyperparameters as SageMaker hands them over: every problem is told at once."""

from collections.abc import Mapping

from recommender.errors import InvalidHyperparametersError
from recommender.hyperparameters.adam import TERMS
from recommender.hyperparameters.kinds import sizes_of
from recommender.hyperparameters.settings import TABLE, Hyperparameters, settings_of
from recommender.hyperparameters.shared import ADAM, ALS, GIBBS, REQUIRED
from recommender.predictor_types import BINARY_CLASSIFIER, REGRESSOR

# SageMaker's tuner adds this to every job that it starts; it says nothing about the training.
_SET_BY_THE_SERVICE = frozenset({"_tuning_objective_metric"})


def parse_hyperparameters(raw: Mapping[str, object]) -> Hyperparameters:
    """Check hyperparameters as SageMaker hands them over.

    Args:
        raw: name to value; the service passes strings, plain JSON numbers are taken as well.

    Returns:
        The hyperparameters, defaults filled in.

    Raises:
        InvalidHyperparametersError: with every problem of every hyperparameter.

    Source:
        SageMaker developer guide, "Factorization Machines Hyperparameters".
    """
    problems: list[str] = []
    given: dict[str, str] = {}
    for name in sorted(raw):
        if name in _SET_BY_THE_SERVICE:
            continue
        kind, value = TABLE.get(name), raw[name]
        if kind is None:
            problems.append(f"{name} is unknown (known: {', '.join(sorted(TABLE))})")
        elif isinstance(value, bool) or not isinstance(value, str | int | float):
            problems.append(f"{name} is {value!r}, expected {kind.allowed}")
        elif not kind.accepts(text := str(value).strip()):
            problems.append(f"{name} is {text[:80]!r}, expected {kind.allowed}")
        else:
            given[name] = text
    problems += [
        f"{name} is missing, expected {TABLE[name].allowed}"
        for name in REQUIRED
        if name not in raw and not (name == "num_factors" and given.get("solver") == ALS)
    ]
    problems += _missing_companions(raw) + _conflicts(given)
    if problems:
        raise InvalidHyperparametersError(problems)
    return settings_of(given)


def _missing_companions(raw: Mapping[str, object]) -> list[str]:
    companions = {"uniform": "init_scale", "constant": "init_value"}
    problems = []
    for term in TERMS:
        method = raw.get(f"{term}_init_method")
        companion = companions.get(method) if isinstance(method, str) else None
        if companion and f"{term}_{companion}" not in raw:
            problems.append(
                f"{term}_{companion} is missing, required when {term}_init_method is {method}"
            )
    return problems


def _conflicts(given: Mapping[str, str]) -> list[str]:
    """Values that are fine alone but not together."""
    problems = []
    sizes, dimension = given.get("field_sizes"), given.get("feature_dim")
    if sizes and dimension and sum(sizes_of(sizes)) != int(dimension):
        problems.append(
            f"field_sizes is {sizes[:80]!r}, which adds up to {sum(sizes_of(sizes))}, "
            f"expected the feature_dim {dimension}"
        )
    if (
        "like_threshold" in given
        and given.get("predictor_type") == REGRESSOR
        and given.get("solver", ADAM) != GIBBS
    ):
        problems.append(
            f"like_threshold is {given['like_threshold']!r}, "
            "expected with a regressor only when solver is gibbs"
        )
    if given.get("solver") == ALS and given.get("predictor_type") == BINARY_CLASSIFIER:
        # A server would turn the scores into probabilities, which they are not.
        problems.append(
            f"predictor_type is {BINARY_CLASSIFIER!r}, expected {REGRESSOR} when solver is als, "
            "whose scores rank and are no log-odds"
        )
    return problems
