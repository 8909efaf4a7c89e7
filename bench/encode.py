"""How fast ratings become tensors: our writers beside their peers, and whole files end to end.

``python -m bench.encode`` prints tables and, last, one JSON object: the speeds of the one-hot and
of the general writer as multiples of the SageMaker SDK's, the one-hot writer's as a share of
memcpy's, rows, seconds and peak memory of each file that was encoded from disk to disk, and seconds
of a warm call of the whole function on MovieLens-100K (`bench.encode_handler`).

Every end-to-end figure comes from a process of its own, which is its peak memory's only honest
measure. The data is made here: user activity and item popularity are long-tailed, ids have gaps,
one pair in a hundred is rated twice.
"""

import argparse
import gzip
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np

FOLDER = Path("build/bench")
SIZES = (100_000, 1_000_000, 10_000_000, 25_000_000)
MOVIELENS_100K = {"rows": 90_570, "users": 943, "items": 1682}
_RATINGS_OF_A_USER, _RATINGS_OF_AN_ITEM = 154, 400  # as in MovieLens 25M
_CHUNK_BYTES = 8 << 20
_ROWS_AT_ONCE = 2_000_000

Timed = Callable[[], object]


# --- data -----------------------------------------------------------------------------------------


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


def draw_pairs(
    rng: np.random.Generator, rows: int, *, in_order: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of long-tailed users and items, one in a hundred twice."""
    n_users = max(40, rows // _RATINGS_OF_A_USER)
    n_items = max(1000, rows // _RATINGS_OF_AN_ITEM)
    repeated = rows // 100
    counts = _long_tail(rng, rows - repeated, n_users, most=n_items // 2)
    users = np.repeat(np.arange(n_users), counts)
    place = np.arange(users.size) - np.repeat(np.cumsum(counts) - counts, counts)
    # Each user's items: evenly through the popular and the rare, then pushed apart where two meet.
    popularity = np.cumsum(1 / np.arange(1, n_items + 1) ** 0.9)
    drawn = (place + rng.random(users.size)) / counts[users] * popularity[-1]
    slack = np.searchsorted(popularity, drawn) - place + n_items * (2 * users + 1)
    items = np.maximum.accumulate(slack) - n_items * (2 * users + 1) + place
    items = np.minimum(items, n_items - counts[users] + place)
    twice = rng.choice(users.size, repeated, replace=False)
    users, items = np.append(users, users[twice]), np.append(items, items[twice])
    order = np.argsort(users, kind="stable") if in_order else rng.permutation(rows)
    user_ids = np.sort(rng.choice(n_users * 2, n_users, replace=False)) + 1
    item_ids = rng.permutation(rng.choice(n_items * 4, n_items, replace=False)) + 1
    return user_ids[users[order]], item_ids[items[order]]


def _long_tail(rng: np.random.Generator, total: int, size: int, most: int) -> np.ndarray:
    """Draw ``size`` counts that add up to ``total``: few are large, none above ``most``."""
    weights = rng.pareto(1.2, size) + 0.15
    counts = np.minimum((weights / weights.sum() * total).astype(np.int64), most)
    while (missing := total - int(counts.sum())) > 0:
        more = np.bincount(rng.integers(0, size, missing), minlength=size)
        counts = np.minimum(counts + more, most)
    return counts


# --- end to end -----------------------------------------------------------------------------------


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


def peak_mb() -> float:
    """This program's own peak; ``ru_maxrss`` would begin with that of whoever started it."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)


def end_to_end(rows: int, kind: str, repeats: int) -> dict[str, object]:
    """Encode a file in fresh processes; the run of median time is told."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{kind}-{rows}"
    if not path.exists():
        _own_process("--make", str(path), str(rows), kind)
    out = FOLDER / "out"
    runs = []
    for _ in range(repeats):
        out.mkdir(exist_ok=True)
        runs.append(json.loads(_own_process("--encode", str(path), str(out))))
        shutil.rmtree(out)
    runs.sort(key=lambda run: run["seconds"])
    found = runs[len(runs) // 2]
    return {**found, "kind": kind, "runs": [run["seconds"] for run in runs]}


def _own_process(*arguments: str) -> str:
    command = [sys.executable, "-m", "bench.encode", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# --- writers --------------------------------------------------------------------------------------


def compare_writers(repeats: int) -> dict[str, float]:
    """Time our writers and the SDK's on the same rows, bytes compared first."""
    import scipy.sparse
    from recommender.features import FeatureRows
    from recommender.recordio.writing import write_pairs, write_rows

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
        "sdk_one_hot": _median(lambda: sdk(pairs), max(3, repeats // 5)),
        "one_hot": _median(lambda: write_pairs(users, items, pairs.dimension, likes), repeats),
        "memcpy": _median(lambda: np.copyto(target, source), repeats),
        "sdk_csr": _median(lambda: sdk(rich), max(3, repeats // 5)),
        "csr": _median(lambda: write_rows(rich, likes), repeats),
    }
    print(f"writers, {n:,} rows of 2 entries and of {rich.columns.size / n:.1f}")
    for name, taken in seconds.items():
        print(f"  {name:12} {1000 * taken:10.2f} ms {n / taken / 1e6:10.3f} M rows/s")
    return {
        "one_hot_over_sdk": seconds["sdk_one_hot"] / seconds["one_hot"],
        "csr_over_sdk": seconds["sdk_csr"] / seconds["csr"],
        "one_hot_over_memcpy": seconds["memcpy"] / seconds["one_hot"],
    }


def _with_side_features(rng: np.random.Generator, pairs):  # type: ignore[no-untyped-def]
    """Give each row an age group and one to three genres, normalised."""
    from recommender.features import FeatureRows

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


def _median(work: Timed, repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def main() -> None:
    """Run the whole bench, or one part of it in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--encode", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES, help="sizes of the files")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each file")
    parser.add_argument(
        "--kinds",
        nargs="*",
        default=["shuffled", "gzip", "texts", "parquet"],
        help="further kinds of file, of a million rows each",
    )
    chosen = parser.parse_args()
    if chosen.make:
        path, rows, kind = chosen.make
        make_ratings(Path(path), int(rows), kind)
        return
    if chosen.encode:
        print(json.dumps(encode_file(*map(Path, chosen.encode))))
        return
    # Not before: what it imports would count as memory of the processes that encode files.
    from bench.encode_handler import in_own_processes

    ratios = compare_writers(repeats=25)
    plan = [(rows, "csv") for rows in chosen.rows] + [(1_000_000, kind) for kind in chosen.kinds]
    print("files, from disk to disk")
    figures = []
    for rows, kind in plan:
        found = end_to_end(rows, kind, chosen.repeats)
        figures.append(found)
        print("  " + "  ".join(f"{name} {value}" for name, value in found.items()), flush=True)
    handler = in_own_processes(repeats=15)
    print("the function on MovieLens-100K")
    print("  " + "  ".join(f"{name} {value}" for name, value in handler.items()), flush=True)
    rounded = {name: round(ratio, 3) for name, ratio in ratios.items()}
    told = [{name: one[name] for name in ("rows", "seconds", "peak_mb", "kind")} for one in figures]
    warm = {"handler_ml100k_s": handler["handler_ml100k_s"]}
    print(json.dumps({**rounded, "end_to_end": told, **warm}))


if __name__ == "__main__":
    main()
