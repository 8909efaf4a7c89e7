"""Rows of features."""

import numpy as np
from recommender.features import FeatureRows, with_distinct_columns


def test_a_column_named_twice_in_a_row_counts_as_the_sum():
    rows = FeatureRows(
        offsets=np.array([0, 3, 3, 5]),
        columns=np.array([4, 1, 4, 2, 0]),
        values=np.array([1, 2, 3, 4, 5], np.float32),
        dimension=5,
    )

    merged = with_distinct_columns(rows)

    assert merged.offsets.tolist() == [0, 2, 2, 4]
    assert merged.columns.tolist() == [1, 4, 0, 2]
    assert merged.values.tolist() == [2, 4, 5, 4]
