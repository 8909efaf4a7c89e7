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
    """

    first: int
    size: int
    features: SideFeatures


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
    by_user, by_item = (_side_features(part, ends) for part in parts)
    return Pairs(
        users,
        items,
        Field(0, users_end, by_user),
        Field(users_end, items_end - users_end, by_item),
    )


def add_implicit_features(pairs: Pairs) -> Pairs:
    """Describe each user by the items that they rated, and each item by its raters.

    A user with ``m`` ratings gets ``1 / sqrt(m)`` for each of those items, and likewise an item.

    Source:
        Koren, *Factorization meets the neighborhood*, KDD 2008 (SVD++), both ways round.
    """
    users, items = pairs.users.astype(np.int64), pairs.items.astype(np.int64)
    user_size, item_size = pairs.user_field.size, pairs.item_field.size
    # A pair that is rated twice is rated; it does not count twice.
    once = np.unique(users * item_size + items)
    users, items = once // item_size, once % item_size
    user_field = _with_counterparts(pairs.user_field, users, items, item_size)
    item_field = _with_counterparts(pairs.item_field, items, users, user_size)
    return Pairs(pairs.users, pairs.items, user_field, item_field)


def _with_counterparts(field: Field, entities: Integers, others: Integers, count: int) -> Field:
    values = 1.0 / np.sqrt(np.bincount(entities, minlength=field.size))[entities]
    old = field.features
    order = np.argsort(others, kind="stable")
    offsets = np.cumsum(np.bincount(others, minlength=count))
    group = int(old.groups.max(initial=-1)) + 1
    features = SideFeatures(
        np.concatenate([old.offsets, old.offsets[-1] + offsets]),
        np.concatenate([old.entities, entities[order].astype(np.int32)]),
        np.concatenate([old.values, values[order]]),
        np.concatenate([old.groups, np.full(count, group)]),
    )
    return Field(field.first, field.size, features)


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


def _side_features(part: _Part, ends: Integers) -> SideFeatures:
    entities, columns, values = part
    present, numbers = np.unique(columns, return_inverse=True)
    # Ordered by column already; groups are numbered without gaps.
    groups = np.unique(np.searchsorted(ends, present, side="right"), return_inverse=True)[1]
    return SideFeatures(
        np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=present.size))]).astype(
            np.int64
        ),
        entities.astype(np.int32),
        values,
        groups.astype(np.int64),
    )
