"""Every call of AWS of a run is a point at which the function, or the whole run, may die."""

import time

import pytest

from testbed import stage as stages
from testbed.campaign import Disturbance, count_calls, disturbed_run
from testbed.runs import Kept


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@pytest.mark.parametrize("aborts", [False, True], ids=["killed", "aborted"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_whatever_dies_wherever_the_catalog_comes_to_the_same_end(
    promoted_run: Kept, clock: list[float], when: str, *, aborts: bool
) -> None:
    def later(seconds: float) -> None:
        clock[0] += seconds

    with stages.set_up() as stage:
        calls = count_calls(stage, promoted_run)
    with stages.set_up() as stage:
        expected = disturbed_run(stage, promoted_run, Disturbance(-1))
    assert expected["one run"]
    assert expected["told"]
    assert calls > 50
    wrong = {}
    for at in range(calls):
        with stages.set_up() as stage:
            found = disturbed_run(stage, promoted_run, Disturbance(at, when, aborts), later)
        found["snapshot"] = expected["snapshot"] if found["snapshot"] else None
        differing = {name for name in expected if found[name] != expected[name]}
        if differing:
            wrong[at] = differing
    assert wrong == {}
