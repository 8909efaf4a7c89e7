"""Serve the trained model: ``python -m factorization_machines serve``.

Environment: ``OPT_ML`` (default ``/opt/ml``), ``SAGEMAKER_BIND_TO_PORT`` (8080),
``MATINEE_BIND_HOST`` (0.0.0.0), ``SAGEMAKER_MODEL_SERVER_WORKERS`` (2),
``SAGEMAKER_MODEL_SERVER_TIMEOUT`` (60 seconds a request), and ``MATINEE_RUN_AS``: the account
that reads the model and answers requests when root starts the server, as SageMaker does.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gunicorn.app.base import BaseApplication
from recommender.errors import DamagedArtifactError, MissingSettingsError, RecommenderError
from recommender.model.artifact import read_artifact, read_model_zip
from recommender.model.machine import FactorizationMachine

from factorization_machines.process.account import account_of, leave_root
from factorization_machines.process.kept_memory import keep_freed_memory
from factorization_machines.process.paths import ARCHIVE_FILE, MODEL_FILE, Paths
from factorization_machines.serving.application import Application

# SageMaker sends SIGKILL thirty seconds after SIGTERM.
_SECONDS_TO_FINISH = 25


@dataclass(frozen=True)
class ServeSettings:
    """Where and how to listen.

    Attributes:
        host: address to bind.
        port: port to bind.
        workers: processes.
        timeout: seconds until a silent worker is replaced.
    """

    host: str
    port: int
    workers: int
    timeout: int

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "ServeSettings":
        """Read the settings.

        Raises:
            MissingSettingsError: naming every variable that cannot be read.
        """
        problems: list[str] = []

        def integer(name: str, default: int, high: int) -> int:
            text = environ.get(name) or str(default)
            if text.isascii() and text.isdigit() and 1 <= int(text) <= high:
                return int(text)
            problems.append(f"{name} is {text[:40]!r}, expected an integer from 1 to {high}")
            return default

        settings = cls(
            host=environ.get("MATINEE_BIND_HOST") or "0.0.0.0",  # noqa: S104 - SageMaker's contract
            port=integer("SAGEMAKER_BIND_TO_PORT", 8080, 65535),
            workers=integer("SAGEMAKER_MODEL_SERVER_WORKERS", 2, 256),
            timeout=integer("SAGEMAKER_MODEL_SERVER_TIMEOUT", 60, 3600),
        )
        if problems:
            raise MissingSettingsError(problems)
        return settings


def main(application: Callable[[FactorizationMachine, int], Application] = Application) -> int:
    """Load the model, then serve until a signal.

    Args:
        application: makes what answers requests, of a machine and the number of workers.

    Returns:
        The exit status; 1 if the model or the environment cannot be used.
    """
    try:
        settings = ServeSettings.from_environ(os.environ)
        account = account_of(os.environ)
        # Root can read the model whatever its rights are, and does not look into it.
        model = read_model(Paths.from_environ().model)
        leave_root(account)
        machine = model.parse()
        del model
    except RecommenderError as error:
        sys.stderr.write(f"cannot serve: {error}\n")
        return 1
    keep_freed_memory()
    _Server(application(machine, settings.workers), settings).run()
    return 0


@dataclass(frozen=True)
class ModelFile:
    """The model's bytes, not looked into so far."""

    name: str
    data: bytes

    def parse(self) -> FactorizationMachine:
        """Read the machine.

        Raises:
            DamagedArtifactError: it cannot be trusted.
        """
        read = read_model_zip if self.name == MODEL_FILE else read_artifact
        return read(self.data, self.name)


def read_model(folder: Path) -> ModelFile:
    """Take the model, unpacked as SageMaker leaves it or still in its archive.

    Args:
        folder: the model folder.

    Returns:
        Its bytes.

    Raises:
        DamagedArtifactError: there is no model.
    """
    for name in (MODEL_FILE, ARCHIVE_FILE):
        if (folder / name).is_file():
            return ModelFile(name, (folder / name).read_bytes())
    raise DamagedArtifactError(str(folder), f"holds neither {MODEL_FILE} nor {ARCHIVE_FILE}")


class _Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn, configured here and nowhere else: no file and no command line of its own."""

    def __init__(self, application: Application, settings: ServeSettings) -> None:
        self._application, self._settings = application, settings
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options: dict[str, object] = {
            "bind": f"{settings.host}:{settings.port}",
            "workers": settings.workers,
            # Threads keep idle keep-alive connections and slow senders from holding a worker.
            "worker_class": "gthread",
            "threads": 4,
            "timeout": settings.timeout,
            "keepalive": 65,
            "graceful_timeout": _SECONDS_TO_FINISH,
            # One copy of the weights, read before the fork, shared by all workers.
            "preload_app": True,
            "errorlog": "-",
            "accesslog": None,
            # Else every server of an account shares, and fights over, one socket in its home.
            "control_socket_disable": True,
            # Its own defaults are who this process was when it was imported.
            "user": os.geteuid(),
            "group": os.getegid(),
        }
        if Path("/dev/shm").is_dir():  # noqa: S108 - a heartbeat must not wait for a disk
            options["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        return self._application
