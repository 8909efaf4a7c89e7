"""How a catalog's rating files are written, as far as its settings say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recommender.formats.delimited import Spellings, find_columns
from recommender.ratings.feedback import IMPLICIT
from recommender.ratings.table import (
    COLUMN_NAMES,
    INTERACTION_COLUMNS,
    INTERACTION_NAMES,
    REQUIRED_COLUMNS,
)

_WITHOUT_HEADER = {"user": 0, "item": 1, "rating": 2, "timestamp": 3}


@dataclass(frozen=True)
class RatingForm:
    """What need not be guessed from a rating file's content.

    Attributes:
        separator: what stands between two cells; empty if the content is to say.
        columns: role -> the column's name, or its number counted from 1. Roles that are missing
            go by their common names, or, without a header, by their usual place.
        feedback: `EXPLICIT` if all files hold ratings, `IMPLICIT` if none does; empty if the file
            is to say.
        events: type of event -> how much one counts, in files without ratings.
        first_file: the file that said that the catalog is one without ratings, if one did.
    """

    separator: str = ""
    columns: Mapping[str, str | int] = field(default_factory=dict)
    feedback: str = ""
    events: Mapping[str, float] = field(default_factory=dict)
    first_file: str = ""

    @property
    def is_implicit(self) -> bool:
        """Whether the settings say that there are no ratings: a column of counts says so too."""
        counts = bool({"count", "event"} & set(self.columns))
        return self.feedback == IMPLICIT or (not self.feedback and counts)

    @property
    def names(self) -> dict[str, str]:
        """The columns given by name."""
        return {role: name for role, name in self.columns.items() if isinstance(name, str)}

    @property
    def numbers(self) -> dict[str, int]:
        """The columns given by number, counted from 0."""
        return {role: at - 1 for role, at in self.columns.items() if isinstance(at, int)}

    @property
    def has_positions(self) -> bool:
        """Whether a column is given by its number."""
        return len(self.names) < len(self.columns)

    @property
    def positions(self) -> dict[str, int]:
        """Where each role stands in a file without a header, counted from 0."""
        given = self.numbers
        usual = {role: at for role, at in _WITHOUT_HEADER.items() if at not in given.values()}
        return {**usual, **given}

    @property
    def displaced(self) -> list[str]:
        """Roles of a file of ratings without a place: another has their usual one by number."""
        if self.is_implicit or not self.has_positions:
            return []
        return [role for role in REQUIRED_COLUMNS if role not in self.positions]

    @property
    def needed_interactions(self) -> list[str]:
        """Roles that a file without ratings has columns for: user, item, and what is named."""
        named = {"count" if role == "rating" else role for role in self.names} - {"timestamp"}
        needed = dict.fromkeys((*INTERACTION_COLUMNS, *sorted(named)), 0)
        return list(self.without_idle(needed))

    def find_columns(self, names: Sequence[str]) -> dict[str, int]:
        """Find which column plays which role, by a header; a given name is taken literally."""
        return self._find(names, COLUMN_NAMES)

    def find_interactions(self, names: Sequence[str]) -> dict[str, int]:
        """Find the columns of a file without ratings, likewise.

        Where the settings say that there are no ratings and nothing is called a count, what is
        called a rating is one. A column of events plays no role if all events count the same.
        """
        found = self._find(names, INTERACTION_NAMES)
        ratings = self._find(names, {"rating": COLUMN_NAMES["rating"]})
        rating = ratings.get("rating")
        if self.is_implicit and rating is not None:
            found.setdefault("count", rating)
        return self.without_idle({role: at for role, at in found.items() if role != "rating"})

    def without_idle(self, found: Mapping[str, int]) -> dict[str, int]:
        """Leave the events out if all count the same."""
        return {role: at for role, at in found.items() if role != "event" or self.events}

    def _find(self, names: Sequence[str], spellings: Spellings) -> dict[str, int]:
        found = {
            role: at
            for role, at in find_columns(names, spellings).items()
            if role not in self.names
        }
        plain = [name.strip() for name in names]
        found.update({role: plain.index(n) for role, n in self.names.items() if n in plain})
        return found
