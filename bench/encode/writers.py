"""Our writers of RecordIO beside the SageMaker SDK's and beside memcpy, on the same rows."""

import io
import logging
import os
import warnings

import numpy as np
import scipy.sparse
from recommender.features import FeatureRows
from recommender.recordio.writing import write_pairs, write_rows

from bench.stopwatch import median_seconds

MOVIELENS_100K = {"rows": 90_570, "users": 943, "items": 1682}


def compare(repeats: int) -> dict[str, float]:
    """Time our writers and the SDK's on the same rows, bytes compared first."""
    os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"] = "1"
    logging.getLogger("sagemaker.config").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own, on import
        from sagemaker.amazon.common import write_spmatrix_to_sparse_tensor
    rng = np.random.default_rng(1)
    n, n_users, n_items = (MOVIELENS_100K[name] for name in ("rows", "users", "items"))
    users = np.sort(rng.integers(0, n_users, n))
    items = n_users + rng.integers(0, n_items, n)
    likes = (rng.random(n) < 0.55).astype(np.float32)
    pairs = FeatureRows.pairs(users, items, n_users + n_items)
    rich = _with_side_features(rng, pairs)

    def sdk(rows: FeatureRows) -> bytes:
        matrix = scipy.sparse.csr_matrix(
            (rows.values, rows.columns, rows.offsets), (len(rows), rows.dimension)
        )
        out = io.BytesIO()
        write_spmatrix_to_sparse_tensor(out, matrix, likes)
        return out.getvalue()

    one_hot = write_pairs(users, items, pairs.dimension, likes)
    general = write_rows(rich, likes)
    if one_hot != sdk(pairs) or general != sdk(rich):
        raise SystemExit("the writers disagree on the bytes")
    source, target = np.frombuffer(one_hot, np.uint8), np.empty(len(one_hot), np.uint8)
    seconds = {
        "sdk_one_hot": median_seconds(lambda: sdk(pairs), max(3, repeats // 5)),
        "one_hot": median_seconds(
            lambda: write_pairs(users, items, pairs.dimension, likes), repeats
        ),
        "memcpy": median_seconds(lambda: np.copyto(target, source), repeats),
        "sdk_csr": median_seconds(lambda: sdk(rich), max(3, repeats // 5)),
        "csr": median_seconds(lambda: write_rows(rich, likes), repeats),
    }
    print(f"writers, {n:,} rows of 2 entries and of {rich.columns.size / n:.1f}")
    for name, taken in seconds.items():
        print(f"  {name:12} {1000 * taken:10.2f} ms {n / taken / 1e6:10.3f} M rows/s")
    return {
        "one_hot_over_sdk": seconds["sdk_one_hot"] / seconds["one_hot"],
        "csr_over_sdk": seconds["sdk_csr"] / seconds["csr"],
        "one_hot_over_memcpy": seconds["memcpy"] / seconds["one_hot"],
    }


def _with_side_features(rng: np.random.Generator, pairs: FeatureRows) -> FeatureRows:
    """Give each row an age group and one to three genres, normalised."""
    n, first = len(pairs), pairs.dimension
    genres = rng.integers(1, 4, n)
    sizes = 3 + genres
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    columns, values = np.empty(offsets[-1], np.int64), np.ones(offsets[-1], np.float32)
    columns[offsets[:-1]], columns[offsets[:-1] + 1] = pairs.columns[0::2], pairs.columns[1::2]
    columns[offsets[:-1] + 2] = first + rng.integers(0, 7, n)
    start = rng.integers(0, 16, n)
    for place in range(3):
        has = np.flatnonzero(genres > place)
        columns[offsets[has] + 3 + place] = first + 7 + start[has] + place
        values[offsets[has] + 3 + place] = 1 / genres[has]
    return FeatureRows(offsets, columns, values, first + 26)
