"""Matrices as rows of features."""

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
