"""Container processes: started apart, ended whole, never left behind.

As in a container, the end of the first process is the end of all that it started: each program
runs in a process group of its own, and what is left of the group is killed.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.sagemaker.environment import LOOPBACK

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL. SageMaker gives 120; a laptop's owner waits for less."""


class ClosingError(Exception):
    """The server is stopping: nothing new is started."""


class Child:
    """One running container program.

    Args:
        process: the program, whose process group has its pid.
        ended: called once, after the end of the whole group.
    """

    def __init__(self, process: subprocess.Popen[bytes], ended: Callable[["Child"], None]) -> None:
        self._process, self._ended = process, ended
        self._lock, self._over = threading.Lock(), False
        self.pid = process.pid

    def poll(self) -> int | None:
        """The exit code, or ``None`` while it runs. As a container's: 128 + signal number."""
        return self._settle(self._process.poll())

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait at most ``timeout`` seconds for the exit code; ``None`` means still running."""
        try:
            return self._settle(self._process.wait(timeout))
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

    def _settle(self, code: int | None) -> int | None:
        if code is None:
            return None
        with self._lock:
            if not self._over:
                self._over = True
                with contextlib.suppress(OSError):  # usually nobody is left
                    os.killpg(self.pid, signal.SIGKILL)
                self._ended(self)
        return 128 - code if code < 0 else code


class Processes:
    """Every container process of this server."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._guardian: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
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

        Args:
            command: the program's path and its arguments.
            environment: the whole of its environment.
            folder: its working folder.
            log: gets its output, and the reason when it cannot be started.
        Raises:
            ClosingError: the server is stopping.
        """
        with self._lock, log.open("ab") as output:
            if self._closing:
                raise ClosingError
            guardian, pipe = self._guarded()
            process = subprocess.Popen(
                [*_helper("launcher.py"), str(pipe), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                pass_fds=(pipe,),
                process_group=guardian.pid,
            )
            child = Child(process, self._forget)
            self._children.add(child)
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
            children = list(self._children)
        for child in children:
            child.terminate()
        deadline = time.monotonic() + grace
        for child in children:
            if child.wait(max(0.0, deadline - time.monotonic())) is None:
                child.kill()
                child.wait()
        with self._lock:
            if self._pipe is not None:
                os.close(self._pipe)
                self._pipe = None
            if self._guardian is not None:
                self._guardian.wait()

    def _forget(self, child: Child) -> None:
        with self._lock:
            self._children.discard(child)
            if self._pipe is not None:
                with contextlib.suppress(OSError):
                    os.write(self._pipe, b"-%d\n" % child.pid)

    def _guarded(self) -> tuple[subprocess.Popen[bytes], int]:
        """The guardian and the pipe to it. One that somebody killed is replaced."""
        if self._guardian is None or self._pipe is None or self._guardian.poll() is not None:
            reading, writing = os.pipe()
            self._guardian = subprocess.Popen(
                _helper("guardian.py"), stdin=reading, process_group=0
            )
            os.close(reading)
            for child in self._children:
                os.write(writing, b"+%d\n" % child.pid)
            if self._pipe is not None:
                os.close(self._pipe)
            self._pipe = writing
        return self._guardian, self._pipe


def _helper(name: str) -> list[str]:
    """The command of a program that lies beside this module."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name(name))]
