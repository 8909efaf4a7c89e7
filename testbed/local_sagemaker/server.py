"""Start a local SageMaker, and look at it from outside: its clients, its processes."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[2]
EMULATOR_PYTHON = ROOT / ".venvs" / "emulator" / "bin" / "python"
REGION = "eu-central-1"


@dataclass(frozen=True)
class Service:
    """A running local SageMaker and everything that talks to it."""

    process: subprocess.Popen[str]
    url: str
    state: Path
    sagemaker: Any
    runtime: Any
    s3: Any
    logs: Any

    def children(self) -> list[int]:
        """Every process that the server started, and theirs."""
        groups = {row.group for row in process_table() if row.parent == self.process.pid}
        return [row.pid for row in process_table() if row.group in groups]

    def containers(self) -> set[int]:
        """The container programs that run, without their own children."""
        return {
            row.pid
            for row in process_table()
            if row.parent == self.process.pid and "guardian.py" not in row.command
        }


class ProcessRow(NamedTuple):
    """A process as ``ps`` lists it."""

    pid: int
    parent: int
    group: int
    command: str


def process_table() -> list[ProcessRow]:
    """Every process of this machine that has not ended."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,pgid=,stat=,command="],  # noqa: S607  # wherever it is
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split(None, 4) for line in listed.stdout.splitlines()]
    return [
        ProcessRow(int(pid), int(parent), int(group), command)
        for pid, parent, group, state, command in rows
        if not state.startswith("Z")
    ]


def aws_environment(endpoint: str) -> dict[str, str]:
    """This process's environment with an emulator's AWS in place of any other."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",  # what the emulator takes; a secret of nothing
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client(service: Any, endpoint: str) -> Any:
    """A boto3 client that tries once and checks nothing before it asks."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            parameter_validation=False,  # the server's own checks are what is tested
            retries={"total_max_attempts": 1},
            max_pool_connections=16,
        ),
    )


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What the condition says once it says anything true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
    return result


@contextlib.contextmanager
def running(emulator: str, state: Path) -> Iterator[Service]:
    """Run a server of its own, whose S3 and logs are the emulator's."""
    with (state / "server.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", "local.sagemaker", "--port", "0", "--state", state],
            env=aws_environment(emulator),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        clients = [client(name, url) for name in ("sagemaker", "sagemaker-runtime")]
        clients += [client(name, emulator) for name in ("s3", "logs")]
        yield Service(process, url, state, *clients)
        for each in clients:
            each.close()
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
