"""AWS is in memory, and nothing is left of the run before."""

from collections.abc import Iterator

import pytest

from testbed import runs
from testbed import stage as stages
from testbed.runs import Kept


@pytest.fixture(autouse=True, scope="module")
def aws() -> Iterator[None]:
    with stages.aws():
        yield


@pytest.fixture(scope="module")
def promoted_run(aws: None) -> Kept:
    """What a run of the planted catalog leaves behind."""
    with stages.set_up() as made:
        return runs.kept(made)
