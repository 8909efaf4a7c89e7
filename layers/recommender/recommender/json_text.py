"""JSON as it is stored and sent: readable, ordered, UTF-8."""

import json
from collections.abc import Mapping, Sequence


def utf8(json_text: str) -> bytes:
    r"""Encode JSON. A lone surrogate, which UTF-8 cannot hold, stays the escape that it was.

    JSON allows ``"\ud800"`` in what users upload and ask, so it must be possible to quote it.
    """
    return json_text.encode("utf-8", "backslashreplace")


def json_bytes(value: object) -> bytes:
    """JSON as it is stored: readable, ordered, UTF-8."""
    return utf8(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def json_lines(rows: Sequence[Mapping[str, object]]) -> bytes:
    """JSON Lines, UTF-8."""
    return utf8("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
