"""What a solver hands over."""

from dataclasses import dataclass

from recommender.machine import FactorizationMachine

# Beside the training parameters of a regressor's model: log-odds of a like are
# `like_scale * rating + like_shift`.
LIKE_SCALE, LIKE_SHIFT = "like_scale", "like_shift"


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
