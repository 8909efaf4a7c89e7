"""How the tests share the processors: a file at a time, and the local stack's in one process.

Property tests try the same examples in every run, so that nobody's change is blamed for what
another one did. ``pytest --hypothesis-profile=search`` looks for new ones.
"""

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline would time the machine's other work.
settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=5_000)
settings.load_profile("same")

_STACK = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares servers or models that take long to make."""
    for item in items:
        group = "stack" if _STACK in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let output that UTF-8 cannot hold, which some tests are about, pass between processes."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a test of gzipped bytes without them: they hold the time at which they were made."""
    return "gzipped" if isinstance(val, bytes) and val[:2] == b"\x1f\x8b" else None
