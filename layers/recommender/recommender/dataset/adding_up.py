"""Feedback without ratings: what the rows of a pair come to, each by its age."""

import math
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.dataset.spool import RowSpool, SpooledRows
from recommender.formats.moments import SECOND
from recommender.lookahead import ahead

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_SECONDS_OF_A_DAY = 86_400.0
_LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Ageing:
    """How much less a row counts for its age.

    Attributes:
        half_life_days: after how many days it counts half; 0 if age does not matter.
        newest: the newest time that counts, in seconds since 1970; later ones count in full.
    """

    half_life_days: float
    newest: float

    @classmethod
    def of(
        cls,
        spool: RowSpool,
        half_life_days: float,
        written_by: float = math.inf,
        threads: Executor | None = None,
    ) -> "Ageing":
        """Look for the newest time, if age matters.

        A single row of a wrong time, far ahead, would let all others fade, so none is taken to be
        later than ``written_by``, in seconds since 1970.
        """
        newest = 0.0
        if half_life_days:

            def newest_of(block: SpooledRows) -> float:
                return float(block.timestamps().max(initial=0))

            latest = (one for _, one in ahead(newest_of, spool.blocks, threads))
            newest = max(latest, default=0.0) / SECOND
        return cls(half_life_days, min(newest, written_by))

    def aged(self, values: Float32s, timestamps: Integers) -> Float64s:
        """Tell what rows count by now: ``(n,)``; one without a time counts in full.

        Args:
            values: ``(n,)`` what they counted at first.
            timestamps: ``(n,)`` nanoseconds since 1970; -1 for none.
        """
        wide = values.astype(np.float64)
        if not self.half_life_days:
            return wide
        age = np.where(timestamps < 0, 0.0, self.newest - timestamps / SECOND)
        age = np.maximum(age, 0.0)
        return np.asarray(wide * np.exp2(-age / (_SECONDS_OF_A_DAY * self.half_life_days)))


@dataclass(frozen=True, eq=False)
class Totals:
    """What pairs come to.

    Attributes:
        rows: ``(n,)`` the rows that stand for several, ascending.
        totals: ``(n,)`` what these come to.
        ageing: how much any other row counts.
    """

    rows: Integers
    totals: Float32s
    ageing: Ageing

    @classmethod
    def of(cls, parts: Iterable[tuple[Integers, Float64s]], ageing: Ageing) -> "Totals":
        """Put the rows that stand for several in order, wherever they were added up."""
        rows, totals = [np.zeros(0, np.int64)], [np.zeros(0)]
        for some, their in parts:
            rows.append(some)
            totals.append(their)
        every = np.concatenate(rows)
        order = np.argsort(every)
        return cls(every[order], _float32(np.concatenate(totals)[order]), ageing)

    def values(self, block: SpooledRows) -> Float32s:
        """What the rows of a block count; a row that is none of its own may say anything."""
        values = _float32(self.ageing.aged(block.values(), block.timestamps()))
        first, last = np.searchsorted(self.rows, (block.first, block.first + len(block)))
        values[self.rows[first:last] - block.first] = self.totals[first:last]
        return values


def added_up(keys: npt.NDArray[np.uint64], values: Float64s) -> Float64s:
    """Add up the values of equal keys, side by side, in their order: one total a key."""
    if not keys.size:
        return values
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return np.asarray(np.add.reduceat(values, starts))


def _float32(values: Float64s) -> Float32s:
    """Round, but nothing that counts to zero."""
    return np.maximum(values, _LEAST).astype(np.float32)
