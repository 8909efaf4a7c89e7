"""Memory that the C library keeps for the next request instead of giving it back."""

import ctypes

# Numbers of glibc's mallopt(3): M_MMAP_THRESHOLD, at the largest that it takes; M_TRIM_THRESHOLD,
# above what a body of 6 MB takes on its way; M_ARENA_MAX, one store for all threads.
_OPTIONS = {-3: 32 << 20, -1: 128 << 20, -8: 1}


def keep_freed_memory() -> None:
    """Let the C library keep what a request frees: the next one takes as much again.

    To get it from the system anew, page by page, costs a full body as much as the work on it. Does
    nothing where the C library is not glibc. Processes that are forked later do the same.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is None:
        return
    for option, value in _OPTIONS.items():
        tune(option, value)
