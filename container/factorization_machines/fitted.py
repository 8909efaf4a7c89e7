"""What a solver hands over."""

from dataclasses import dataclass

from recommender.machine import FactorizationMachine


@dataclass(frozen=True)
class Shift:
    """A linear map of scores: ``scale * score + shift``."""

    scale: float
    shift: float


@dataclass(frozen=True)
class Fitted:
    """A machine, and how its ratings become likes.

    Attributes:
        machine: the plain machine.
        like_link: for a regressor that was given a threshold: log-odds of a like are
            ``like_link.scale * rating + like_link.shift``.
    """

    machine: FactorizationMachine
    like_link: Shift | None = None
