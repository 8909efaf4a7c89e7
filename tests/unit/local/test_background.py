"""What is said of a stack in the background, and which runs of an earlier one are run again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.emulator import background
from local.emulator.interruptions import INTERRUPTED, interrupted


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(background, "_ENDED", tmp_path / "ended.txt")
    monkeypatch.setattr(background, "_FACTS", tmp_path / "stack.json")
    return tmp_path


def a_process_that_ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_server_that_died_is_named_until_the_stack_is_put_down(state: Path) -> None:
    (state / "ended.txt").write_text("the AWS emulator ended with status -9; see emulator.log\n")
    assert background.running() is None
    assert background.absence() == (
        "The stack is not up: the AWS emulator ended with status -9; see emulator.log."
    )
    background.stop()
    assert background.absence() == "Nothing is up."


def test_a_stack_that_was_killed_is_not_up_and_that_is_said(state: Path) -> None:
    pid = a_process_that_ended()
    (state / "stack.json").write_text(json.dumps({"pid": pid}))
    assert background.running() is None
    assert background.absence() == f"The stack is not up: its process {pid} ended without notice."
    background.stop()
    assert background.absence() == "Nothing is up."


class Executions:
    """A client of Step Functions with these executions: names, statuses, errors."""

    def __init__(self, *executions: tuple[str, str, str]) -> None:
        self.executions = {name: (status, error) for name, status, error in executions}

    def get_paginator(self, _: str) -> "Executions":
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        for name, (status, _error) in self.executions.items():
            yield {"executions": [{"name": name, "executionArn": name, "status": status}]}

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803
        return {"error": self.executions[executionArn][1]}


def test_catalogs_whose_last_run_was_interrupted_are_found() -> None:
    client = Executions(
        ("my-shop-000002-20261127T120000", "FAILED", INTERRUPTED),
        ("my-shop-000001-20261127T110000", "SUCCEEDED", ""),
        ("films-000002-20261127T120000", "SUCCEEDED", ""),
        ("films-000001-20261127T110000", "FAILED", INTERRUPTED),
        ("books-000001-20261127T110000", "FAILED", "TrainingFailedError"),
        ("plays-000001-20261127T110000", "RUNNING", ""),
    )
    assert interrupted(client, "machine") == ["my-shop"]
