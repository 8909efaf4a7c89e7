"""Matrices as rows of features."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from recommender.features import FeatureRows
from scipy import sparse


def rows_of(matrix: ArrayLike) -> FeatureRows:
    """The non-zero values of a dense matrix, row by row."""
    found = sparse.csr_array(np.asarray(matrix, np.float32))
    return FeatureRows(
        found.indptr.astype(np.int64), found.indices.astype(np.int64), found.data, found.shape[1]
    )


def random_rows(
    counts: Sequence[int], dimension: int, rng: np.random.Generator, *, ascending: bool = False
) -> FeatureRows:
    """Rows of so many different columns each, in ascending order or in any, with normal values."""
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    columns = [rng.choice(dimension, count, replace=False) for count in counts]
    if ascending:
        columns = [np.sort(row) for row in columns]
    return FeatureRows(
        offsets,
        np.concatenate([*columns, np.zeros(0, np.int64)]).astype(np.int64),
        rng.normal(size=int(offsets[-1])).astype(np.float32),
        dimension,
    )
