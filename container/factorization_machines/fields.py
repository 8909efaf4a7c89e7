"""Fields: which columns of the rows are the users, the items, and features of one of the two.

A row of a recommender holds a one in a user's column and a one in an item's. Whatever else it
holds often says nothing new: a user's age stands in every row of that user. Such columns are
found here, and taken off the rows: they become features of the user or of the item, once each.
Training is then as fast as on pairs, and the features fold into the user's and the item's own
parameters exactly.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from recommender.features import FeatureRows, Float64s, Integers

from factorization_machines.compiled.arrays import Int32s


class SideFeatures(NamedTuple):
    """Features of the entities of one field, column by column.

    Attributes:
        offsets: ``(f + 1,)`` int64; feature ``j`` owns entries ``offsets[j] : offsets[j + 1]``.
        entities: ``(nnz,)`` int32 entity of each entry.
        values: ``(nnz,)`` float64 value of each entry.
        groups: ``(f,)`` int64 group of each feature; the features of a group share a prior.
    """

    offsets: Integers
    entities: Int32s
    values: Float64s
    groups: Integers

    @property
    def size(self) -> int:
        """Number of features."""
        return int(self.groups.size)


@dataclass(frozen=True)
class Field:
    """One side of the pairs.

    Attributes:
        first: first column of the field.
        size: number of columns, which is the number of entities.
        features: what is known of the entities beyond who they are.
        columns: ``(f,)`` the rows' column of each feature that they hold; a solver may have added
            more features behind.
    """

    first: int
    size: int
    features: SideFeatures
    columns: Integers


@dataclass(frozen=True)
class Pairs:
    """Rows that are pairs of one user and one item, each with features of their own.

    Attributes:
        users: ``(n,)`` int32 number of each row's user, from 0.
        items: ``(n,)`` int32 number of each row's item, from 0.
        user_field: the users' columns and features.
        item_field: the items' columns and features.
    """

    users: Int32s
    items: Int32s
    user_field: Field
    item_field: Field


def find_pairs(rows: FeatureRows, sizes: tuple[int, ...]) -> Pairs | None:
    """See the rows as pairs, if they are.

    Args:
        rows: ``n`` rows, columns distinct within a row.
        sizes: number of columns of each field, in the order of the columns; the first two are the
            users and the items, each later one is a group of features. Empty: users and items are
            found from the rows, and all other columns of a side form one group.

    Returns:
        The pairs; none if a row does not hold exactly one user and one item, each with the
        value 1, or if a column beyond them depends on more than one of the two.
    """
    if rows.width == 2:
        return _find_plain_pairs(rows, sizes)
    counts = np.diff(rows.offsets)
    if not len(rows) or counts.min() < 2:
        return None
    columns, values = _ascending(rows)
    starts = rows.offsets[:-1]
    if sizes:
        users_end, items_end = sizes[0], sizes[0] + sizes[1]
    else:
        users_end, items_end = _find_ends(columns, rows, counts)
    if not _holds_one_of_each(columns, values, rows, users_end, items_end):
        return None
    users = columns[starts].astype(np.int32)
    items = (columns[starts + 1] - users_end).astype(np.int32)
    beyond = columns >= items_end
    row_of = np.repeat(np.arange(len(rows)), counts)[beyond]
    ends = np.cumsum(sizes)[2:] if sizes else np.array([rows.dimension])
    parts = _divide(row_of, columns[beyond], values[beyond], (users, items))
    if parts is None:
        return None
    return Pairs(
        users,
        items,
        _field(0, users_end, parts[0], ends),
        _field(users_end, items_end - users_end, parts[1], ends),
    )


def _find_plain_pairs(rows: FeatureRows, sizes: tuple[int, ...]) -> Pairs | None:
    """See rows of two entries as pairs: the general way's answer, in a fraction of its memory."""
    left, right = rows.columns[0::2], rows.columns[1::2]
    if bool((left > right).any()):
        left, right = np.minimum(left, right), np.maximum(left, right)
    if sizes:
        users_end, items_end = sizes[0], sizes[0] + sizes[1]
    else:
        users_end, items_end = int(right.min()), rows.dimension
    holds_one_of_each = left.max() < users_end <= right.min() and right.max() < items_end
    if not (holds_one_of_each and bool((rows.values == 1).all())):
        return None
    none = np.zeros(0, np.int64)
    no_features = (none, none, np.zeros(0))
    return Pairs(
        left.astype(np.int32),
        (right - users_end).astype(np.int32),
        _field(0, users_end, no_features, none),
        _field(users_end, items_end - users_end, no_features, none),
    )


def _ascending(rows: FeatureRows) -> tuple[Integers, Float64s]:
    """Columns and values with the columns of each row in ascending order."""
    columns, values = rows.columns, rows.values.astype(np.float64)
    row_of = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))
    if columns.size > 1 and bool(np.any((np.diff(columns) < 0) & (np.diff(row_of) == 0))):
        order = np.lexsort((columns, row_of))
        columns, values = columns[order], values[order]
    return columns, values


def _find_ends(columns: Integers, rows: FeatureRows, counts: Integers) -> tuple[int, int]:
    """Take the first column of every row for its user, the second for its item."""
    starts = rows.offsets[:-1]
    longer = counts > 2
    users_end = int(columns[starts + 1].min())
    items_end = int(columns[starts[longer] + 2].min()) if longer.any() else rows.dimension
    return users_end, items_end


def _holds_one_of_each(
    columns: Integers, values: Float64s, rows: FeatureRows, users_end: int, items_end: int
) -> bool:
    starts = rows.offsets[:-1]
    first, second = columns[starts], columns[starts + 1]
    longer = np.diff(rows.offsets) > 2
    third = columns[starts[longer] + 2]
    return bool(
        first.max() < users_end <= second.min()
        and second.max() < items_end <= int(third.min(initial=rows.dimension))
        and np.all(values[starts] == 1)
        and np.all(values[starts + 1] == 1)
    )


_Part = tuple[Integers, Integers, Float64s]


def _divide(
    row_of: Integers, columns: Integers, values: Float64s, owners: tuple[Int32s, Int32s]
) -> tuple[_Part, _Part] | None:
    """Give each column to the user or to the item: whichever alone decides its value."""
    parts: list[_Part] = []
    left = np.ones(columns.size, bool)
    for owner in owners:
        entity_of = owner.astype(np.int64)
        rows_each = np.bincount(entity_of)
        places = np.flatnonzero(left)
        entity, column, value = entity_of[row_of[places]], columns[places], values[places]
        order = np.lexsort((entity, column))
        entity, column, value = entity[order], column[order], value[order]
        begins = np.flatnonzero(
            np.concatenate([[True], (np.diff(column) != 0) | (np.diff(entity) != 0)])
            if column.size
            else np.zeros(0, bool)
        )
        if not begins.size:
            none = np.zeros(0, np.int64)
            parts.append((none, none, np.zeros(0)))
            continue
        lengths = np.diff(np.append(begins, column.size))
        steady = (lengths == rows_each[entity[begins]]) & (
            np.minimum.reduceat(value, begins) == np.maximum.reduceat(value, begins)
        )
        refused = np.unique(column[begins[~steady]])
        taken = begins[~np.isin(column[begins], refused)]
        parts.append((entity[taken], column[taken], value[taken]))
        left &= np.isin(columns, refused)
    return None if left.any() else (parts[0], parts[1])


def _field(first: int, size: int, part: _Part, ends: Integers) -> Field:
    entities, columns, values = part
    present, numbers = np.unique(columns, return_inverse=True)
    # Ordered by column already; groups are numbered without gaps.
    groups = np.unique(np.searchsorted(ends, present, side="right"), return_inverse=True)[1]
    features = SideFeatures(
        np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=present.size))]).astype(
            np.int64
        ),
        entities.astype(np.int32),
        values,
        groups.astype(np.int64),
    )
    return Field(first, size, features, present)
