"""Means over users with their standard errors, and two methods compared on the same users."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.features import Float64s, Integers

FEWEST, FEW = 5, 30
BEYOND_CHANCE = 2.4
"""How many standard errors of the difference are no chance: of equal models one in 120 is beyond
as many. Two would be one in 44, and a catalog that trains each day would lose one drop a month."""
_WIDTH_OF_FEW = 3.0


@dataclass(frozen=True)
class Figure:
    """A mean over users.

    Attributes:
        mean: the mean; 0 over nobody.
        standard_error: its standard error, had the users been drawn from many; None for fewer than
            two of them.
        users: over how many users.
    """

    mean: float
    standard_error: float | None
    users: int

    @classmethod
    def of(cls, values: Float64s) -> "Figure":
        """Take the mean of ``(m,)`` values of as many users."""
        if not values.size:
            return cls(0.0, None, 0)
        return cls(float(values.mean()), _standard_error(values), int(values.size))

    def to_dict(self) -> dict[str, object]:
        """For a file; the number of users stands elsewhere."""
        return {"mean": self.mean, "standard_error": self.standard_error}


def can_tell(worse: float, standard_error: float | None, count: int) -> bool:
    """Whether there is enough to tell a difference from chance.

    Fewer than `FEWEST` tell nothing; of fewer than `FEW`, whose standard error is itself
    uncertain, only what is beyond three of them.

    Args:
        worse: the mean difference, positive where the new model is worse.
        standard_error: of the mean.
        count: of how many users or rows.
    """
    if standard_error is None or count < FEWEST:
        return False
    return count >= FEW or worse > _WIDTH_OF_FEW * standard_error


def _standard_error(values: Float64s) -> float | None:
    if values.size < 2:
        return None
    return float(values.std(ddof=1)) / math.sqrt(values.size)


@dataclass(frozen=True, eq=False)
class PerUser:
    """What each user's list reaches, so that methods can be compared on the same users.

    Attributes:
        users: ``(m,)`` numbers of the users, ascending.
        values: name of a metric -> ``(m,)`` float64.
    """

    users: Integers
    values: Mapping[str, Float64s]

    def figure(self, name: str) -> Figure:
        """Mean and standard error of a metric."""
        return Figure.of(self._values(name))

    def among(self, users: Integers) -> "PerUser":
        """The figures of those users alone who stand in ``(n,)`` others, in any order."""
        kept = np.isin(self.users, users)
        return PerUser(self.users[kept], {name: v[kept] for name, v in self.values.items()})

    def _values(self, name: str) -> Float64s:
        if name not in self.values:
            raise ShapeMismatchError("name of a metric", sorted(self.values), name)
        return self.values[name]


def paired_difference(ours: PerUser, theirs: PerUser, name: str) -> Figure:
    """By how much one method is above another on the users that both have.

    Users differ more than methods do: the difference within each user has a far smaller standard
    error than the difference of two means.

    Args:
        ours: the figures of one method.
        theirs: those of the other.
        name: the metric.

    Returns:
        Mean and standard error of the differences, ours less theirs.

    Raises:
        ShapeMismatchError: one of them has no such metric.
    """
    one, other = _paired(ours, theirs, name)
    return Figure.of(one - other)


def paired_ratio(ours: PerUser, theirs: PerUser, name: str) -> Figure:
    """Which share of another method's mean one method reaches on the users that both have.

    Args:
        ours: the figures of one method.
        theirs: those of the other.
        name: the metric.

    Returns:
        The ratio of the two means; its standard error to first order. 0 where theirs is 0.

    Raises:
        ShapeMismatchError: one of them has no such metric.

    Source:
        Cochran, *Sampling Techniques*, 3rd edition, eq. 2.46, for an unlimited population.
    """
    one, other = _paired(ours, theirs, name)
    whole = float(other.mean()) if other.size else 0.0
    if not whole:
        return Figure(0.0, None, int(one.size))
    ratio = float(one.mean()) / whole
    spread = _standard_error(one - ratio * other)
    return Figure(ratio, None if spread is None else spread / whole, int(one.size))


def _paired(ours: PerUser, theirs: PerUser, name: str) -> tuple[Float64s, Float64s]:
    _, left, right = np.intersect1d(
        ours.users, theirs.users, assume_unique=True, return_indices=True
    )
    return ours._values(name)[left], theirs._values(name)[right]
