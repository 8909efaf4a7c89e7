"""Rows that name a column more than once."""

import numpy as np
from recommender.features import FeatureRows


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
