"""Lists of recommendations as files: JSON Lines, an object a user; Parquet, a row an item."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from recommender.formats.parquet.writing import WrittenColumn, read_written, write_parquet
from recommender.json_text import json_lines

JSON_LINES, PARQUET = "jsonl", "parquet"
LIST_FORMATS = (JSON_LINES, PARQUET)

Lists = Sequence[Mapping[str, object]]
"""``{"user", "basis", "items"}`` each, the items as the API tells them."""

_COLUMNS = {
    "user": "string",
    "basis": "string",
    "rank": "int32",
    "item": "string",
    "title": "string",
    "score": "float64",
    "like_probability": "float64",
    "item_by_features": "bool",
}
_NULLABLE = frozenset(("title", "like_probability"))


@dataclass(frozen=True)
class ListFormat:
    """How lists are written.

    Attributes:
        content_type: of the objects.
        write: lists to a file.
        without: a file and users to the file without their rows; None if it has none of them.
    """

    content_type: str
    write: Callable[[Lists], bytes]
    without: Callable[[bytes, set[str]], bytes | None]


def _write_json_lines(lists: Lists) -> bytes:
    return json_lines(lists)


def _json_lines_without(data: bytes, users: set[str]) -> bytes | None:
    rows = [json.loads(line) for line in data.splitlines() if line]
    kept = [row for row in rows if row["user"] not in users]
    return None if len(kept) == len(rows) else json_lines(kept)


def _write_parquet(lists: Lists) -> bytes:
    """Flatten lists: a row an item, ``rank`` counted from 1; who has no items has no rows."""
    rows = [
        {"user": one["user"], "basis": one["basis"], "rank": rank, **item}
        for one in lists
        for rank, item in enumerate(cast("Lists", one["items"]), 1)
    ]
    has_titles = any("title" in row for row in rows)
    return _parquet_of(
        {
            name: [row.get(name, False if kind == "bool" else None) for row in rows]
            for name, kind in _COLUMNS.items()
            if name != "title" or has_titles
        }
    )


def _parquet_of(columns: Mapping[str, list[object]]) -> bytes:
    return write_parquet(
        {
            name: WrittenColumn(_COLUMNS[name], values, name in _NULLABLE)
            for name, values in columns.items()
        }
    )


def _parquet_without(data: bytes, users: set[str]) -> bytes | None:
    columns = read_written(data)
    kept = [at for at, user in enumerate(columns["user"]) if user not in users]
    if len(kept) == len(columns["user"]):
        return None
    return _parquet_of({name: [values[at] for at in kept] for name, values in columns.items()})


_FORMATS = {
    JSON_LINES: ListFormat("application/x-ndjson", _write_json_lines, _json_lines_without),
    PARQUET: ListFormat("application/vnd.apache.parquet", _write_parquet, _parquet_without),
}


def list_format(name: str) -> ListFormat:
    """Look a format up, by its name in the settings, which ends the files' names too."""
    return _FORMATS[name]
