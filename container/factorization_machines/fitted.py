"""What a solver hands over: a machine, and what each pass over the rows said about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from recommender.features import FeatureRows, Float32s, Float64s, Floats
from recommender.model.machine import FactorizationMachine, LikeLink

_SMALLEST_CHANCE = 1e-15


@dataclass(frozen=True)
class Fitted:
    """A machine, and what goes with it.

    Attributes:
        machine: the plain machine.
        like_link: for a regressor that was given a threshold: how its ratings become likes.
        chosen: hyperparameters that the solver chose itself, as SageMaker spells them.
        judge_lists: for a ranking model: metrics of its lists, given rows and labels to be found.
    """

    machine: FactorizationMachine
    like_link: LikeLink | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)
    judge_lists: Callable[[FeatureRows, Float32s], Mapping[str, float]] | None = None


@dataclass(frozen=True)
class SweepSummary:
    """How far a ranking model has come in a sweep.

    Attributes:
        sweep: from 0.
        sweeps: how many there will be.
        objective: what is minimised, a sum over all pairs.
        ndcg: NDCG at 10 of held out pairs after as many sweeps without them, if any were held out.
    """

    sweep: int
    sweeps: int
    objective: float
    ndcg: float | None = None


@dataclass(frozen=True)
class EpochSummary:
    """How the rows of one epoch, or of one draw of the sampler, scored.

    Attributes:
        epoch: from 0.
        epochs: how many there will be.
        rows: rows seen.
        loss: mean cross-entropy in nats, or mean squared error.
        accuracy: share of right labels at threshold 0.5 (classifier; else 0).
        f1: harmonic mean of precision and recall (classifier; else 0).
        absolute_error: mean absolute error (regressor; else 0).
        held_out_loss: the loss of the rows that are held out of the train channel, if any are.
    """

    epoch: int
    epochs: int
    rows: int
    loss: float
    accuracy: float = 0.0
    f1: float = 0.0
    absolute_error: float = 0.0
    held_out_loss: float | None = None


def summarise_chances(
    epoch: int, epochs: int, likes: np.ndarray[tuple[int], np.dtype[np.bool_]], chances: Float64s
) -> EpochSummary:
    """Compare ``(n,)`` probabilities with the ``(n,)`` likes."""
    predicted = chances >= 0.5
    right = np.where(likes, chances, 1.0 - chances)
    both = int(np.count_nonzero(predicted & likes))
    either = int(np.count_nonzero(predicted)) + int(np.count_nonzero(likes))
    return EpochSummary(
        epoch,
        epochs,
        likes.size,
        loss=float(-np.log(np.maximum(right, _SMALLEST_CHANCE)).mean()),
        accuracy=float(np.mean(predicted == likes)),
        f1=2.0 * both / either if either else 0.0,
    )


def summarise_ratings(epoch: int, epochs: int, labels: Floats, expected: Float64s) -> EpochSummary:
    """Compare ``(n,)`` predicted with ``(n,)`` given ratings."""
    errors = expected - labels
    return EpochSummary(
        epoch,
        epochs,
        labels.size,
        loss=float(np.square(errors).mean()),
        absolute_error=float(np.abs(errors).mean()),
    )
