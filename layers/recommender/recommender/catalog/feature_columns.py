"""Which columns of a side file become features, and of what kind: declared, or found out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.catalog.sheets import COLUMN_NAMES
from recommender.catalog.side_tables import SideTable
from recommender.formats.delimited import find_columns

CATEGORY, SEVERAL, NUMBER = "category", "several", "number"
_FEWEST_NUMBERS = 21  # with fewer distinct ones, a number is rather a name
_MOST_VALUES = 1_000
_FEWEST_ROWS_A_VALUE = 5  # a value that hardly anyone shares teaches nothing of the others
_FEWEST_IDS = 50  # so many whole numbers, hardly one twice, are names of something
_DISTINCT_IDS = 0.9
_DATE = re.compile(
    r"\d{1,2}[-/. ](?:\d{1,2}|[A-Za-z]{3,9})[-/. ]([12]\d{3})"
    r"|([12]\d{3})-\d{1,2}-\d{1,2}(?:[T ].*)?"
)


@dataclass(frozen=True)
class FeatureColumn:
    """How one column of a side file becomes features.

    Attributes:
        name: the column's name.
        kind: `CATEGORY` (each value is a feature), `SEVERAL` (a cell holds several, which share a
            weight of one), `NUMBER` (each bucket is a feature); empty if the values are to say.
        separator: what stands between several values.
        bounds: where a new bucket begins, ascending; empty if the values are to say.
    """

    name: str
    kind: str = ""
    separator: str = "|"
    bounds: tuple[float, ...] = ()


def infer_columns(table: SideTable) -> tuple[list[FeatureColumn], dict[str, str]]:
    """Find the columns of a side file that can teach something.

    That is a column whose values are shared by several rows each, or numbers or dates that can be
    put into buckets; not titles, names of single rows, or texts.

    Returns:
        The columns to make features of, and for each other column why it is none.
    """
    wanted: list[FeatureColumn] = []
    others: dict[str, str] = {}
    for at, name in enumerate(table.columns):
        column = FeatureColumn(name)
        cells = [row[at] for row in table.rows.values() if row[at]]
        problem = _problem(name, cells, column.separator)
        if problem:
            others[name] = problem
        else:
            kind = kind_of(cells, column.separator)
            wanted.append(FeatureColumn(name, kind, column.separator))
    return wanted, others


def _problem(name: str, cells: Sequence[str], separator: str) -> str:
    """Say why a column makes no features; empty if it does."""
    if _is_title(name):
        return "it is the title"
    kind = kind_of(cells, separator)
    if kind == NUMBER:
        numbers = [number_of(cell) for cell in cells]
        whole = all(number is not None and number.is_integer() for number in numbers)
        if whole and len(cells) >= _FEWEST_IDS and len(set(numbers)) > _DISTINCT_IDS * len(cells):
            return f"its {len(cells):,} whole numbers hardly repeat: they are rather names"
        return ""
    separator = separator if kind == SEVERAL else ""
    values = [value for cell in cells for value in values_of(cell, separator)]
    distinct = len(set(values))
    if distinct < 2:
        return "it is empty" if not values else "all rows have the same value"
    if distinct > _MOST_VALUES or distinct * _FEWEST_ROWS_A_VALUE > len(values):
        return f"it has {distinct:,} distinct values in {len(cells):,} rows"
    return ""


def _is_title(name: str) -> bool:
    return "title" in find_columns([name], {"title": COLUMN_NAMES["title"]})


def kind_of(cells: Sequence[str], separator: str) -> str:
    """Tell the kind of a column from its values that are not empty."""
    if any(separator in cell for cell in cells):
        return SEVERAL
    if len(set(cells)) >= _FEWEST_NUMBERS and all(number_of(cell) is not None for cell in cells):
        return NUMBER
    return CATEGORY


def values_of(cell: str, separator: str) -> Sequence[str]:
    """Split a cell into its values; without a separator it is one."""
    parts = cell.split(separator) if separator else [cell]
    return [part.strip() for part in parts if part.strip()]


def number_of(cell: str) -> float | None:
    """Read a number, or a date as its year; None if the text is neither."""
    date = _DATE.fullmatch(cell)
    if date:
        return float(date[1] or date[2])
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def columns_of(
    tables: Mapping[str, SideTable],
    declared: Mapping[str, Sequence[FeatureColumn]] | None,
) -> tuple[dict[str, tuple[SideTable, Sequence[FeatureColumn]]], list[Mapping[str, object]]]:
    """Decide what is made of each side file.

    Args:
        tables: "user" or "item" -> its table.
        declared: what the settings want of each; None if that is to be found out.

    Returns:
        "user" or "item" -> its table and the columns wanted; and for the report, why each other
        column is none, if nothing was declared.
    """
    if declared is not None:
        return {noun: (tables[noun], wanted) for noun, wanted in declared.items()}, []
    found: dict[str, tuple[SideTable, Sequence[FeatureColumn]]] = {}
    told: list[Mapping[str, object]] = []
    for noun, table in tables.items():
        wanted, others = infer_columns(table)
        found[noun] = (table, wanted)
        told += [{"side": noun, "column": name, "none": why} for name, why in others.items()]
    return found, told
