"""What a run reads: exact versions of objects."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime


@dataclass(frozen=True, order=True)
class SnapshotFile:
    """One object version that a run reads.

    ``last_modified`` is ISO 8601 in UTC, to the second.
    """

    last_modified: str
    key: str
    version_id: str
    etag: str
    size: int

    @property
    def seconds(self) -> float:
        """``last_modified`` in seconds since 1970."""
        return datetime.fromisoformat(self.last_modified).timestamp()

    @property
    def identity(self) -> str:
        """Names this version of this object, for good."""
        return hashlib.sha256(f"{self.key}\n{self.version_id}\n{self.etag}".encode()).hexdigest()


@dataclass(frozen=True)
class PassedOver:
    """An object that is no file of ratings and no mistake either; ``reason`` ends a sentence."""

    key: str
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """The exact object versions that a run reads, oldest first; and what lies beside them."""

    catalog: str
    files: tuple[SnapshotFile, ...]
    passed_over: tuple[PassedOver, ...] = ()

    @classmethod
    def of(
        cls,
        catalog: str,
        files: Iterable[SnapshotFile],
        passed_over: Iterable[PassedOver] = (),
    ) -> "Snapshot":
        """Order the files as their ratings are applied: by time, then by key."""
        return cls(catalog, tuple(sorted(files)), tuple(passed_over))

    def rating_files(self) -> list[SnapshotFile]:
        """The files under ``ratings/``."""
        return [file for file in self.files if file.key.startswith("ratings/")]

    def catalog_file(self, stem: str) -> SnapshotFile | None:
        """The newest file ``catalogs/<catalog>/<stem>.<anything>``, if there is one."""
        prefix = f"catalogs/{self.catalog}/{stem}."
        found = [file for file in self.files if file.key.startswith(prefix)]
        return found[-1] if found else None

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"catalog": self.catalog, "files": [asdict(file) for file in self.files]}
