"""Feature rows: the sparse matrix that goes into RecordIO and into a factorization machine."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.errors import ShapeMismatchError

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]
Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FeatureRows:
    """Rows of features in compressed sparse row form.

    Attributes:
        offsets: ``(n + 1,)`` int64; row ``i`` owns entries ``offsets[i]`` up to ``offsets[i + 1]``.
        columns: ``(nnz,)`` int64 column of each entry, in ``[0, dimension)``.
        values: ``(nnz,)`` float32 value of each entry.
        dimension: number of columns.
    """

    offsets: Integers
    columns: Integers
    values: Float32s
    dimension: int

    def __len__(self) -> int:
        return int(self.offsets.size) - 1

    def part(self, first: int, last: int) -> "FeatureRows":
        """The rows from ``first`` up to ``last``, views of these."""
        offsets = self.offsets[first : last + 1]
        entries = slice(int(offsets[0]), int(offsets[-1]))
        return FeatureRows(
            offsets - offsets[0], self.columns[entries], self.values[entries], self.dimension
        )

    @property
    def width(self) -> int | None:
        """Number of entries of every row; None if the rows differ in it, or there are none."""
        if len(self) < 1:
            return None
        width, rest = divmod(int(self.offsets[-1]), len(self))
        if rest or (len(self) > 1 and (np.diff(self.offsets) != width).any()):
            return None
        return width

    @classmethod
    def pairs(cls, users: Integers, items: Integers, dimension: int) -> "FeatureRows":
        """One row per pair, holding a one in the user's column and a one in the item's.

        Args:
            users: ``(n,)`` column of each user.
            items: ``(n,)`` column of each item (not the item's number).
            dimension: number of columns.

        Returns:
            ``n`` rows of two entries each, in the order given: the user's first.

        Raises:
            ShapeMismatchError: ``users`` and ``items`` differ in length, or a column is outside.
        """
        if users.ndim != 1 or users.shape != items.shape:
            raise ShapeMismatchError("items beside users", users.shape, items.shape)
        columns = np.empty(2 * users.size, np.int64)
        columns[0::2] = users
        columns[1::2] = items
        rows = cls(
            offsets=np.arange(0, 2 * users.size + 1, 2, dtype=np.int64),
            columns=columns,
            values=np.ones(columns.size, np.float32),
            dimension=dimension,
        )
        rows.check()
        return rows

    def check(self) -> None:
        """Make sure that the four parts describe one matrix.

        Raises:
            ShapeMismatchError: they do not; the message names the part.
        """
        if self.offsets.ndim != 1 or self.offsets.size == 0 or self.offsets[0] != 0:
            raise ShapeMismatchError(
                "row offsets", "one axis that begins with 0", f"shape {self.offsets.shape}"
            )
        if self.offsets.size > 1 and bool(np.any(self.offsets[1:] < self.offsets[:-1])):
            raise ShapeMismatchError("row offsets", "ascending", "a descent")
        entries = int(self.offsets[-1])
        if self.columns.shape != (entries,):
            raise ShapeMismatchError("feature columns", (entries,), self.columns.shape)
        if self.values.shape != (entries,):
            raise ShapeMismatchError("feature values", (entries,), self.values.shape)
        check_columns(self.columns, self.dimension)


def check_columns(columns: Integers, dimension: int) -> None:
    """Make sure that every column exists.

    Args:
        columns: any number of columns.
        dimension: number of columns that there are.

    Raises:
        ShapeMismatchError: a column is negative, or ``dimension`` or more.
    """
    if columns.size:
        lowest, highest = int(columns.min()), int(columns.max())
        if lowest < 0 or highest >= dimension:
            outside = lowest if lowest < 0 else highest
            raise ShapeMismatchError("feature column", f"0 to {dimension - 1}", outside)


def with_distinct_columns(rows: FeatureRows) -> FeatureRows:
    """Sum the values of a column that a row names more than once.

    That is what such a row means in any sparse matrix. The arithmetic of training and scoring
    would take each entry for a feature of its own, which interacts with itself.

    Args:
        rows: any consistent rows.

    Returns:
        The same rows if columns are distinct already; else equal rows with ascending columns.
    """
    if rows.columns.size < 2:
        return rows
    if rows.width == 2 and (rows.columns[0::2] != rows.columns[1::2]).all():
        return rows  # users and items, as a rule
    row_of = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))
    same_row = row_of[1:] == row_of[:-1]
    if np.all((rows.columns[1:] > rows.columns[:-1]) | ~same_row):
        return rows
    order = np.lexsort((rows.columns, row_of))
    row_of, columns = row_of[order], rows.columns[order]
    begins = np.flatnonzero(
        np.concatenate([[True], (columns[1:] != columns[:-1]) | (row_of[1:] != row_of[:-1])])
    )
    if begins.size == columns.size:
        return rows
    counts = np.bincount(row_of[begins], minlength=len(rows))
    return FeatureRows(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        columns=columns[begins],
        values=np.add.reduceat(rows.values[order], begins).astype(np.float32),
        dimension=rows.dimension,
    )
