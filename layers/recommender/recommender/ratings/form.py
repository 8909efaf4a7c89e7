"""How a catalog's rating files are written, as far as its settings say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recommender.formats.delimited import find_columns
from recommender.ratings.table import COLUMN_NAMES

_WITHOUT_HEADER = {"user": 0, "item": 1, "rating": 2, "timestamp": 3}


@dataclass(frozen=True)
class RatingForm:
    """What need not be guessed from a rating file's content.

    Attributes:
        separator: what stands between two cells; empty if the content is to say.
        columns: role -> the column's name, or its number counted from 1. Roles that are missing
            go by their common names, or, without a header, by their usual place.
    """

    separator: str = ""
    columns: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """The columns given by name."""
        return {role: name for role, name in self.columns.items() if isinstance(name, str)}

    @property
    def has_positions(self) -> bool:
        """Whether a column is given by its number."""
        return len(self.names) < len(self.columns)

    @property
    def positions(self) -> dict[str, int]:
        """Where each role stands in a file without a header, counted from 0."""
        given = {role: at - 1 for role, at in self.columns.items() if isinstance(at, int)}
        usual = {role: at for role, at in _WITHOUT_HEADER.items() if at not in given.values()}
        return {**usual, **given}

    def find_columns(self, names: Sequence[str]) -> dict[str, int]:
        """Find which column plays which role, by a header; a given name is taken literally."""
        found = {
            role: at
            for role, at in find_columns(names, COLUMN_NAMES).items()
            if role not in self.names
        }
        plain = [name.strip() for name in names]
        found.update({role: plain.index(n) for role, n in self.names.items() if n in plain})
        return found
