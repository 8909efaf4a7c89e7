"""Look at values before there is a job: one that starts and fails costs minutes and a run."""

from collections.abc import Mapping

from recommender.errors import InvalidHyperparametersError
from recommender.hyperparameters import adam, shared
from recommender.hyperparameters.kinds import Kind
from recommender.hyperparameters.parsing import parse_hyperparameters
from recommender.hyperparameters.settings import TABLE

_OURS = {"learning_rate_decay", "averaging_decay", "holdout_fraction", "patience"}
BUILT_IN = {
    kind.name: kind
    for kind in (*shared.TABLE, *adam.TABLE)
    if kind.name in shared.REQUIRED or (kind in adam.TABLE and kind.name not in _OURS)
}
"""What SageMaker's built-in algorithm documents, by name."""


def problem_of(name: str, value: str, *, own_image: bool) -> str:
    """Say what is wrong with one value; an empty text if nothing is.

    Args:
        name: the hyperparameter's name.
        value: as SageMaker would be given it.
        own_image: whether Matinee's own image trains, or the built-in algorithm.
    """
    table: Mapping[str, Kind] = TABLE if own_image else BUILT_IN
    kind = table.get(name)
    if kind is None:
        whose = "Matinee's image" if own_image else "SageMaker's built-in image"
        return f"{whose} knows no such hyperparameter; it knows {', '.join(sorted(table))}"
    return "" if kind.accepts(value) else f"is {value[:80]!r}, expected {kind.allowed}"


def problems_together(job: Mapping[str, str]) -> tuple[str, ...]:
    """Say what is wrong with everything that a job would be given; nothing if it could train.

    What the built-in algorithm is given, Matinee's own image would take as well.
    """
    try:
        parse_hyperparameters(job)
    except InvalidHyperparametersError as error:
        return error.problems
    return ()
