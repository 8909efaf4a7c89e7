"""Serve the trained model: ``python -m factorization_machines.serve``.

Environment: ``OPT_ML`` (default ``/opt/ml``), ``SAGEMAKER_BIND_TO_PORT`` (8080),
``MATINEE_BIND_HOST`` (0.0.0.0), ``SAGEMAKER_MODEL_SERVER_WORKERS`` (2),
``SAGEMAKER_MODEL_SERVER_TIMEOUT`` (60 seconds a request), and ``MATINEE_RUN_AS``: the account
that answers requests when the server itself is started by root, as SageMaker starts it.
"""

import os
import pwd
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gunicorn.app.base import BaseApplication
from recommender.artifact import read_artifact, read_model_zip
from recommender.errors import DamagedArtifactError, MissingSettingsError, RecommenderError
from recommender.machine import FactorizationMachine

from factorization_machines.application import Application
from factorization_machines.kept_memory import keep_freed_memory
from factorization_machines.paths import ARCHIVE_FILE, MODEL_FILE, Paths

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
        run_as: account of the workers; none: the server's own.
    """

    host: str
    port: int
    workers: int
    timeout: int
    run_as: str | None

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
            run_as=environ.get("MATINEE_RUN_AS") or None,
        )
        if settings.run_as and not _is_account(settings.run_as):
            problems.append(f"MATINEE_RUN_AS is {settings.run_as[:40]!r}, not an account here")
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
        machine = load_machine(Paths.from_environ().model)
    except RecommenderError as error:
        sys.stderr.write(f"cannot serve: {error}\n")
        return 1
    keep_freed_memory()
    _Server(application(machine, settings.workers), settings).run()
    return 0


def load_machine(folder: Path) -> FactorizationMachine:
    """Read the model, unpacked as SageMaker leaves it or still in its archive.

    Args:
        folder: the model folder.

    Returns:
        The machine.

    Raises:
        DamagedArtifactError: there is no model, or it cannot be trusted.
    """
    unpacked, archive = folder / MODEL_FILE, folder / ARCHIVE_FILE
    if unpacked.is_file():
        return read_model_zip(unpacked.read_bytes(), MODEL_FILE)
    if archive.is_file():
        return read_artifact(archive.read_bytes(), ARCHIVE_FILE)
    raise DamagedArtifactError(str(folder), f"holds neither {MODEL_FILE} nor {ARCHIVE_FILE}")


def _is_account(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


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
        }
        if settings.run_as and os.geteuid() == 0:
            account = pwd.getpwnam(settings.run_as)
            options |= {"user": account.pw_uid, "group": account.pw_gid}
        if Path("/dev/shm").is_dir():  # noqa: S108 - a heartbeat must not wait for a disk
            options["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        return self._application


if __name__ == "__main__":
    sys.exit(main())
