"""AWS in memory, for the contracts that are proved by running."""

from collections.abc import Iterator

import pytest

from testbed import stage as stages
from testbed.stage import Stage


@pytest.fixture(scope="module")
def module_stage() -> Iterator[Stage]:
    """One stack for all tests of a module, which only look at what was done on it."""
    with stages.aws(), stages.set_up() as made:
        yield made


@pytest.fixture
def stage() -> Iterator[Stage]:
    """The stack's resources, as the template names them."""
    with stages.aws(), stages.set_up() as made:
        yield made
