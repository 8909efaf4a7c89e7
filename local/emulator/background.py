"""The stack that ``make up`` starts and ``make down`` stops, in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from local.emulator.processes import StartError
from local.emulator.stack import DATA, ROOT, STATE, Stack, build

_STOPPING_SECONDS = 150.0
"""Both servers' own grace, and some."""
_ENDED = STATE / "ended.txt"
_FACTS = STATE / "stack.json"


def serve(host: str) -> str:
    """Run the stack on what is kept until a server ends; say which.

    Args:
        host: the address to listen on.
    """
    build()
    with Stack(folder=STATE, data=DATA, host=host) as stack:
        while not (ended := stack.ended()):
            time.sleep(1)
    _ENDED.write_text(f"{ended}\n")
    return ended


def running() -> dict[str, Any] | None:
    """What is known of the stack that is up; ``None`` when none is."""
    facts = _facts()
    return facts if facts is not None and _alive(facts["pid"]) else None


def absence() -> str:
    """Say that nothing is up, and why if it ended by itself."""
    if _ENDED.exists():
        return f"The stack is not up: {_ENDED.read_text().strip()}."
    facts = _facts()
    if facts is not None:
        return f"The stack is not up: its process {facts['pid']} ended without notice."
    return "Nothing is up."


def kept() -> bool:
    """Whether the next start finds something."""
    return DATA.exists()


def forget() -> None:
    """Delete what is kept."""
    shutil.rmtree(DATA, ignore_errors=True)


def start(options: list[str]) -> dict[str, Any]:
    """Start the stack and wait until it is deployed.

    Args:
        options: of ``local serve``.
    Raises:
        StartError: it did not come up; the message is what it said.
    """
    STATE.parent.mkdir(parents=True, exist_ok=True)
    log = STATE.parent / "local.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "serve", *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while (facts := running()) is None or facts["pid"] != process.pid:
        if process.poll() is not None:
            hint = "\nTo start empty: make up ARGS=--fresh" if kept() else ""
            raise StartError(log.read_text().strip() + hint)
        time.sleep(0.2)
    return facts


def stop() -> None:
    """Stop the stack that is up, and wait until nothing of it is left.

    Raises:
        StartError: it does not end.
    """
    facts = running()
    if facts is None:
        _ENDED.unlink(missing_ok=True)
        _FACTS.unlink(missing_ok=True)
        return
    os.kill(facts["pid"], signal.SIGTERM)
    deadline = time.monotonic() + _STOPPING_SECONDS
    while _alive(facts["pid"]):
        if time.monotonic() > deadline:
            raise StartError(f"Process {facts['pid']} does not end.")
        time.sleep(0.1)


def _facts() -> dict[str, Any] | None:
    path: Path = _FACTS
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return facts


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # one of another user is not ours
        return False
    return True
