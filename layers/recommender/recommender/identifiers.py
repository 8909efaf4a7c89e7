"""User and item ids: what may be one, and a column of them kept as numbers into distinct names."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MAX_ID_LENGTH = 256

# Control characters break logs and file names; half a surrogate pair cannot be written as UTF-8.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def id_problem(text: str) -> str | None:
    """Say why a text cannot be an id.

    Args:
        text: the candidate, already stripped of surrounding white space.

    Returns:
        The end of a sentence that begins with "user id" or "item id"; None for a usable id.
    """
    if not text:
        return "is empty"
    if len(text) > MAX_ID_LENGTH:
        return f"is {len(text)} characters long; {MAX_ID_LENGTH} are allowed"
    unwritable = _UNWRITABLE.search(text)
    if unwritable:
        return f"holds the unwritable character U+{ord(unwritable.group()):04X}"
    return None


@dataclass(frozen=True, eq=False)
class IdColumn:
    """One id per row; each distinct id is kept once.

    Attributes:
        names: the distinct ids; every one of them occurs in the column.
        numbers: ``(n,)`` int32 index into ``names``.
    """

    names: tuple[str, ...]
    numbers: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.numbers.size)

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.numbers[row])]

    def __iter__(self) -> Iterator[str]:
        names = self.names
        return (names[number] for number in self.numbers.tolist())

    @classmethod
    def of(cls, ids: Iterable[str]) -> "IdColumn":
        """Number ids in the order in which they first occur."""
        seen: dict[str, int] = {}
        numbers = [seen.setdefault(name, len(seen)) for name in ids]
        return cls(tuple(seen), np.array(numbers, np.int32))


class IdTable:
    """Numbers the ids of one file as they are met, and remembers how each was spelled."""

    def __init__(self, noun: str) -> None:
        """Start empty; ``noun`` ("user" or "item") begins the reason for a refused id."""
        self.noun = noun
        self.known: dict[str, int] = {}  # cell as read -> number; spares the checks on repeats
        self._numbers: dict[str, int] = {}

    def add(self, cell: str) -> int:
        """Number the id in a cell.

        Raises:
            ValueError: the cell holds no usable id; the message says why.
        """
        text = cell.strip()
        number = self._numbers.get(text)
        if number is None:
            problem = id_problem(text)
            if problem:
                raise ValueError(f"{self.noun} id {problem}")
            number = self._numbers[text] = len(self._numbers)
        self.known[cell] = number
        return number

    def column(self, numbers: npt.NDArray[np.int32]) -> IdColumn:
        """Make a column of the numbers given out, without the ids that no row uses."""
        names = tuple(self._numbers)
        used = np.zeros(len(names), np.bool_)
        used[numbers] = True
        if bool(used.all()):
            return IdColumn(names, numbers)
        moved = np.cumsum(used, dtype=np.int32) - np.int32(1)
        kept = tuple(name for name, keep in zip(names, used.tolist(), strict=True) if keep)
        return IdColumn(kept, moved[numbers])
