"""Side features of users and items: what stands beside their own columns in a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recommender.features import FeatureRows, Integers
from recommender.recordio.wire import spans


@dataclass(frozen=True, eq=False)
class SideFeatures:
    """The side features of all users and items, numbered from 0.

    Attributes:
        names: name of each, such as ``item.genres=Comedy``.
        users: a row for each user; those without ratings, who have no column of their own, last.
        items: a row for each item, likewise.
        columns: what was made of each column, for the report.
        cold_users: the ids of those users.
        cold_items: the ids of those items.
    """

    names: tuple[str, ...]
    users: FeatureRows
    items: FeatureRows
    columns: tuple[Mapping[str, object], ...] = field(default=())
    cold_users: tuple[str, ...] = ()
    cold_items: tuple[str, ...] = ()

    @property
    def dimension(self) -> int:
        """How many there are."""
        return len(self.names)

    @classmethod
    def none(cls, n_users: int, n_items: int) -> "SideFeatures":
        """No features at all."""
        return cls((), no_rows(n_users), no_rows(n_items))

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Name the parts; names and ids are the vocabulary's to keep."""
        return {
            f"{noun}_{part}": getattr(rows, part)
            for noun, rows in (("user", self.users), ("item", self.items))
            for part in ("offsets", "columns", "values")
        }

    @classmethod
    def from_arrays(
        cls,
        names: tuple[str, ...],
        arrays: Mapping[str, npt.NDArray[np.generic]],
        cold_users: tuple[str, ...] = (),
        cold_items: tuple[str, ...] = (),
    ) -> "SideFeatures":
        """Put together what `to_arrays` took apart."""
        users, items = (
            FeatureRows(
                arrays[f"{noun}_offsets"].astype(np.int64, copy=False),
                arrays[f"{noun}_columns"].astype(np.int64, copy=False),
                arrays[f"{noun}_values"].astype(np.float32, copy=False),
                len(names),
            )
            for noun in ("user", "item")
        )
        return cls(names, users, items, cold_users=cold_users, cold_items=cold_items)

    def entries(self, users: npt.NDArray[np.integer], items: npt.NDArray[np.integer]) -> Integers:
        """How many entries the side features add to each pair's row."""
        return np.asarray(_counts(self.users)[users] + _counts(self.items)[items])

    def rows(self, users: Integers, items: Integers) -> FeatureRows:
        """The full rows of pairs: user, item, the user's features, the item's.

        Args:
            users: ``(n,)`` numbers of users with ratings, -1 for an unknown one without entries.
            items: ``(n,)`` numbers of items with ratings, -1 likewise.
        """
        n_users = len(self.users) - len(self.cold_users)
        n_items = len(self.items) - len(self.cold_items)
        parts = [
            (users >= 0, users, None, 0),
            (items >= 0, items, None, n_users),
            (users >= 0, users, self.users, n_users + n_items),
            (items >= 0, items, self.items, n_users + n_items),
        ]
        lengths = np.zeros((len(parts), users.size), np.int64)
        for at, (known, numbers, table, _) in enumerate(parts):
            own = np.ones(numbers.size, np.int64)
            lengths[at] = np.where(known, own if table is None else _counts(table)[numbers], 0)
        ends = np.cumsum(lengths.sum(axis=0))
        offsets = np.concatenate((np.zeros(1, np.int64), ends))
        places = offsets[:-1] + np.cumsum(lengths, axis=0) - lengths
        columns = np.empty(int(offsets[-1]), np.int64)
        values = np.ones(columns.size, np.float32)
        for at, (known, numbers, table, first) in enumerate(parts):
            if table is None:
                columns[places[at][known]] = numbers[known] + first
                continue
            starts = np.where(known, table.offsets[:-1][numbers], 0)
            source = spans(starts, lengths[at])
            target = spans(places[at], lengths[at])
            columns[target] = table.columns[source] + first
            values[target] = table.values[source]
        return FeatureRows(offsets, columns, values, n_users + n_items + self.dimension)


def no_rows(size: int) -> FeatureRows:
    """As many rows without features."""
    return FeatureRows(np.zeros(size + 1, np.int64), np.zeros(0, np.int64), _NO_VALUES, 0)


_NO_VALUES = np.zeros(0, np.float32)


def _counts(rows: FeatureRows) -> Integers:
    return np.diff(rows.offsets)
