"""Child processes and ports."""

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
_SIOCGIFADDR = 0x8915
"""Linux's request for the address of an interface."""


class StartError(RuntimeError):
    """A server did not come up; the message says where its log is."""


def choose_port(preferred: int, host: str = LOOPBACK) -> int:
    """Take the preferred port if it is free, else any other.

    Raises:
        StartError: this machine has no such address.
    """
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return int(probe.getsockname()[1])
    raise StartError(f"no port of {host} can be had: is it an address of this machine?")


def docker_bridge(interface: str = "docker0") -> str:
    """Find the address at which this machine's containers, and nobody else, see it (Linux).

    Raises:
        StartError: there is no such interface, as where Docker does not run.
    """
    request = struct.pack("256s", interface.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, request)
        except OSError as error:
            raise StartError(
                f"Docker's bridge {interface} is not there: is Docker running?"
            ) from error
    return socket.inet_ntoa(answer[20:24])


class Server:
    """A server in a process group of its own, with its output in a file."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path, cwd: Path
    ) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for the server to answer.

        Raises:
            StartError: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise StartError(
                    f"{self.name} ended with status {self.process.returncode}; see {self.log}"
                )
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} did not answer in {seconds:.0f} s; see {self.log}")
            time.sleep(0.05)

    def stop(self, grace_seconds: float = 5.0) -> None:
        """End the server and everything in its process group."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(grace_seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def answers(url: str) -> bool:
    """Whether a server answers there at all."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # our own loopback address
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError):
        return False
