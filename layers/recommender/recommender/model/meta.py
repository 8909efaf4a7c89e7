"""What ``meta.json`` of an artifact says beside the hyperparameters, as texts and back."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from recommender.errors import DamagedArtifactError, ShapeMismatchError
from recommender.model.machine import FactorizationMachine, LikeLink
from recommender.model.objective import ImplicitObjective

# Beside the training parameters of a regressor that knows how its ratings become likes.
_LIKE = ("like_scale", "like_shift")
# Beside those of a ranking model, into which users can be folded.
_OBJECTIVE = ("fold_in_unobserved_weight", "fold_in_regularization", "fold_in_exponent")

_Part = TypeVar("_Part", LikeLink, ImplicitObjective)


def told_by(machine: FactorizationMachine) -> dict[str, str]:
    """Spell out what a machine knows beside its weights."""
    told: dict[str, float] = {}
    if machine.like_link is not None:
        told |= zip(_LIKE, (machine.like_link.scale, machine.like_link.shift), strict=True)
    if machine.objective is not None:
        told |= zip(_OBJECTIVE, vars(machine.objective).values(), strict=True)
    return {name: repr(float(value)) for name, value in told.items()}


def like_link(parameters: Mapping[str, str], where: str) -> LikeLink | None:
    """Read how ratings become likes.

    Raises:
        DamagedArtifactError: only half of it is there, or it is no pair of finite numbers.
    """
    return _part(parameters, where, _LIKE, LikeLink, "both or neither say what a like is")


def objective(parameters: Mapping[str, str], where: str) -> ImplicitObjective | None:
    """Read what a ranking model minimised.

    Raises:
        DamagedArtifactError: only some of it is there, or it is no objective.
    """
    return _part(
        parameters, where, _OBJECTIVE, ImplicitObjective, "all or none say how to fold a user in"
    )


def _part(
    parameters: Mapping[str, str],
    where: str,
    names: tuple[str, ...],
    make: Callable[..., _Part],
    rule: str,
) -> _Part | None:
    found = {name: parameters[name] for name in names if name in parameters}
    if not found:
        return None
    if len(found) < len(names):
        missing = next(name for name in names if name not in found)
        raise DamagedArtifactError(
            where, f"meta.json holds {next(iter(found))} without {missing}: {rule}"
        )
    try:
        return make(*map(float, found.values()))
    except (ValueError, ShapeMismatchError) as error:
        told = ", ".join(f"{name} {value[:40]!r}" for name, value in found.items())
        count = {2: "two", 3: "three"}[len(names)]
        raise DamagedArtifactError(
            where, f"meta.json says {told}, expected {count} finite numbers"
        ) from error
