"""No unit test can reach a network: AWS is in memory, and nothing is left of the test before."""

from collections.abc import Iterator

import pytest

from testbed import runs
from testbed import stage as stages
from testbed.runs import Kept
from testbed.stage import Stage


@pytest.fixture(scope="session")
def promoted_run() -> Kept:
    """What a run of the planted catalog leaves behind; made once, put where it is needed."""
    with stages.aws(), stages.set_up() as made:
        return runs.kept(made)


@pytest.fixture(autouse=True, scope="module")
def aws() -> Iterator[None]:
    with stages.aws():
        yield


@pytest.fixture
def stage(aws: None) -> Iterator[Stage]:
    """The stack's resources, as the template names them, and nothing else."""
    with stages.set_up() as made:
        yield made
