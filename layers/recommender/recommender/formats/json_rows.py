"""JSON Lines: one line to one object, and what of it may be an id."""

import json
from collections.abc import Mapping

_EXACT = 1 << 53  # beyond it, neighbouring whole numbers are one float


def json_object(line: str) -> Mapping[str, object]:
    """Read the object on a line.

    Raises:
        ValueError: there is none; the message ends a sentence about the row.
    """
    try:
        row: object = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("is JSON nested too deeply") from None
    except ValueError:  # Python's own limit on the digits of an integer
        raise ValueError("holds a number of too many digits") from None
    if not isinstance(row, dict):
        raise ValueError("is JSON, but not an object")
    return row


def id_of(value: object, noun: str) -> str:
    """Read an id: a string as it stands, or a whole number.

    Raises:
        ValueError: it is neither; the message ends a sentence about the row.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return str(int(value))
    raise ValueError(f"{noun} id is {kind_of(value)}, not a string or an integer")


def kind_of(value: object) -> str:
    """Name the kind of a JSON value, for messages."""
    kinds = {bool: "true or false", float: "a fraction", dict: "an object", list: "an array"}
    return "null" if value is None else kinds.get(type(value), "a text or a number")
