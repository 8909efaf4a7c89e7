"""Choose weight of the unobserved, regularization and rank by lists of users with pairs held out.

The grid lies along the ridge on which good settings are found: the more the unobserved pairs
weigh, the less regularization is wanted, about in inverse proportion to the root of the weight.
A coarse grid is tried with a middle rank, then the neighbours of its best point and so on, then
the other ranks. Weights are relative to the mean weight of the observed pairs, whatever its scale.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from recommender.features import Float64s
from recommender.model.objective import ImplicitObjective

from factorization_machines.als.held_out import HeldOut
from factorization_machines.als.solver import Settings, Solver
from factorization_machines.als.threads import Threads

UNOBSERVED = (0.03, 0.1, 0.3, 1.0)
"""Weights of the unobserved pairs, relative to the mean observed one."""
STRENGTHS = (0.003, 0.006, 0.012)
"""Regularization times the root of that weight."""
RANKS = (32, 64, 128)
MIDDLE_RANK = 64
TRIED_SWEEPS = 4

_USUAL_UNOBSERVED, _USUAL_STRENGTH = 0.3, 0.0085
_UNOBSERVED_STEP, _STRENGTH_STEP = 3**0.5, 2**0.5
# Steps from the best point of the grid to a better neighbour, at most.
_ROUNDS = 3
# A larger machine must be better by this many standard errors of the difference.
_WORTH_A_LARGER_RANK = 0.5


@dataclass(frozen=True)
class Fixed:
    """What is not to be searched; None for what is."""

    unobserved_weight: float | None
    regularization: float | None
    rank: int | None

    @property
    def leaves_nothing(self) -> bool:
        """Whether there is nothing to choose."""
        return None not in (self.unobserved_weight, self.regularization, self.rank)

    def arithmetic(self, sweeps: int) -> int:
        """Cost of the whole search for a pair: factors times sweeps, summed over the trials."""
        rank = self.rank or MIDDLE_RANK
        weights = len(UNOBSERVED) if self.unobserved_weight is None else 1
        strengths = len(STRENGTHS) if self.regularization is None else 1
        trials = weights * strengths + _ROUNDS * ((weights > 1) + (strengths > 1))
        others = 0 if self.rank else sum(RANKS) - rank
        return TRIED_SWEEPS * (trials * rank + others) + sweeps * rank


@dataclass(frozen=True)
class Point:
    """Settings by their place in the grid."""

    unobserved: float
    strength: float
    rank: int


class Search:
    """Tries settings on held out pairs, each once."""

    def __init__(
        self,
        held_out: HeldOut,
        fixed: Fixed,
        start: Settings,
        threads: Threads,
        say: Callable[[str], None],
    ) -> None:
        """Begin.

        Args:
            held_out: what is learned from and what is to be found.
            fixed: what is not searched.
            start: everything else: exponent, first vectors, seed.
            threads: to work on.
            say: told of every trial.
        """
        self._held_out, self._fixed, self._start = held_out, fixed, start
        self._threads, self._say = threads, say
        self._mean_weight = float(held_out.left.by_user.weights.mean(dtype=np.float64))
        self._found: dict[Settings, Float64s] = {}

    def choose(self) -> Settings:
        """Try the grid and say what is best."""
        fixed = self._fixed
        rank = fixed.rank or MIDDLE_RANK
        weights = UNOBSERVED if fixed.unobserved_weight is None else (1.0,)
        strengths = STRENGTHS if fixed.regularization is None else (1.0,)
        best = self._best(Point(one, two, rank) for one in weights for two in strengths)
        for _ in range(_ROUNDS):
            before, best = best, self._best(_neighbours(best))
            if best == before:
                break
        if fixed.rank is not None:
            return self._settings(best)
        return self._settings(self._smallest_good_rank(best))

    def _smallest_good_rank(self, point: Point) -> Point:
        points = [replace(point, rank=rank) for rank in RANKS]
        best = self._try(self._best(points))
        for smaller in points:
            gain = best - self._try(smaller)
            error = float(gain.std()) / math.sqrt(gain.size)
            if float(gain.mean()) <= _WORTH_A_LARGER_RANK * error:
                return smaller
        return point

    def _best(self, points: Iterable[Point]) -> Point:
        """The point of the highest mean; the first of equals."""
        return max(points, key=lambda point: float(self._try(point).mean()))

    def _settings(self, point: Point) -> Settings:
        fixed, objective = self._fixed, self._start.objective
        weight, regularization = fixed.unobserved_weight, fixed.regularization
        if weight is None:
            weight = _rounded(point.unobserved * self._mean_weight)
        if regularization is None:
            relative = weight / self._mean_weight
            regularization = _rounded(point.strength / math.sqrt(relative))
        objective = ImplicitObjective(weight, regularization, objective.exponent)
        return replace(self._start, rank=point.rank, objective=objective)

    def _try(self, point: Point) -> Float64s:
        settings = self._settings(point)
        if settings not in self._found:
            solver = Solver(self._held_out.left, settings, self._threads)
            for _ in range(TRIED_SWEEPS):
                solver.sweep()
            users, items = solver.users.vectors, solver.items.vectors
            found = self._held_out.ndcg(users, items, self._threads)
            self._found[settings] = found
            self._say(f"als: {describe(settings)}: held out NDCG@10 {found.mean():.4f}")
        return self._found[settings]


def default_settings(fixed: Fixed, mean_weight: float, start: Settings) -> Settings:
    """Fill in what suits most catalogs, where nothing can be tried."""
    weight = fixed.unobserved_weight or _rounded(_USUAL_UNOBSERVED * mean_weight)
    usual = _rounded(_USUAL_STRENGTH / math.sqrt(weight / mean_weight))
    regularization = fixed.regularization or usual
    objective = ImplicitObjective(weight, regularization, start.objective.exponent)
    return replace(start, rank=fixed.rank or MIDDLE_RANK, objective=objective)


def _neighbours(point: Point) -> list[Point]:
    """The point itself and those half a step of the grid away."""
    one, two = point.unobserved, point.strength
    return [
        point,
        replace(point, unobserved=one / _UNOBSERVED_STEP),
        replace(point, unobserved=one * _UNOBSERVED_STEP),
        replace(point, strength=two / _STRENGTH_STEP),
        replace(point, strength=two * _STRENGTH_STEP),
    ]


def describe(settings: Settings) -> str:
    """Settings as a sentence names them."""
    objective = settings.objective
    return (
        f"{settings.rank} factors, unobserved_weight {objective.unobserved_weight:g}, "
        f"regularization {objective.regularization:g}"
    )


def _rounded(value: float) -> float:
    """Three digits: what is told is what is used."""
    return float(f"{value:.3g}")
