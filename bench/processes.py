"""A figure comes from a process of its own: only there are time and memory nobody else's."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_LAST_WORDS = 3000


def output_of(
    module: str,
    *arguments: str,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a module in a fresh process; its standard output, once it has ended well.

    Args:
        module: what ``python -m`` takes.
        arguments: its command line.
        python: the interpreter, when it is not this one.
        environment: variables beside those of this process.

    Raises:
        SystemExit: it failed, with the end of what it wrote to standard error.
    """
    finished = subprocess.run(
        [python, "-m", module, *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise SystemExit(f"{module} {' '.join(arguments)}\n{finished.stderr[-_LAST_WORDS:]}")
    return finished.stdout


def figures_of(
    module: str,
    *arguments: str,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Run a module as `output_of` does, and read the JSON object in its last line."""
    output = output_of(module, *arguments, python=python, environment=environment)
    return dict(json.loads(output.splitlines()[-1]))


def peak_mb() -> float:
    """This program's own peak; ``ru_maxrss`` would begin with that of whoever started it."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)
