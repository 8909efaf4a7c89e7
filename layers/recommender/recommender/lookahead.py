"""Work done ahead by threads, its results taken in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

Input = TypeVar("Input")
Result = TypeVar("Result")

_MOST_AHEAD = 4


def ahead(
    work: Callable[[Input], Result],
    inputs: Iterable[Input],
    threads: Executor | None,
    most: int = _MOST_AHEAD,
) -> Iterator[tuple[Input, Result]]:
    """Do work on each input, a few inputs ahead of the caller.

    Args:
        work: what several threads may do at once.
        inputs: read in the caller's thread.
        threads: who does it; nobody means the caller itself.
        most: how many inputs ahead; bounds the memory that they and their results take.

    Returns:
        Each input with its result, in the order of the inputs.
    """
    if threads is None:
        for one in inputs:
            yield one, work(one)
        return
    source = iter(inputs)
    running: deque[tuple[Input, Future[Result]]] = deque()
    try:
        running.extend((one, threads.submit(work, one)) for one in islice(source, most))
        while running:
            one, future = running.popleft()
            result = future.result()
            running.extend((new, threads.submit(work, new)) for new in islice(source, 1))
            yield one, result
    finally:
        for _, future in running:
            future.cancel()
