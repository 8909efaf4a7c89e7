"""Every call of AWS of a run is a point at which the function, or the whole run, may die.

``make test`` tries some of the points, ``make chaos`` every one.
"""

import os
import time

import pytest

from testbed import stage as stages
from testbed.campaign import Disturbance, count_calls, disturbed_run
from testbed.runs import Kept

EVERY = 1 if os.environ.get("CHAOS") == "all" else 7
MODES = [(when, aborts) for when in ("before", "after") for aborts in (False, True)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", range(len(MODES)), ids=[f"{w}-{a}" for w, a in MODES])
def test_whatever_dies_wherever_the_catalog_comes_to_the_same_end(
    promoted_run: Kept, clock: list[float], mode: int
) -> None:
    def later(seconds: float) -> None:
        clock[0] += seconds

    when, aborts = MODES[mode]
    with stages.set_up() as stage:
        calls = count_calls(stage, promoted_run)
    with stages.set_up() as stage:
        expected = disturbed_run(stage, promoted_run, Disturbance(-1))
    assert expected["one run"]
    assert expected["told"]
    assert calls > 50
    wrong = {}
    for at in range(mode % EVERY, calls, EVERY):
        with stages.set_up() as stage:
            found = disturbed_run(stage, promoted_run, Disturbance(at, when, aborts), later)
        assert len(found["snapshot"]) == len(expected["snapshot"])
        differing = {
            name for name in expected if name != "snapshot" and found[name] != expected[name]
        }
        if differing:
            wrong[at] = differing
    assert wrong == {}
