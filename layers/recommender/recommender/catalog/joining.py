"""Which column of a side file holds the ids of the ratings, and how many of these it knows."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from recommender.catalog.sheets import Row, Sheet, id_columns, usable_id
from recommender.errors import MalformedItemsError, shown
from recommender.formats.delimited import first_cells_count, normalised
from recommender.ratings.identifiers import IdTable, canonical_id

_MOST_LOOKED_AT = 5000
_MOST_EXAMPLES = 3
_DISTINCT = 0.9  # of a column's cells, that they may tell rows apart
_CLEARLY = 2
_HALF = 0.5
_NAMES_OF_IDS = ("id", "nr", "no", "number", "code", "key", "isbn", "asin", "ean", "gtin", "sku")


@dataclass(frozen=True)
class Join:
    """How a side file and the ratings come together.

    Attributes:
        key: the file's key.
        noun: "item" or "user".
        column: the name of the column of ids; empty if columns have no names.
        because: why this one.
        rows: how many rows the file has.
        ids: how many ids the ratings have.
        known: how many of these the file knows.
        unknown_ids: some that it does not know, if those are most.
        strange_ids: then some of its own that no rating has.
        titled: how many of the ratings' ids it gives a title; None of a file without titles.
    """

    key: str
    noun: str
    column: str
    because: str
    rows: int
    ids: int
    known: int
    unknown_ids: tuple[str, ...]
    strange_ids: tuple[str, ...]
    titled: int | None = None

    @property
    def share(self) -> float:
        """The share of the ratings' ids that the file knows, 0 to 1."""
        return self.known / self.ids if self.ids else 1.0

    @property
    def warning(self) -> str:
        """What to look at if the file knows fewer than half of the ids; else an empty text."""
        if self.share >= _HALF:
            return self._few_titles
        where = f"column {shown(self.column)!r}" if self.column else "its first column"
        theirs = ", ".join(map(repr, self.strange_ids)) or "the same ones"
        ours = ", ".join(map(repr, self.unknown_ids))
        return (
            f"{self.key} knows {self.known:,} of the {self.ids:,} {self.noun}s that have ratings "
            f"({self.share:.0%}): {where} holds ids such as {theirs}, the ratings such as {ours}. "
            f"Call the column that holds the ratings' ids {self.noun!r}, or add the missing rows"
        )

    @property
    def _few_titles(self) -> str:
        if self.titled is None or self.titled >= _HALF * self.ids:
            return ""
        return (
            f"{self.key} has titles for {self.titled:,} of the {self.ids:,} {self.noun}s that have "
            f"ratings ({self.titled / self.ids:.0%}); the others are shown by their ids"
        )

    @property
    def spells_alike(self) -> bool:
        """Whether the file knows enough of the ratings' ids to be believed about others."""
        return self.share >= _HALF

    def to_dict(self) -> dict[str, object]:
        """For the manifest."""
        return {
            "key": self.key,
            "side": self.noun,
            "column": self.column,
            "because": self.because,
            "rows": self.rows,
            "ids": self.ids,
            "known": self.known,
            "share": round(self.share, 4),
            **({} if self.titled is None else {"titled": self.titled}),
        }


class _Column(NamedTuple):
    """A column that may hold ids: how many of the ratings' ids are in it, and of what share."""

    at: int
    found: int
    share: float
    may_be_one: bool


def joined(sheet: Sheet, ids: IdTable, names: Collection[str] = frozenset()) -> tuple[Sheet, Join]:
    """Join a side file with the ratings by the column that matches their ids.

    A column that is called as the ratings' own is, and holds half of their ids, is the one. Else
    a column that is called an id counts as such, and of several the one in which most of the
    ratings' ids are; where none is, the most telling name. Any other column is believed only if
    it tells rows apart, is no mere count of them, and most of its cells are ids of the ratings,
    or most of those are in it, twice as many as in any column that is called one: small numbers
    such as years, ages and ranks meet plain ids by chance.

    Args:
        sheet: the file, read.
        ids: those of the ratings, used ones marked.
        names: what the ratings' columns of these ids are called.

    Returns:
        The file with its rows' ids, and what is to be told of it.

    Raises:
        MalformedItemsError: no column is called an id, and none is one.
    """
    at, because = sheet.id_at, "it comes first"
    if sheet.may_choose:
        at, because = _chosen(sheet, ids, {normalised(name) for name in names})
    if at != sheet.id_at:
        sheet = replace(sheet, id_at=at, rows=[_with_id(row, at) for row in sheet.rows])
    return sheet, _told(sheet, because, ids)


def _with_id(row: Row, at: int) -> Row:
    return row._replace(id=row.cells[at] if at < len(row.cells) else "")


def _chosen(sheet: Sheet, ids: IdTable, names: Collection[str]) -> tuple[int, str]:
    step = -(-len(sheet.rows) // _MOST_LOOKED_AT) or 1
    rows = [row for row in sheet.rows[::step] if row.cells]
    called = id_columns(sheet.names, sheet.noun)
    columns = {
        at: _look(sheet, rows, at, ids) for at, name in enumerate(sheet.names) if name.strip()
    }
    enough = min(len(rows), ids.used) * _HALF
    for at, column in columns.items():
        if normalised(sheet.names[at]) in names and column.found >= enough:
            return at, "the ratings' column has the same name"
    named = [columns[at] for at in called if at in columns]
    best_named = max(named, key=lambda column: column.found, default=None)
    most = best_named.found if best_named else 0
    others = [
        column
        for at, column in columns.items()
        if at not in called and column.may_be_one and column.found > _CLEARLY * most
    ]
    best = max(others, key=lambda column: column.found, default=None)
    if best is not None and (best.share >= _HALF or best.found >= enough):
        return best.at, f"{best.share:.0%} of its cells are {sheet.noun}s of the ratings"
    if best_named is None:
        shown = ", ".join(repr(name[:40]) for name in sheet.names[:10])
        raise MalformedItemsError(
            sheet.key,
            1,
            f"its first line names no {sheet.noun}, and no column holds the ratings' ids: it says "
            f"{shown}. Call the column of ids {sheet.noun!r}",
        )
    if best_named.at != called[0] and most:
        return best_named.at, f"more {sheet.noun}s of the ratings are in it than in the others"
    return called[0], "of its name"


def _look(sheet: Sheet, rows: Sequence[Row], at: int, ids: IdTable) -> _Column:
    cells = [canonical_id(row.cells[at]) for row in rows if at < len(row.cells)]
    filled = [cell for cell in cells if cell]
    distinct = set(filled)
    found = sum(map(ids.uses, distinct))
    name = normalised(sheet.names[at])
    counts = first_cells_count([[cell] for cell in filled])
    return _Column(
        at,
        found,
        found / len(distinct) if distinct else 0.0,
        len(distinct) >= _DISTINCT * max(1, len(filled))
        and (not counts or name.endswith(_NAMES_OF_IDS)),
    )


def _told(sheet: Sheet, because: str, ids: IdTable) -> Join:
    """Count, over all rows, what the file knows."""
    theirs: dict[str, None] = {}
    for row in sheet.rows:
        try:
            theirs[usable_id(row, sheet.noun)] = None
        except ValueError:
            continue
    known = sum(map(ids.uses, theirs))
    unknown: Iterable[str] = ()
    strange: Iterable[str] = ()
    if known < _HALF * ids.used:  # else nobody asks for examples, and few of many are slow to find
        unknown = (one for one in ids.spellings() if one not in theirs)
        strange = (one for one in theirs if not ids.uses(one))
    column = sheet.names[sheet.id_at] if sheet.names and sheet.may_choose else ""
    return Join(
        sheet.key,
        sheet.noun,
        column,
        because,
        len(sheet.rows),
        ids.used,
        known,
        tuple(islice(unknown, _MOST_EXAMPLES)),
        tuple(islice(strange, _MOST_EXAMPLES)),
    )
