"""A job: how far it is, and whether it was asked to stop."""

import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from local.sagemaker.account.records_file import not_kept
from local.sagemaker.account.registry import Record


@dataclass
class Job(Record, ABC):
    """A job of any kind. Change it in the registry's ``changing``, with its methods."""

    kind: ClassVar[str]
    """``training`` or ``transform``: its word in ARNs, member names and messages."""

    status: str = field(default="InProgress", kw_only=True)
    failure_reason: str | None = field(default=None, kw_only=True)
    started: float | None = field(default=None, kw_only=True)
    ended: float | None = field(default=None, kw_only=True)
    stop_asked: threading.Event = field(
        default_factory=threading.Event, kw_only=True, metadata=not_kept
    )

    def begin_stopping(self) -> None:
        """Go into the status ``Stopping``: the work will end before it is done."""
        self.status, self.modified = "Stopping", time.time()

    @abstractmethod
    def give_up(self, reason: str) -> None:
        """End ``Stopped`` if that was asked, else ``Failed``: nothing works for it any more."""

    @abstractmethod
    def description(self) -> dict[str, object]:
        """The answer of Describe*."""

    @abstractmethod
    def summary(self) -> dict[str, object]:
        """The job in a list."""


JobT = TypeVar("JobT", bound=Job)
