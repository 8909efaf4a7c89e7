"""What exists in this account: named records of each kind, their ARNs, times and tags."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from local.sagemaker.account.records_file import RecordsFile, kept_fields
from local.sagemaker.faults import ValidationError

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class Caller:
    """Who signed the request, and for which region: what ARNs are made of."""

    account: str
    region: str

    def arn(self, kind: str, name: str) -> str:
        """``arn:aws:sagemaker:<region>:<account>:<kind>/<name>``, lower case as the service's."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"

    def log_group_arn(self, group: str) -> str:
        """The ARN of a CloudWatch log group of this account."""
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{group}"


@dataclass
class Record:
    """One thing with a name. Times are seconds since the epoch."""

    name: str
    arn: str
    created: float = field(default_factory=time.time, kw_only=True)
    modified: float = field(default_factory=time.time, kw_only=True)
    tags: dict[str, str] = field(default_factory=dict, kw_only=True)

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> "Self":
        """The record whose kept fields these are. For JSON's types; override it for others."""
        return cls(**kept)


RecordT = TypeVar("RecordT", bound=Record)


class Table(Generic[RecordT]):
    """The records of one kind by name. Change a record in the registry's ``changing``."""

    def __init__(self, lock: threading.RLock, kind: type[RecordT], file: RecordsFile) -> None:
        self._lock, self.kind, self._file = lock, kind, file
        restored = map(kind.restored, file.read(kind.__name__))
        self._records: dict[str, RecordT] = {record.name: record for record in restored}

    def add(self, record: RecordT) -> bool:
        """Keep the record, unless one of that name exists: then answer ``False``."""
        with self._lock:
            if record.name in self._records:
                return False
            self._records[record.name] = record
            self.write(record)
            return True

    def write(self, record: RecordT) -> None:
        """Keep the record as it is now, unless it was removed."""
        with self._lock:
            if self._records.get(record.name) is record:
                self._file.write(self.kind.__name__, record.name, kept_fields(record))

    def get(self, name: str) -> RecordT | None:
        """The record of that name."""
        with self._lock:
            return self._records.get(name)

    def remove(self, name: str) -> RecordT | None:
        """Forget the record of that name and return it."""
        with self._lock:
            self._file.remove(self.kind.__name__, name)
            return self._records.pop(name, None)

    def all(self) -> list[RecordT]:
        """The records in the order of their creation."""
        with self._lock:
            return list(self._records.values())


class Registry:
    """Every table of the account, under one lock, in one file.

    Args:
        path: the file; what an earlier process wrote there is in the tables again.
    """

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._file = RecordsFile(path)
        self._tables: list[Table[Record]] = []

    def table(self, kind: type[RecordT]) -> Table[RecordT]:
        """A new table for records of ``kind``, whose tags the registry then finds by ARN."""
        table = Table(self.lock, kind, self._file)
        # Tables are invariant in their record; this list is only ever read.
        self._tables.append(table)  # type: ignore[arg-type]
        return table

    @contextmanager
    def changing(self, record: Record) -> Iterator[None]:
        """Hold the lock, and keep what became of the record at the end."""
        with self.lock:
            yield
            for table in self._tables:
                if isinstance(record, table.kind):
                    table.write(record)

    def tagged(self, arn: str) -> Record:
        """The record of that ARN.

        Raises:
            ValidationError: no such record.
        """
        with self.lock:
            for record in self._records():
                if record.arn == arn:
                    return record
        raise ValidationError(f'Could not find resource "{arn}".')

    def _records(self) -> Iterator[Record]:
        for table in self._tables:
            yield from table.all()
