"""Every common writer of Parquet, each with its usual options."""

import io
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import duckdb
import fastparquet
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

Options = dict[str, object]


def by_pyarrow(table: pa.Table, options: Options) -> bytes:
    """Write a table with pyarrow."""
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def by_polars(table: pa.Table, options: Options) -> bytes:
    """Write a table with polars."""
    out = io.BytesIO()
    pl.from_arrow(table).write_parquet(out, **options)
    return out.getvalue()


def by_duckdb(table: pa.Table, options: Options) -> bytes:
    """Write a table with DuckDB's COPY."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "out.parquet"
        connection.register("ratings", table)
        listed = "".join(f", {name} {value}" for name, value in options.items())
        connection.execute(f"COPY ratings TO '{path}' (FORMAT parquet{listed})")
        return path.read_bytes()


def by_fastparquet(table: pa.Table, options: Options) -> bytes:
    """Write a table with fastparquet."""
    frame = pd.DataFrame(
        {
            field.name: pd.Series(table[field.name].to_pylist(), dtype=NULLABLE[field.type])
            if field.type in NULLABLE
            else table[field.name].to_pandas()
            for field in table.schema
        }
    )
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about what pandas will change
        path = Path(folder) / "out.parquet"
        fastparquet.write(str(path), frame, **options)
        return path.read_bytes()


NULLABLE = {
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): np.dtype(object),  # what it takes for texts
}

PYARROW: list[Options] = [
    *({"compression": codec} for codec in ("none", "snappy", "gzip", "zstd", "brotli", "lz4")),
    {"version": "1.0", "data_page_version": "1.0", "use_dictionary": False},
    {"data_page_version": "2.0"},
    {"data_page_version": "2.0", "compression": "none", "use_dictionary": False},
    {"row_group_size": 7, "write_statistics": False},
    {"data_page_size": 40, "write_batch_size": 5, "write_page_index": True},
    {"use_deprecated_int96_timestamps": True},
    {"store_decimal_as_integer": True, "store_schema": False},
    {"write_page_checksum": True, "coerce_timestamps": "ms", "allow_truncated_timestamps": True},
]
POLARS: list[Options] = [
    *({"compression": codec} for codec in ("uncompressed", "snappy", "gzip", "zstd", "lz4")),
    {"compression": "brotli", "statistics": False},
    {"statistics": "full", "row_group_size": 7, "data_page_size": 40},
]
DUCKDB: list[Options] = [
    *({"COMPRESSION": codec} for codec in ("uncompressed", "snappy", "gzip", "zstd", "lz4_raw")),
    {"COMPRESSION": "brotli", "ROW_GROUP_SIZE": 7},
    {"PARQUET_VERSION": "V2", "DICTIONARY_SIZE_LIMIT": 1},
    {"PARQUET_VERSION": "V2"},
]
FASTPARQUET: list[Options] = [
    *({"compression": codec} for codec in ("UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "BROTLI")),
    {"compression": "LZ4"},
    {"times": "int96", "row_group_offsets": 7, "stats": False},
    {"has_nulls": True},
]
WRITERS: dict[str, tuple[Callable[[pa.Table, Options], bytes], list[Options]]] = {
    "pyarrow": (by_pyarrow, PYARROW),
    "polars": (by_polars, POLARS),
    "duckdb": (by_duckdb, DUCKDB),
    "fastparquet": (by_fastparquet, FASTPARQUET),
}
