"""Freed memory is kept: to use as much again asks the system for nothing."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from factorization_machines.process.kept_memory import keep_freed_memory

def pages_asked_for():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        parts = [bytes([1]) * (3 << 20) for _ in range(4)]
        del parts
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if {tuned}:
    keep_freed_memory()
pages_asked_for()
print(pages_asked_for())
"""


def pages(*, tuned):
    # A process of its own: what is tuned stays so.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(tuned=tuned)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told so")
def test_what_was_freed_is_used_again_without_asking_the_system():
    megabytes = 5 * 4 * 3
    assert pages(tuned=True) < 20
    assert pages(tuned=False) > megabytes  # the test would see it
