"""One serving container: its model fetched and unfolded, its process up, its answers relayed."""

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.containers.machinery import Machinery
from local.sagemaker.containers.processes import Child, ClosingError
from local.sagemaker.environment import LOOPBACK
from local.sagemaker.faults import JobError, ValidationError
from local.sagemaker.hosting.models import Model
from local.sagemaker.storage.archives import DamagedArchiveError, unpack
from local.sagemaker.storage.s3 import Location

logger = logging.getLogger(__name__)

PING_INTERVAL = 0.05
STARTUP_TIMEOUT = 120.0
"""Seconds for the first good ping, when the variant does not say."""
INVOCATION_TIMEOUT = 60.0
"""Seconds that SageMaker gives a container for one answer."""
_RESTART_PAUSE = 1.0


class NoAnswerError(Exception):
    """The container gave no HTTP answer: it is gone, or too slow."""


@dataclass(frozen=True)
class ContainerAnswer:
    """What the container said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ModelServer:
    """A ``serve`` process with one model.

    Args:
        name: its log stream, and with ``role`` what failure reasons call it.
        model: what it serves.
        folder: its disk; removed when it stops.
        log: where its output is appended.
        log_group: the CloudWatch log group that gets a copy.
        machinery: the server's shared parts.
        environment: variables on top of the model's own.
        role: what it is to its owner.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        folder: Path,
        log: Path,
        log_group: str,
        machinery: Machinery,
        environment: Mapping[str, str] | None = None,
        role: str = "production variant",
    ) -> None:
        self._name, self._title = name, f"{role} {name}"
        self._model, self._folder, self.log = model, folder, log
        self._log_group, self._machinery = log_group, machinery
        self._environment = {**model.container.get("Environment", {}), **(environment or {})}
        self._lock = threading.Lock()
        self._ready, self._stopping = threading.Event(), threading.Event()
        self._child: Child | None = None
        self._copied: threading.Event | None = None
        self._port = machinery.processes.free_port()
        self._pool = urllib3.HTTPConnectionPool(LOOPBACK, self._port, maxsize=32, retries=False)

    def launch(self) -> None:
        """Fetch the model and start the process; ``wait_ready`` says whether it came up.

        Raises:
            JobError: the image cannot be run, or the archive is missing or damaged.
        """
        command = self._machinery.containers.command(self._model.image, "serve")
        opt_ml = self._folder / "opt" / "ml"
        shutil.rmtree(self._folder, ignore_errors=True)
        (opt_ml / "model").mkdir(parents=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self._model.data_uri is not None:
            self._fetch(self._model.data_uri, opt_ml / "model")
        wanted = {**self._environment, "SAGEMAKER_BIND_TO_PORT": str(self._port)}
        environment = self._machinery.containers.environment(opt_ml, wanted)
        self._start(command, environment, opt_ml)
        self._copied = self._machinery.shipping.follow(self.log, self._log_group, self._name)
        threading.Thread(
            target=self._supervise,
            args=(command, environment, opt_ml),
            name=f"serving-{self._port}",
            daemon=True,
        ).start()

    def wait_ready(self, timeout: float = STARTUP_TIMEOUT) -> None:
        """Wait for the first good answer of ``/ping``.

        Raises:
            JobError: the process ended, or ``timeout`` seconds passed.
        """
        deadline = time.monotonic() + timeout
        while not self._pings():
            child = self._child
            code = child.poll() if child is not None else 0
            if code is not None or time.monotonic() > deadline:
                ended = "is still silent" if code is None else f"ended with exit code {code}"
                raise JobError(
                    f"The primary container for {self._title} did not pass "
                    f"the ping health check: it {ended}. Please check {self.log}"
                )
            time.sleep(PING_INTERVAL)
        self._ready.set()

    def invoke(
        self, body: bytes, headers: Mapping[str, str], timeout: float = INVOCATION_TIMEOUT
    ) -> ContainerAnswer:
        """Relay a request to ``/invocations`` over a connection that is kept.

        Args:
            body: the request's body.
            headers: the request's headers.
            timeout: seconds to wait for the answer.

        Raises:
            NoAnswerError: there was none.
        """
        # The container closes connections that idle; one can close just as it is taken up. Then
        # no byte of an answer has come, a prediction changes nothing, and a fresh one is tried.
        for last in (False, True):
            try:
                answer = self._pool.request(
                    "POST", "/invocations", body=body, headers=headers, timeout=timeout
                )
            except urllib3.exceptions.TimeoutError as error:
                raise NoAnswerError(f"no answer within {timeout:.0f} s") from error
            except urllib3.exceptions.HTTPError as error:
                if last:
                    raise NoAnswerError(f"no answer: {error}") from error
            else:
                return ContainerAnswer(answer.status, answer.headers, answer.data)
        raise AssertionError("unreachable: the second attempt returns or raises")

    def hang_up(self) -> None:
        """Expect the end: no restart any more, and no idle connection.

        A container that is asked to end waits two seconds for connections that nobody uses.
        """
        with self._lock:  # never between a restart's question and its start
            self._stopping.set()
        self._pool.close()

    def stop(self) -> None:
        """End the process and give its disk back. Harmless when it never started."""
        self.hang_up()
        if self._child is not None:
            self._child.stop()
        if self._copied is not None:
            self._copied.set()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, command: list[str], environment: dict[str, str], opt_ml: Path) -> None:
        self._child = self._machinery.processes.start(command, environment, opt_ml, self.log)

    def _supervise(self, command: list[str], environment: dict[str, str], opt_ml: Path) -> None:
        """Start the process again when it ends without being told to, as the service does."""
        while self._child is not None:
            code = self._child.wait()
            # One that never answered is not restarted: ``wait_ready`` reports it.
            if not self._ready.is_set() or self._stopping.is_set():
                return
            logger.warning("%s ended with exit code %s: starting it again", self._title, code)
            self._stopping.wait(_RESTART_PAUSE)
            with self._lock, contextlib.suppress(ClosingError):
                if self._stopping.is_set() or self._machinery.processes.closing:
                    return
                self._start(command, environment, opt_ml)

    def _fetch(self, uri: str, target: Path) -> None:
        archive = self._folder / "model.tar.gz"
        try:
            self._machinery.storage.download(Location.parse(uri), archive)
        except (ClientError, BotoCoreError, ValidationError) as error:
            raise JobError(
                f'Failed to download model data for {self._title} from URL: "{uri}". '
                "Please ensure that there is an object located at the URL and that the role "
                f"passed to CreateModel has permissions to download the model. ({error})"
            ) from error
        try:
            unpack(archive, target)
        except DamagedArchiveError as error:
            raise JobError(
                f"Failed to extract model data archive for {self._title} from URL "
                f'"{uri}". Please ensure that the object located at the URL is a valid tar.gz '
                f"archive. ({error})"
            ) from error
        archive.unlink()

    def _pings(self) -> bool:
        try:
            return self._pool.request("GET", "/ping", timeout=2.0).status == 200
        except urllib3.exceptions.HTTPError:
            return False
