"""Side files as tables of texts: a row for each item or user, to make features of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from recommender.catalog.sheets import (
    ALWAYS_ALLOWED_REJECTS,
    FLAGGED,
    GENRES,
    REJECT_LIMIT,
    Sheet,
    usable_id,
)
from recommender.errors import MalformedItemsError


@dataclass(frozen=True)
class SideTable:
    """What a side file says.

    Attributes:
        key: the file's key.
        columns: the names of its columns, without the id's.
        rows: id -> its cells, stripped, one a column. The last of several rows stays.
        cold: the same of ids without ratings, once it is known which these are.
    """

    key: str
    columns: tuple[str, ...]
    rows: Mapping[str, Sequence[str]]
    cold: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of_rated(self, is_rated: Callable[[str], bool], *, with_cold: bool) -> "SideTable":
        """Keep the rows of ids that have ratings, by which columns are judged.

        Args:
            is_rated: tells of an id whether it has any.
            with_cold: keep the others as `cold`, not at all else.
        """
        rows = {one: cells for one, cells in self.rows.items() if is_rated(one)}
        cold = {one: cells for one, cells in self.rows.items() if one not in rows}
        return replace(self, rows=rows, cold=cold if with_cold else {})


def table_of(sheet: Sheet) -> SideTable:
    """Arrange a side file by its ids.

    Raises:
        MalformedItemsError: its columns have no names, or too many of its rows cannot be used.
    """
    names, noun = sheet.names, sheet.noun
    if not names:
        raise MalformedItemsError(
            sheet.key, 1, f"this is not a table of {noun}s: its first line names no {noun} id"
        )
    found: dict[str, Sequence[str]] = {}
    others = [at for at, name in enumerate(names) if at != sheet.id_at and name]
    bad = first_bad = 0
    for row in sheet.rows:
        try:
            one = usable_id(row, noun)
            if len(row.cells) < sheet.width:
                raise ValueError("has too few fields")
        except ValueError:
            bad += 1
            first_bad = first_bad or row.line
            continue
        cells = row.cells
        found[one] = [cells[at].strip() if at < len(cells) else "" for at in others]
    rows = len(sheet.rows)
    if bad > max(ALWAYS_ALLOWED_REJECTS, REJECT_LIMIT * rows) or not found:
        raise MalformedItemsError(
            sheet.key,
            first_bad or 1,
            f"{bad:,} of {rows:,} rows have no usable id or cannot be split",
        )
    table = SideTable(sheet.key, tuple(names[at] for at in others), found)
    return _with_genres(table) if names == FLAGGED and sheet.width else table


def _with_genres(table: SideTable) -> SideTable:
    """Join the flags of MovieLens' ``u.item`` into one column of several values."""
    plain = len(FLAGGED) - len(GENRES) - 1
    rows = {
        one: [
            *cells[:plain],
            "|".join(
                genre for genre, flag in zip(GENRES, cells[plain:], strict=True) if flag == "1"
            ),
        ]
        for one, cells in table.rows.items()
    }
    return SideTable(table.key, (*FLAGGED[1 : plain + 1], "genres"), rows)
