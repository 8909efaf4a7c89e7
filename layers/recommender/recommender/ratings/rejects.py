"""Rows that cannot be used: kept with file, line and reason, and counted by reason."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_REJECT_TEXT = 200
MAX_KEPT_REJECTS = 10_000
MAX_REASONS = 50
_VALUES_IN_REASON = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\b0x[0-9a-f]+|U\+[0-9A-F]+|\d[\d,.]*"""
)


@dataclass(frozen=True)
class Reject:
    """A row that could not be used.

    Attributes:
        key: the file's key.
        line: its line, counted from 1.
        reason: why, as the end of a sentence.
        text: the row as written, at most `MAX_REJECT_TEXT` characters of it.
    """

    key: str
    line: int
    reason: str
    text: str


class Problem(NamedTuple):
    """What makes rows of a column unusable.

    Attributes:
        flags: ``(n,)`` whether a row is one of them.
        which: ``(n,)`` the place of each row's value.
        told: says of the value at a place why it cannot be used.
    """

    flags: npt.NDArray[np.bool_]
    which: npt.NDArray[np.int32]
    told: Callable[[int], str]

    def reason(self, row: int) -> str:
        """Why a flagged row cannot be used."""
        return self.told(int(self.which[row]))


def by_reason(
    rows: npt.NDArray[np.int64], problems: Sequence[Problem]
) -> Iterator[tuple[str, int]]:
    """Say why flagged rows cannot be used, and how many of them: once for those of one value."""
    for problem in problems:
        flagged = problem.flags[rows]
        places, many = np.unique(problem.which[rows[flagged]], return_counts=True)
        for place, count in zip(places.tolist(), many.tolist(), strict=True):
            yield problem.told(place), count
        rows = rows[~flagged]


class RejectLog:
    """Counts the rejects of a run by reason, and keeps the first of them.

    A reason's kind is the reason without the values in it, so that there are few of them.
    """

    def __init__(self, most_kept: int = MAX_KEPT_REJECTS) -> None:
        """Start empty; ``most_kept`` rejects are kept in full."""
        self.kept: list[Reject] = []
        self.by_reason: dict[str, int] = {}
        self.count = 0
        self._most_kept = most_kept

    def add(self, key: str, line: int, reason: str, text: str) -> str:
        """Take one row that cannot be used, and tell its reason's kind."""
        if self.room:
            self.kept.append(Reject(key, line, reason, _writable(text[:MAX_REJECT_TEXT])))
        return self.count_more(reason, 1)

    @property
    def room(self) -> int:
        """How many more are kept in full."""
        return self._most_kept - len(self.kept)

    def count_more(self, reason: str, many: int) -> str:
        """Count rows that cannot be used for one reason, and tell the reason's kind."""
        self.count += many
        kind = _VALUES_IN_REASON.sub("…", reason)
        if kind not in self.by_reason and len(self.by_reason) >= MAX_REASONS:
            kind = "other"
        self.by_reason[kind] = self.by_reason.get(kind, 0) + many
        return kind


def _writable(text: str) -> str:
    """Spell out the bytes that were not UTF-8 (and lone surrogates), so that any file takes it."""
    spelled = text.encode("utf-8", "surrogateescape" if _escaped_only(text) else "surrogatepass")
    return spelled.decode("utf-8", "backslashreplace")


def _escaped_only(text: str) -> bool:
    return not re.search("[\ud800-\udc7f\udd00-\udfff]", text)
