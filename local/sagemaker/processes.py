"""Child processes: started together, stopped in order, never left behind."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from local.sagemaker.server import LOOPBACK

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL. SageMaker gives 120; a laptop's owner waits for less."""


class ClosingError(Exception):
    """The server is stopping: nothing new is started."""


class Child:
    """One running container program."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        """The exit code, or ``None`` while it runs. As a container's: 128 + signal number."""
        return _exit_code(self._process.poll())

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait at most ``timeout`` seconds for the exit code; ``None`` means still running."""
        try:
            return _exit_code(self._process.wait(timeout))
        except subprocess.TimeoutExpired:
            return None

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._process.kill()

    def stop(self, grace: float = GRACE) -> int:
        """Ask it to end, end it after ``grace`` seconds, and return the exit code."""
        self.terminate()
        code = self.wait(grace)
        if code is None:
            self.kill()
            code = self.wait()
        return code or 0


class Processes:
    """Every child of this server, in the guardian's process group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guardian: subprocess.Popen[bytes] | None = None
        self._children: set[Child] = set()
        self._ports: deque[int] = deque(maxlen=64)
        self._closing = False

    @property
    def closing(self) -> bool:
        """Whether the server is stopping."""
        return self._closing

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> Child:
        """Start a program in ``folder``; what it prints is appended to ``log``.

        Raises:
            ClosingError: the server is stopping.
            OSError: the program cannot be started.
        """
        with self._lock, log.open("ab") as output:
            if self._closing:
                raise ClosingError
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                # The child is in the group before it runs a single instruction of its own, so
                # there is no moment at which the server could die and leave it behind.
                process_group=self._guardian_group(),
            )
            child = Child(process)
            self._children = {other for other in self._children if other.poll() is None} | {child}
        return child

    def free_port(self) -> int:
        """A loopback port nobody listens on, and none that was given out a moment ago."""
        with self._lock:
            while True:
                with socket.socket() as probe:
                    probe.bind((LOOPBACK, 0))
                    port = int(probe.getsockname()[1])
                if port not in self._ports:
                    self._ports.append(port)
                    return port

    def close(self, grace: float = GRACE / 2) -> None:
        """Stop every child, all at the same time, and then the guardian."""
        with self._lock:
            self._closing = True
            children = [child for child in self._children if child.poll() is None]
            for child in children:
                child.terminate()
            deadline = time.monotonic() + grace
            for child in children:
                if child.wait(max(0.0, deadline - time.monotonic())) is None:
                    child.kill()
                    child.wait()
            if self._guardian is not None:
                # Takes along whatever the children themselves may have left in the group.
                with contextlib.suppress(OSError):
                    _pipe_of(self._guardian).close()
                self._guardian.wait()

    def _guardian_group(self) -> int:
        if self._guardian is None or self._guardian.poll() is not None:
            program = str(Path(__file__).with_name("guardian.py"))
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-S", program], stdin=subprocess.PIPE, process_group=0
            )
        return self._guardian.pid


def _pipe_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdin is None:
        raise ValueError("the guardian was started without a pipe")
    return process.stdin


def _exit_code(code: int | None) -> int | None:
    return 128 - code if code is not None and code < 0 else code
