"""All processors at once, on ranges of entities; how many there are changes no byte."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from recommender.features import Integers

# Ranges that threads take in turn.
_RANGES = 64

_Found = TypeVar("_Found")


class Threads:
    """Threads that work on ranges side by side, while compiled code lets go of the interpreter."""

    def __init__(self, count: int | None = None) -> None:
        """Start them: one for each processor that this process may use, unless told otherwise."""
        self._pool = ThreadPoolExecutor(count or _processors())

    def __enter__(self) -> "Threads":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def over(self, cuts: Integers, work: Callable[[int, int], _Found]) -> list[_Found]:
        """Call ``work`` with both ends of each range; what it gives, in the order of the ranges."""
        ends = cuts.tolist()
        return list(self._pool.map(work, ends[:-1], ends[1:]))


def even_cuts(size: int, least: int) -> Integers:
    """Cut ``size`` rows into ranges of at least ``least``, whose number the size alone decides."""
    ranges = max(1, min(_RANGES, size // least))
    return np.arange(ranges + 1) * size // ranges


def cuts_of_work(costs: Integers) -> Integers:
    """Cut rows of such costs into ranges that cost about the same."""
    done = np.concatenate([[0], np.cumsum(costs)])
    wanted = done[-1] * np.arange(1, _RANGES) / _RANGES
    inner = np.unique(np.searchsorted(done, wanted))
    ends = np.concatenate([[0], inner[(inner > 0) & (inner < costs.size)], [costs.size]])
    return ends.astype(np.int64)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
