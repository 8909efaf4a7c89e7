"""Columns of side files to features: one-hot, normalised multi-hot, and buckets of numbers."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from recommender.catalog.feature_columns import (
    NUMBER,
    SEVERAL,
    FeatureColumn,
    kind_of,
    number_of,
    values_of,
)
from recommender.catalog.side_features import SideFeatures, no_rows
from recommender.catalog.side_tables import SideTable
from recommender.errors import MalformedItemsError, listed
from recommender.features import FeatureRows

MOST_VALUES = 10_000  # distinct ones of a column that is declared to be a category
_BUCKETS = 8


def make_side_features(
    users: Sequence[str],
    items: Sequence[str],
    sides: Mapping[str, tuple[SideTable, Sequence[FeatureColumn]]],
) -> SideFeatures:
    """Make features of the columns that were asked for: of what rated users and items hold.

    Those without ratings who share some of these features get numbers behind the others.

    Args:
        users: ids of those with ratings, in the order of their numbers.
        items: likewise.
        sides: "user" or "item" -> its table and the columns wanted.

    Raises:
        MalformedItemsError: a column is missing, or cannot be what it is declared to be.
    """
    names: list[str] = []
    told: list[Mapping[str, object]] = []
    rows: dict[str, FeatureRows] = {}
    cold: dict[str, tuple[str, ...]] = {}
    for noun, ids in (("user", users), ("item", items)):
        if noun not in sides:
            rows[noun], cold[noun] = no_rows(len(ids)), ()
            continue
        table, wanted = sides[noun]
        made = [_made(table, noun, column) for column in wanted]
        everybody = [*ids, *sorted(table.cold)]
        entries: list[list[tuple[int, float]]] = [[] for _ in everybody]
        for column, read, features in made:
            numbers = {name: len(names) + at for at, name in enumerate(features)}
            at = table.columns.index(column.name)
            told_of = 0
            for place, (own, one) in enumerate(zip(entries, everybody, strict=True)):
                cells = table.rows.get(one) or table.cold.get(one)
                values = sorted(set(read(cells[at]))) if cells else []
                known = [numbers[value] for value in values if value in numbers]
                own.extend((number, 1 / len(values)) for number in known)
                told_of += bool(known) and place < len(ids)
            names.extend(f"{noun}.{column.name}={value}" for value in features)
            told.append(
                {
                    "side": noun,
                    "column": column.name,
                    "kind": column.kind,
                    "features": len(features),
                    "known": told_of,
                    "bounds": list(column.bounds),
                }
            )
        some = [at for at in range(len(ids), len(everybody)) if entries[at]]
        cold[noun] = tuple(everybody[at] for at in some)
        rows[noun] = _feature_rows([*entries[: len(ids)], *(entries[at] for at in some)])
    return SideFeatures(
        tuple(names), rows["user"], rows["item"], tuple(told), cold["user"], cold["item"]
    )


_Made = tuple[FeatureColumn, Callable[[str], Sequence[str]], list[str]]


def _made(table: SideTable, noun: str, column: FeatureColumn) -> _Made:
    """Decide on a column's kind; say how a cell is read and which features there are."""
    if column.name not in table.columns:
        raise MalformedItemsError(
            table.key,
            1,
            f"config.json wants a feature of the {noun} column {column.name!r}; the columns are "
            + listed([repr(name) for name in table.columns], most=20),
        )
    at = table.columns.index(column.name)
    cells = [row[at] for row in table.rows.values() if row[at]]
    kind = column.kind or kind_of(cells, column.separator)
    if kind == NUMBER:
        numbers = [number for number in map(number_of, cells) if number is not None]
        if len(numbers) < len(cells):
            odd = next(cell for cell in cells if number_of(cell) is None)
            raise MalformedItemsError(
                table.key, 1, f"column {column.name!r} holds {odd[:40]!r}, which is no number"
            )
        bounds = column.bounds or _quantiles(numbers)
        column = FeatureColumn(column.name, kind, column.separator, bounds)
        labels = [f"below {bounds[0]:g}"] if bounds else ["any"]
        labels += [f"from {bound:g}" for bound in bounds]
        return column, lambda cell: _bucket(cell, bounds, labels), labels
    column = FeatureColumn(column.name, kind, column.separator)
    separator = column.separator if kind == SEVERAL else ""
    distinct = sorted({value for cell in cells for value in values_of(cell, separator)})
    if len(distinct) > MOST_VALUES:
        raise MalformedItemsError(
            table.key,
            1,
            f"column {column.name!r} has {len(distinct):,} distinct values; {MOST_VALUES:,} may be "
            "features",
        )
    return column, lambda cell: values_of(cell, separator), distinct


def _quantiles(numbers: Sequence[float]) -> tuple[float, ...]:
    """Bounds of buckets that hold about as many values each."""
    if not numbers:
        return ()
    ordered = sorted(numbers)
    bounds = {ordered[len(ordered) * part // _BUCKETS] for part in range(1, _BUCKETS)}
    return tuple(sorted(bounds - {ordered[0]}))


def _bucket(cell: str, bounds: Sequence[float], labels: Sequence[str]) -> Sequence[str]:
    number = number_of(cell)
    return [] if number is None else [labels[bisect_right(bounds, number)]]


def _feature_rows(entries: Sequence[Sequence[tuple[int, float]]]) -> FeatureRows:
    offsets = np.concatenate(([0], np.cumsum([len(row) for row in entries]))).astype(np.int64)
    flat = [entry for row in entries for entry in sorted(row)]
    columns = np.array([column for column, _ in flat], np.int64)
    values = np.array([value for _, value in flat], np.float32)
    return FeatureRows(offsets, columns, values, int(columns.max()) + 1 if flat else 0)
