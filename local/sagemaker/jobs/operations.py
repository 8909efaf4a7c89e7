"""What the API does with jobs of any kind: create, describe, list, stop."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from local.sagemaker.account.listing import page
from local.sagemaker.account.registry import Caller, Registry
from local.sagemaker.faults import MACHINE_STOPPED, ResourceInUseError, ValidationError
from local.sagemaker.jobs.job import JobT
from local.sagemaker.jobs.run import Runner

RequestT = TypeVar("RequestT")


class JobOperations(ABC, Generic[JobT, RequestT]):
    """Create*Job and its companions, for jobs of one kind.

    Args:
        registry: the account. Jobs that were at work when an earlier process ended have failed.
        job: the kind's record.
        runner: does the work of each job.
    """

    taken: ClassVar[str]
    """What is said when a job has the name already; ``{arn}`` is that of the job."""
    absent: ClassVar[str]
    """What is said when no job has the name, ``{name}``."""
    newest_first: ClassVar[bool]
    """The order of lists that are not asked for another."""

    def __init__(self, registry: Registry, job: type[JobT], runner: Runner[JobT]) -> None:
        self._registry, self._lock = registry, registry.lock
        self._jobs = registry.table(job)
        self._runner = runner
        self._kind, self._prefix = job.kind, f"{job.kind.capitalize()}Job"
        for left in self._jobs.all():
            if left.status in ("InProgress", "Stopping"):
                with registry.changing(left):
                    left.give_up(MACHINE_STOPPED)

    @abstractmethod
    def new_job(self, request: RequestT, caller: Caller) -> JobT:
        """The job that a request describes.

        Raises:
            ValidationError: the service would refuse the request, or a laptop cannot serve it.
        """

    def create(self, request: RequestT, caller: Caller) -> dict[str, object]:
        """Start a job.

        Raises:
            ResourceInUseError: there was a job of that name.
            ValidationError: the service would refuse the request, or a laptop cannot serve it.
        """
        job = self.new_job(request, caller)
        if not self._jobs.add(job):
            raise ResourceInUseError(self.taken.format(arn=job.arn))
        self._runner.start(job)
        return {f"{self._prefix}Arn": job.arn}

    def describe(self, request: Mapping[str, str], _: Caller) -> dict[str, object]:
        """Say everything about a job."""
        with self._lock:
            return self._find(request).description()

    def list(self, request: Mapping[str, object], _: Caller) -> dict[str, object]:
        """List jobs, ``newest_first`` or not unless the request says."""
        with self._lock:
            shown = page(
                self._jobs.all(),
                request,
                status=lambda job: job.status,
                newest_first=self.newest_first,
            )
            return shown.answer(f"{self._prefix}Summaries", lambda job: job.summary())

    def stop(self, request: Mapping[str, str], _: Caller) -> dict[str, object]:
        """Ask a running job to stop.

        Raises:
            ValidationError: there is no such job, or it has ended.
        """
        with self._lock:
            job = self._find(request)
            if job.status == "InProgress":
                with self._registry.changing(job):
                    job.begin_stopping()
                job.stop_asked.set()
            elif job.status != "Stopping":
                raise ValidationError(
                    f"The request was rejected because the {self._kind} job "
                    f"is in status {job.status}."
                )
        return {}

    def _find(self, request: Mapping[str, str]) -> JobT:
        name = request[f"{self._prefix}Name"]
        job = self._jobs.get(name)
        if job is None:
            raise ValidationError(self.absent.format(name=name))
        return job
