"""Seconds of a call that is made many times."""

import time
from collections.abc import Callable
from statistics import median


def median_seconds(work: Callable[[], object], repeats: int, *, unmeasured: int = 0) -> float:
    """Median seconds of a call on the wall's clock, after some calls that do not count."""
    taken = []
    for _ in range(unmeasured + repeats):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return median(taken[unmeasured:])
