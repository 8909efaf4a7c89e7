"""User and item ids: what may be one, and the codes by which rows hold them."""

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

MAX_ID_LENGTH = 256

_MOST_REMEMBERED = 1_000_000
_PLAIN = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)  # as a number is written, and no other way

# What spreadsheets and dataframes make of a whole number: a column with a gap is one of fractions.
_WHOLE_FRACTION = re.compile(r"(-?\d+)\.0+", re.ASCII)
# Byte order marks inside joined files, zero-width characters of web pages: nobody sees them.
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u200e\u200f\u00ad"
# How programs write that there is no value: SQL's and Spark's, pandas', R's, Python's, JSON's.
NULL_WORDS = frozenset(
    ("\\N", "NULL", "Null", "null", "None", "nan", "NaN", "NAN", "<NA>", "NaT", "#N/A", "#NULL!")
)

# Control characters break logs and file names; half a surrogate pair cannot be written as UTF-8.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def canonical_id(cell: str) -> str:
    """Write an id the one way in which it is known.

    White space and invisible characters around it go, and a whole number is written without a
    fraction: ``1`` and ``1.0`` are one user, whichever program wrote which file. All else stays.
    """
    text = cell.strip()
    if text and (text[0] in _INVISIBLE or text[-1] in _INVISIBLE):
        text = _stripped(text)
    if text.endswith("0"):
        whole = _WHOLE_FRACTION.fullmatch(text)
        return whole.group(1) if whole else text
    return text


def _stripped(text: str) -> str:
    while (shorter := text.strip().strip(_INVISIBLE)) != text:
        text = shorter
    return text


def id_problem(text: str) -> str | None:
    """Say why a text cannot be an id.

    Args:
        text: the candidate, as `canonical_id` writes it.

    Returns:
        The end of a sentence that begins with "user id" or "item id"; None for a usable id.
    """
    if not text:
        return "is empty"
    if text in NULL_WORDS:
        return f"is {text!r}, which says that there is none"
    if len(text) > MAX_ID_LENGTH:
        return f"is {len(text)} characters long; {MAX_ID_LENGTH} are allowed"
    unwritable = _UNWRITABLE.search(text)
    if unwritable:
        return f"holds the unwritable character U+{ord(unwritable.group()):04X}"
    return None


class IdTable:
    """Gives each distinct id a code, whatever file it comes from, and remembers its spelling.

    Most catalogs number their users and items from one: an id that is a plain decimal number below
    `MOST_PLAIN` is its own code, which numpy reads without ever making a text of it. All other ids
    get the codes from `MOST_PLAIN` on, in the order in which they come.
    """

    MOST_PLAIN = 1 << 25  # a table of as many int32 takes 128 MiB, if there really are such ids

    def __init__(self, noun: str) -> None:
        """Start empty; ``noun`` ("user" or "item") begins the reason for a refused id."""
        self.noun = noun
        self.known: dict[str, int] = {}  # cell as read -> code; spares the checks on repeats
        self._spelled: dict[str, int] = {}
        self._names: list[str] = []  # by code, from `MOST_PLAIN` on
        self._plain_used = np.zeros(1024, np.bool_)
        self._spelled_used = np.zeros(1024, np.bool_)

    def add(self, cell: str) -> int:
        """Find the code of the id in a cell.

        Raises:
            ValueError: the cell holds no usable id; the message says why.
        """
        text = canonical_id(cell)
        code = self._spelled.get(text)
        if code is None:
            code = self._new_code(text)
        if len(self.known) < _MOST_REMEMBERED:
            self.known[cell] = code
        return code

    def _new_code(self, text: str) -> int:
        if _PLAIN.fullmatch(text) and int(text) < self.MOST_PLAIN:
            return int(text)
        problem = id_problem(text)
        if problem:
            raise ValueError(f"{self.noun} id {problem}")
        code = self._spelled[text] = self.MOST_PLAIN + len(self._spelled)
        self._names.append(text)
        return code

    def spelling(self, code: int) -> str:
        """Spell the id of a code."""
        return str(code) if code < self.MOST_PLAIN else self._names[code - self.MOST_PLAIN]

    def use(self, codes: npt.NDArray[np.int32]) -> None:
        """Note that rows hold these ids; an id that only rejected rows hold is none of a run."""
        if not codes.size:
            return
        highest = int(codes.max())
        if highest < self.MOST_PLAIN:
            self._plain_used = _long_enough(self._plain_used, highest)
            self._plain_used[codes] = True
            return
        plain = codes < self.MOST_PLAIN
        self.use(codes[plain])
        spelled = codes[~plain] - np.int32(self.MOST_PLAIN)
        self._spelled_used = _long_enough(self._spelled_used, int(spelled.max()))
        self._spelled_used[spelled] = True

    def uses(self, text: str) -> bool:
        """Whether rows hold an id, as `canonical_id` writes it."""
        if _PLAIN.fullmatch(text) and int(text) < self.MOST_PLAIN:
            return int(text) < self._plain_used.size and bool(self._plain_used[int(text)])
        code = self._spelled.get(text)
        if code is None:
            return False
        place = code - self.MOST_PLAIN
        return place < self._spelled_used.size and bool(self._spelled_used[place])

    @property
    def used(self) -> int:
        """How many ids rows hold."""
        return int(np.count_nonzero(self._plain_used)) + int(np.count_nonzero(self._spelled_used))

    def spellings(self) -> Iterator[str]:
        """The ids that rows hold, one by one."""
        for code in np.flatnonzero(self._plain_used):
            yield str(code)
        for place in np.flatnonzero(self._spelled_used):
            yield self._names[place]

    def plain_ids(self) -> npt.NDArray[np.int64]:
        """The used ids that are their own codes, ascending."""
        return np.flatnonzero(self._plain_used)

    def spelled_ids(self) -> dict[str, int]:
        """The other used ids and their codes."""
        used = self._spelled_used
        return {
            name: code
            for name, code in self._spelled.items()
            if code - self.MOST_PLAIN < used.size and used[code - self.MOST_PLAIN]
        }


def _long_enough(flags: npt.NDArray[np.bool_], highest: int) -> npt.NDArray[np.bool_]:
    if highest < flags.size:
        return flags
    longer = np.zeros(max(2 * flags.size, highest + 1), np.bool_)
    longer[: flags.size] = flags
    return longer
