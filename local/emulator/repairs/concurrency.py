"""How many invocations of functions are at work at once, and how many processes that takes."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

MOST_AT_WORK = 10
"""Invocations at work at once: the quota of a new account. Further ones wait."""
MOST_OF_ONE = 5
"""Of one function: a storm of uploads leaves room for the runs that it starts, and for answers."""
NESTED_WAIT = 5.0
"""Seconds that an invocation out of another one waits, which itself holds a place."""


class Places:
    """Places for invocations at work.

    Args:
        most: places of all functions.
        most_of_one: places of one function.
    """

    def __init__(self, most: int = MOST_AT_WORK, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    def take(self, name: str, seconds: float | None = None) -> bool:
        """Wait for a place.

        Args:
            name: the function.
            seconds: how long; ``None`` is for ever.
        Returns:
            Whether there is one: give it back.
        """
        with self._changed:
            free = self._changed.wait_for(lambda: self._free(name), seconds)
            self._taken[name] += free
            return free

    def give_back(self, name: str) -> None:
        """Leave a place to the next."""
        with self._changed:
            self._taken[name] -= 1
            self._changed.notify_all()

    def _free(self, name: str) -> bool:
        return self._taken[name] < self._most_of_one and self._taken.total() < self._most


def bound_concurrency() -> None:
    """Let invocations wait for a place, where MiniStack starts a process for each.

    An event or a call of the API waits for as long as it takes, as Lambda's own queue lets it; so
    does a task of a state machine, which holds no place itself. An invocation out of another one
    is throttled after a while: they would wait for each other.
    """
    from ministack.services import lambda_svc

    work: Callable[..., dict[str, Any]] = lambda_svc._execute_function_dispatch
    places = Places()

    def within_bounds(
        function: dict[str, Any],
        config: dict[str, Any],
        event: object,
        request_id: str,
        started: float,  # noqa: ARG001  # waiting is not what the function is billed for
    ) -> dict[str, Any]:
        name = config["FunctionName"]
        nested = lambda_svc._invoke_depth.get() > 1
        if not places.take(name, NESTED_WAIT if nested else None):
            throttled: dict[str, Any] = lambda_svc._throttle_response(
                reason_code="ConcurrentInvocationLimitExceeded",
                msg=f"Rate Exceeded: {MOST_AT_WORK} invocations are at work, {name} called by one",
            )
            return throttled
        try:
            end_surplus_processes()
            return work(function, config, event, request_id, time.time())
        finally:
            places.give_back(name)

    lambda_svc._execute_function_dispatch = within_bounds


def end_surplus_processes() -> None:
    """Make room for one more process: at most one waits for each function, and few beside them."""
    from ministack.core import lambda_runtime

    with lambda_runtime._lock:
        pools = lambda_runtime._workers
        busy = sum(worker.in_use for pool in pools.values() for worker in pool)
        idle = sorted(
            (worker.last_used, key, place)
            for key, pool in pools.items()
            for place, worker in enumerate(pool)
            if place and not worker.in_use
        )
        surplus = max(0, busy + len(idle) - (MOST_AT_WORK - 1))
        ended = [pools[key][place] for _, key, place in idle[:surplus]]
        for key, pool in pools.items():
            pools[key] = [worker for worker in pool if worker not in ended]
    lambda_runtime.kill_workers(ended)
