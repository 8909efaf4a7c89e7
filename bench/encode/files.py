"""Files of ratings, encoded from disk to disk.

The ratings are made here: user activity and item popularity are long-tailed, ids have gaps, one
pair in a hundred is rated twice.
"""

import gzip
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bench.long_tail import draw_pairs
from bench.processes import figures_of, output_of, peak_mb

FOLDER = Path("build/bench")
_SELF = "bench.encode.files"
_CHUNK_BYTES = 8 << 20
_ROWS_AT_ONCE = 2_000_000


def measure(rows: int, kind: str, repeats: int) -> dict[str, object]:
    """Encode a file in fresh processes; the run of median time is told."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{kind}-{rows}"
    if not path.exists():
        output_of(_SELF, "make", str(path), str(rows), kind)
    out = FOLDER / "out"
    runs = []
    for _ in range(repeats):
        out.mkdir(exist_ok=True)
        runs.append(figures_of(_SELF, "encode", str(path), str(out)))
        shutil.rmtree(out)
    runs.sort(key=lambda run: run["seconds"])
    found = runs[len(runs) // 2]
    return {**found, "kind": kind, "runs": [run["seconds"] for run in runs]}


def make_ratings(path: Path, rows: int, kind: str, seed: int = 7) -> None:
    """Write a file of ratings.

    Args:
        kind: ``csv`` by user as MovieLens is, ``shuffled``, ``texts`` (both ids are texts),
            ``gzip`` or ``parquet``.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    rng = np.random.default_rng(seed)
    users, items = draw_pairs(rng, rows, in_order=kind != "shuffled")
    names = ("userId", "movieId", "rating", "timestamp")
    schema_texts = kind == "texts"

    def tables() -> Iterator[pa.Table]:
        for first in range(0, rows, _ROWS_AT_ONCE):
            part = slice(first, min(rows, first + _ROWS_AT_ONCE))
            size = part.stop - part.start
            ids = [pa.array(users[part]), pa.array(items[part])]
            if schema_texts:
                ids = [
                    pa.compute.binary_join_element_wise(prefix, one.cast(pa.string()), "")
                    for prefix, one in zip(("member-", "B00TITLE"), ids, strict=True)
                ]
            ratings = pa.array(rng.integers(1, 11, size) / 2)
            times = pa.array(rng.integers(789_652_009, 1_574_327_703, size))
            yield pa.table(dict(zip(names, (*ids, ratings, times), strict=True)))

    part = path.with_suffix(".part")
    if kind == "parquet":
        writer = None
        for table in tables():
            writer = writer or pa.parquet.ParquetWriter(part, table.schema)
            writer.write_table(table)
        writer.close()
    else:
        with gzip.open(part, "wb", 5) if kind == "gzip" else part.open("wb") as out:
            header = True
            for table in tables():
                options = pa.csv.WriteOptions(include_header=header, quoting_style="none")
                pa.csv.write_csv(table, out, options)
                header = False
    part.rename(path)


def encode_file(path: Path, folder: Path) -> dict[str, object]:
    """Encode a file from disk to disk: ids, repeats, split, train and test channel."""
    begun = time.perf_counter()
    from recommender.catalog.config import CatalogConfig
    from recommender.dataset.deduplication import TRAIN
    from recommender.dataset.encoding import Dataset, RunRows
    from recommender.ratings.reading import read_ratings

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        rows = RunRows(str(folder))
        with path.open("rb", buffering=0) as file:
            into = rows.builder(path.name, is_test=False)
            read_ratings(iter(lambda: file.read(_CHUNK_BYTES), b""), into, 0.1, threads=threads)
        read = time.perf_counter()
        dataset = Dataset("bench", rows, CatalogConfig(), threads)
        settled = time.perf_counter()
        with (folder / "train.pbr").open("wb") as train, (folder / "test.pbr").open("wb") as test:
            for side, _, records in dataset.records():
                (train if side == TRAIN else test).write(records)
    done = time.perf_counter()
    return {
        "rows": dataset.counts["rows"],
        "seconds": round(done - begun, 3),
        "peak_mb": peak_mb(),
        "read_s": round(read - begun, 3),
        "settle_s": round(settled - read, 3),
        "write_s": round(done - settled, 3),
        "cpu_s": round(time.process_time(), 3),
    }


def main(arguments: Sequence[str]) -> int:
    """Do one part of the measurement in this process: ``make`` a file, or ``encode`` it."""
    verb, path, *others = arguments
    if verb == "make":
        rows, kind = others
        make_ratings(Path(path), int(rows), kind)
    else:
        (folder,) = others
        print(json.dumps(encode_file(Path(path), Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
