"""What happens in a job of any kind: work in a thread, in a folder, to a terminal status."""

import logging
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic

from local.sagemaker.account.registry import Registry
from local.sagemaker.containers.machinery import Machinery
from local.sagemaker.containers.processes import ClosingError
from local.sagemaker.faults import MACHINE_STOPPED, JobError
from local.sagemaker.jobs.job import JobT

logger = logging.getLogger(__name__)


class Run(ABC, Generic[JobT]):
    """One job's work.

    Args:
        job: whose.
        folder: its disk and its log.
        machinery: what containers are run with.
        registry: the account, for changes of the job.
    """

    def __init__(self, job: JobT, folder: Path, machinery: Machinery, registry: Registry) -> None:
        self._job, self._folder = job, folder
        self._machinery, self._registry = machinery, registry

    def run(self) -> None:
        """Bring the job to a terminal status, whatever happens."""
        self._end(self._failure())
        logger.info("%s job %s: %s", self._job.kind, self._job.name, self._job.status)

    @abstractmethod
    def _work(self) -> None:
        """Do what the request asks for, or a part of it when the job is asked to stop.

        Raises:
            ClosingError: the server is stopping.
            JobError: the job has failed.
        """

    @abstractmethod
    def _end(self, failure: str | None) -> None:
        """Give the disk back and bring the job to a terminal status.

        Args:
            failure: why the work failed; ``None`` when it did not.
        """

    def _proceeds(self) -> bool:
        """Whether nobody has asked the job to stop."""
        return not self._job.stop_asked.is_set()

    def _failure(self) -> str | None:
        """Work, and return the reason if that fails."""
        try:
            self._work()
        except ClosingError:
            return MACHINE_STOPPED
        except JobError as error:
            return error.reason
        except Exception as error:
            logger.exception("%s job %s", self._job.kind, self._job.name)
            return f"InternalServerError: {type(error).__name__}: {error}"
        return None


class Runner(Generic[JobT]):
    """Runs each job in a thread of its own, in ``<folder>/<job>``.

    Args:
        run: the work of the kind.
        folder: of all jobs of the kind.
        machinery: what containers are run with.
        registry: the account.
    """

    def __init__(
        self, run: type[Run[JobT]], folder: Path, machinery: Machinery, registry: Registry
    ) -> None:
        self._run, self._folder = run, folder
        self._machinery, self._registry = machinery, registry

    def start(self, job: JobT) -> None:
        """Begin the job's work."""
        work = self._run(job, self._folder / job.name, self._machinery, self._registry).run
        threading.Thread(target=work, name=f"{job.kind}-{job.name}", daemon=True).start()
