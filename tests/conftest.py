"""How the tests share the processors: a file at a time, and those of one server in one process.

Property tests try the same examples in every run, so that nobody's change is blamed for what
another one did. ``pytest --hypothesis-profile=search`` looks for new ones.
"""

from collections.abc import Generator

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# A deadline would time the machine's other work.
settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=5_000)
settings.load_profile("same")

_STACK = "tests/e2e/"
_TOGETHER = (_STACK, "tests/integration/local_sagemaker/")
"""Folders whose tests share servers, started once."""


class _ByFile(LoadScopeScheduling):
    """Keeps together what shares servers or models that take long to make.

    Groups of xdist's own would say the same in fewer words, but pytest 9.2 hides them from it.
    """

    def _split_scope(self, nodeid: str) -> str:
        alone = nodeid.partition("::")[0]
        return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), alone)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByFile:
    """Hand out tests by file, and those of a folder that shares servers to one process."""
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(_STACK))


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
