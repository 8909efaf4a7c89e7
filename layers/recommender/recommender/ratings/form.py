"""How a catalog's rating files are written, as far as its settings say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from recommender.formats.delimited import Spellings, find_columns, places_of
from recommender.formats.moments import DateOrder
from recommender.formats.quoting import DOUBLED, LITERAL, Quoting, cells_of
from recommender.ratings.feedback import EXPLICIT, IMPLICIT
from recommender.ratings.table import (
    CLOCK_NAMES,
    COLUMN_NAMES,
    DATE_NAMES,
    INTERACTION_COLUMNS,
    INTERACTION_NAMES,
    REQUIRED_COLUMNS,
    TIME_NAMES,
)

_WITHOUT_HEADER = {"user": 0, "item": 1, "rating": 2, "timestamp": 3}


@dataclass(frozen=True)
class Writing:
    """How cells are written, where the settings say so.

    Attributes:
        quote: the mark around cells; empty for none; None if the content is to say.
        escape: what stands before such a mark within a cell; empty if the content is to say.
        comment: what a line begins with that is none; empty if there are no such lines.
        missing: ratings that say that there is none.
        decimal: what stands before a number's fraction, "." or ","; empty for either.
        date_order: what comes first in dates like 05/01/2024; empty if the content is to say.
    """

    quote: str | None = None
    escape: str = ""
    comment: str = ""
    missing: tuple[str, ...] = ()
    decimal: str = ""
    date_order: DateOrder = ""

    @property
    def quoting(self) -> Quoting:
        """What quotation marks mean, as far as it is known."""
        if self.quote == "":
            return LITERAL
        mark = self.quote or DOUBLED.mark
        return Quoting(mark, self.escape or mark)


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
        writing: what else is known of how cells are written.
        partitions: column -> its cell in every row of the file, as its folder's name says.
    """

    separator: str = ""
    columns: Mapping[str, str | int] = field(default_factory=dict)
    feedback: str = ""
    events: Mapping[str, float] = field(default_factory=dict)
    first_file: str = ""
    writing: Writing = field(default_factory=Writing)
    partitions: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_implicit(self) -> bool:
        """Whether the settings say that there are no ratings: a column of counts says so too."""
        counts = bool({"count", "event"} & set(self.columns))
        return self.feedback == IMPLICIT or (not self.feedback and counts)

    @property
    def may_lack_ratings(self) -> bool:
        """Whether a file may turn out to be without ratings."""
        return self.feedback != EXPLICIT and "rating" not in self.columns

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

    def split(self, line: str, delimiter: str) -> list[str]:
        """Split one line of a file that is not understood yet."""
        return cells_of(line, delimiter, self.writing.quoting)

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

    def of_partitions(self, *, implicit: bool) -> dict[str, int]:
        """Find what the names of a file's folders say of its rows: no user and no item.

        Returns:
            Role -> place among ``partitions``, counted from their end: -1 is the last.
        """
        names = list(self.partitions)
        found = self.find_interactions(names) if implicit else self.find_columns(names)
        return {
            role: at - len(names) for role, at in found.items() if role not in INTERACTION_COLUMNS
        }

    def time_columns(self, names: Sequence[str]) -> list[int]:
        """Find the columns that may say when a row was written, the most telling first."""
        if "timestamp" in self.columns:
            found = self._find(names, {})
            return [found["timestamp"]] if "timestamp" in found else []
        places = places_of(names)
        return [places[name] for name in TIME_NAMES if name in places]

    def find_date_and_clock(self, names: Sequence[str]) -> tuple[int, int] | None:
        """Find the columns of a date and of a time of day, if both are there."""
        found = self._find(names, {"timestamp": DATE_NAMES, "clock": CLOCK_NAMES})
        if "timestamp" not in found or "clock" not in found:
            return None
        return found["timestamp"], found["clock"]

    @property
    def may_tell_more(self) -> bool:
        """Whether what stands behind user and item in a file without a header has a meaning."""
        return True

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


@dataclass(frozen=True)
class PairForm(RatingForm):
    """How a list of pairs is written, of which nothing but user and item is wanted."""

    @classmethod
    def of(cls, form: RatingForm) -> "PairForm":
        """The form of a catalog's pair lists, by that of its rating files."""
        columns = {role: form.columns[role] for role in INTERACTION_COLUMNS if role in form.columns}
        writing = replace(form.writing, missing=())
        return cls(form.separator, columns, IMPLICIT, writing=writing)

    @property
    def positions(self) -> dict[str, int]:
        """Where user and item stand in a file without a header, counted from 0."""
        return {role: at for role, at in super().positions.items() if role in INTERACTION_COLUMNS}

    @property
    def may_tell_more(self) -> bool:
        """Whatever stands behind them is passed over."""
        return False

    def find_interactions(self, names: Sequence[str]) -> dict[str, int]:
        """Find user and item by a header."""
        return self._find(names, {role: COLUMN_NAMES[role] for role in INTERACTION_COLUMNS})

    def time_columns(self, names: Sequence[str]) -> list[int]:  # noqa: ARG002
        """Nobody asks when."""
        return []

    def find_date_and_clock(self, names: Sequence[str]) -> tuple[int, int] | None:  # noqa: ARG002
        """Nobody asks when."""
        return None
