"""How fast ratings become tensors: our writers beside their peers, and whole files end to end.

``python -m bench.encode`` prints tables and, last, one JSON object: the speeds of the one-hot and
of the general writer as multiples of the SageMaker SDK's, the one-hot writer's as a share of
memcpy's, rows, seconds and peak memory of each file that was encoded from disk to disk, and seconds
of a warm call of the whole function on MovieLens-100K (`bench.encode.handler`).

Every end-to-end figure comes from a process of its own, which is its peak memory's only honest
measure.
"""

import argparse
import json

from bench.encode import files, handler, writers

SIZES = (100_000, 1_000_000, 10_000_000, 25_000_000)


def main() -> None:
    """Run everything; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES, help="sizes of the files")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each file")
    parser.add_argument(
        "--kinds",
        nargs="*",
        default=["shuffled", "gzip", "texts", "parquet"],
        help="further kinds of file, of a million rows each",
    )
    chosen = parser.parse_args()
    ratios = writers.compare(repeats=25)
    plan = [(rows, "csv") for rows in chosen.rows] + [(1_000_000, kind) for kind in chosen.kinds]
    print("files, from disk to disk")
    figures = []
    for rows, kind in plan:
        found = files.measure(rows, kind, chosen.repeats)
        figures.append(found)
        print("  " + "  ".join(f"{name} {value}" for name, value in found.items()), flush=True)
    warm = handler.measure(repeats=15)
    print("the function on MovieLens-100K")
    print("  " + "  ".join(f"{name} {value}" for name, value in warm.items()), flush=True)
    rounded = {name: round(ratio, 3) for name, ratio in ratios.items()}
    told = [{name: one[name] for name in ("rows", "seconds", "peak_mb", "kind")} for one in figures]
    function = {"handler_ml100k_s": warm["handler_ml100k_s"]}
    print(json.dumps({**rounded, "end_to_end": told, **function}))


if __name__ == "__main__":
    main()
