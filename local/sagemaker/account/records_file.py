"""The records of this account on disk: one SQLite file, written at each change.

It outlives the process however that ends. The names of a record's fields are part of the file: who
changes them counts ``_FORMAT`` up.
"""

import dataclasses
import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

_FORMAT = 1
_SIDECARS = ("", "-wal", "-shm")


class RecordsFile:
    """Records of all kinds by name, as JSON. Use it under one lock.

    Args:
        path: the file, made if it is not there. One that is damaged or of another format is put
            aside, as ``<name>.unread``, for nothing else could be done with it.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = _opened(path)
        except sqlite3.DatabaseError as error:
            logger.warning("%s is put aside: %s", path, error)
            for suffix in _SIDECARS:
                beside = path.with_name(path.name + suffix)
                if beside.exists():
                    beside.replace(path.with_name(f"{path.name}.unread{suffix}"))
            self._file = _opened(path)

    def write(self, kind: str, name: str, fields: Mapping[str, object]) -> None:
        """Keep a record, in the place of what was kept under its name."""
        body = json.dumps(fields, default=_fields)
        with self._file:
            self._file.execute(
                "INSERT INTO record VALUES (?, ?, ?) "
                "ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body",
                (kind, name, body),
            )

    def remove(self, kind: str, name: str) -> None:
        """Forget a record."""
        with self._file:
            self._file.execute("DELETE FROM record WHERE kind = ? AND name = ?", (kind, name))

    def read(self, kind: str) -> Iterator[dict[str, object]]:
        """The fields of every record of a kind, in the order of their creation."""
        rows = self._file.execute("SELECT body FROM record WHERE kind = ? ORDER BY rowid", (kind,))
        for (body,) in rows.fetchall():
            yield json.loads(body)


def _opened(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    try:
        file.execute("PRAGMA journal_mode = WAL")
        (found,) = file.execute("PRAGMA user_version").fetchone()
        if found not in (0, _FORMAT):
            raise sqlite3.DatabaseError(f"it is of format {found}, and this reads {_FORMAT}")
        with file:
            file.execute(
                "CREATE TABLE IF NOT EXISTS record "
                "(kind TEXT, name TEXT, body TEXT, PRIMARY KEY (kind, name))"
            )
            file.execute(f"PRAGMA user_version = {_FORMAT}")
        file.execute("SELECT count(body) FROM record").fetchone()
    except sqlite3.DatabaseError:
        file.close()
        raise
    return file


def _fields(value: object) -> object:
    """A part of a record that JSON has no word for: a dataclass, as its fields."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return kept_fields(value)
    raise TypeError(f"a record cannot hold a {type(value).__name__}")


def kept_fields(record: object) -> dict[str, object]:
    """The fields of a dataclass that are kept: all but those declared with ``not_kept``."""
    return {
        one.name: getattr(record, one.name)
        for one in dataclasses.fields(record)  # type: ignore[arg-type]  # callers give dataclasses
        if one.metadata.get("kept", True)
    }


not_kept = {"kept": False}
"""Metadata of a field that ends with the process, such as a thread's event."""
