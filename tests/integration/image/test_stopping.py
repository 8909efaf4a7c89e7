"""SIGTERM ends a job wherever it meets it, but never between the files of a model."""

import subprocess
import sys

import pytest

BEGIN = """
import ctypes, os, signal, sys, time
from pathlib import Path
from factorization_machines.process.stopping import end_at_sigterm, no_stop
end_at_sigterm()
"""
# An exception raised in here would be printed and lost.
IN_A_CALL_OF_C = """
@ctypes.CFUNCTYPE(None)
def called_back():
    os.kill(os.getpid(), signal.SIGTERM)
    sum(range(1000))
called_back()
time.sleep(100)
"""
IN_A_CLAUSE_THAT_TAKES_ANYTHING = """
try:
    os.kill(os.getpid(), signal.SIGTERM)
    sum(range(1000))
except BaseException:
    pass
time.sleep(100)
"""
BEFORE_IMPORTS_ARE_DONE = """
os.kill(os.getpid(), signal.SIGTERM)
import numba, scipy
time.sleep(100)
"""
AFTER_ANOTHER_SIGNAL = """
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(100)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    time.sleep(0.5)  # whoever took it for SIGTERM ends here, and says so
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(100)
"""
WHILE_FILES_ARE_WRITTEN = """
with no_stop:
    Path("model").write_text("whole")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.3)
    Path("curve").write_text("whole")
time.sleep(100)
"""


def run(program, folder):
    return subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "program",
    [
        IN_A_CALL_OF_C,
        IN_A_CLAUSE_THAT_TAKES_ANYTHING,
        BEFORE_IMPORTS_ARE_DONE,
        AFTER_ANOTHER_SIGNAL,
        WHILE_FILES_ARE_WRITTEN,
    ],
)
def test_a_stop_is_never_lost(program, tmp_path):
    process = run(program, tmp_path)

    assert (process.returncode, process.stderr) == (143, "")
    assert process.stdout.endswith("stopped by SIGTERM\n")
    assert ("interrupted\n" in process.stdout) == (program == AFTER_ANOTHER_SIGNAL)


def test_a_stop_waits_for_files_that_belong_together(tmp_path):
    run(WHILE_FILES_ARE_WRITTEN, tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve", "model"]
