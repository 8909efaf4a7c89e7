"""Delimited text: which delimiter, and which column is what."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recommender.formats.quoting import DOUBLED, Quoting

DELIMITERS = ("::", "\t", ",", ";", "|")

_PLAIN_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?", re.ASCII)
_MAY_BE_SPLIT = re.compile(r"-?(\d|10),\d\d?", re.ASCII)

Spellings = Mapping[str, tuple[str, ...]]
"""Role of a column -> the names it goes by, normalised, the most telling first."""


@dataclass(frozen=True)
class Layout:
    """How the lines of a file become cells.

    Attributes:
        delimiter: what stands between two cells.
        positions: role of a column -> its index; a negative one counts from the end of
            ``constants``.
        header: whether the first line holds names.
        width: how many cells a line has as a rule, never fewer than a row needs.
        most: how many of a line's cells may hold something: as many as the header has names, or
            as many as lines have as a rule. One more is an unquoted delimiter within a cell, and
            nobody knows in which. 0: any number.
        quoting: what quotation marks mean.
        comment: what a line begins with that is none.
        constants: cells that each row has beside its own: what its folder's name says.
    """

    delimiter: str
    positions: Mapping[str, int]
    header: bool
    width: int
    most: int = 0
    quoting: Quoting = DOUBLED
    comment: str = ""
    constants: tuple[str, ...] = ()

    def surplus_of(self, cells: Sequence[str]) -> str:
        """Say that a line has more cells than the header names, as the end of a sentence.

        Returns:
            An empty text if it has not, or if the cells beyond are empty.
        """
        if not self.most or len(cells) <= self.most:
            return ""
        return surplus_of(cells, self.most, header=self.header)


def surplus_of(cells: Sequence[str], most: int, *, header: bool) -> str:
    """Say that a line has more cells than there are columns; see `Layout.surplus_of`."""
    if not any(cell.strip() for cell in cells[most:]):
        return ""
    told = f"the header names {most}" if header else f"the file's lines have {most}"
    return f"has {len(cells)} fields, and {told}: a separator within a cell needs quotation marks"


def has_row_names(names: Sequence[str], rows: Sequence[Sequence[str]], number_at: int) -> bool:
    """Whether rows begin with a cell that the header has no name for, as R writes row names.

    A decimal comma where commas separate makes rows of one cell too many as well. So the first
    cells are taken for row names only if they count the rows, or if the column of numbers holds
    none where the header has it, and holds them one further.

    Args:
        names: the header's cells.
        rows: cells of the first rows.
        number_at: which of the names is a column of numbers.
    """
    if not has_one_more(names, rows):
        return False
    here, next_to_it = ([row[at].strip() for row in rows] for at in (number_at, number_at + 1))
    if 2 * sum(map(_is_plain_number, next_to_it)) <= len(rows):  # some may be unusable
        return False
    if not any(map(_is_plain_number, here)):
        return True
    # Users 1, 2, 3 with ratings like 4,5 look the same: then neither is said.
    split = (f"{one},{other}" for one, other in zip(here, next_to_it, strict=True))
    return first_cells_count(rows) and not all(map(_MAY_BE_SPLIT.fullmatch, split))


def _is_plain_number(cell: str) -> bool:
    return _PLAIN_NUMBER.fullmatch(cell) is not None


def has_one_more(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether every row has one cell more than there are names, and not an empty one at its end."""
    return (
        bool(rows)
        and all(len(row) == len(names) + 1 for row in rows)
        and any(row[-1].strip() for row in rows)
    )


def first_cells_count(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the rows' first cells are 0, 1, 2 and so on, or 1, 2, 3."""
    counts = [row[0].strip() for row in rows]
    return any(counts == [str(first + at) for at in range(len(rows))] for first in (0, 1))


def normalised(name: str) -> str:
    """Reduce a column name to its letters and digits: ``User-ID`` and ``user_id`` are one."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def find_columns(names: Sequence[str], spellings: Spellings) -> dict[str, int]:
    """Find which column plays which role, by the names in a header.

    Returns:
        Role -> index, for the roles that a name was found for. Of two names for one role the
        more telling wins; of two equal names, the first.
    """
    places = places_of(names)
    found: dict[str, int] = {}
    for role, candidates in spellings.items():
        index = next((places[name] for name in candidates if name in places), None)
        if index is not None:
            found[role] = index
    return found


def places_of(names: Sequence[str]) -> dict[str, int]:
    """Where each name stands first, by the name as `normalised` writes it."""
    places: dict[str, int] = {}
    for at, name in enumerate(names):
        places.setdefault(normalised(name), at)
    return places
