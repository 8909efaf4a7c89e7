"""Train against myFM and torch: quality, time and memory in one run.

``python -m bench.train`` prints a table as it goes; its last line is one JSON object with ``rows``
and ``ratios``. Every figure comes from a process of its own, so that its memory is its own;
compiled code is made once beforehand, as an image has it. Peers run in their own environment.
All use one thread, and times are that thread's own (``fit_s``, processor seconds): what else the
machine does meanwhile does not count, for or against anybody.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SEEDS = (0, 1, 2)
TARGET = 0.5535  # test log-loss that the race against myFM runs to
Row = dict[str, object]

ADAM = {
    "num_factors": "64",
    "epochs": "48",
    "mini_batch_size": "300",
    "bias_lr": "0.003",
    "bias_wd": "0.0001",
    "linear_lr": "0.002",
    "linear_wd": "0.001",
    "factors_lr": "0.0005",
    "factors_wd": "0.032",
    "factors_init_sigma": "0.02",
}
GIBBS = {"solver": "gibbs", "num_factors": "16", "draw_factors": "12", "draws": "300"}
RICH = {**GIBBS, "implicit_features": "true"}
STARS = {**RICH, "like_threshold": "4"}


def main() -> int:
    """Run everything; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("build/data/ml-100k"))
    parser.add_argument("--peers", default=".venvs/bench/bin/python", help="python of the peers")
    parser.add_argument("--largest", type=int, default=10_000_000, help="ratings, scaling rows")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    options = parser.parse_args()
    seeds = SEEDS[: options.seeds]
    data = str(options.data.resolve())
    rows: list[Row] = []

    def run(python: str, module: str, **task: object) -> Row:
        row = _in_process(python, module, {"data": data, **task})
        rows.append(row)
        _show(row)
        return row

    own, peers = sys.executable, options.peers
    mine = "bench.train_own"
    theirs = "bench.train_peers"
    _in_process(own, mine, {"data": data, "case": "warm"})
    for seed in seeds:
        run(own, mine, case="ids-binary", solver="adam", seed=seed, settings=ADAM)
        run(own, mine, case="ids-binary", solver="gibbs", seed=seed, settings=GIBBS)
        run(own, mine, case="rich-binary", solver="gibbs", seed=seed, settings=RICH)
        run(own, mine, case="rich-stars", solver="gibbs", seed=seed, settings=STARS)
        stars = {**STARS, "predictor_type": "regressor"}
        run(own, mine, case="rich-stars", solver="gibbs-regressor", seed=seed, settings=stars)
    run(peers, theirs, case="ids-binary", solver="myfm", seed=0)
    run(peers, theirs, case="ids-binary", solver="torch", seed=0)
    race = [
        run(own, mine, case="ids-binary", solver="gibbs-race", seed=0, target=TARGET),
        run(peers, theirs, case="ids-binary", solver="myfm-race", seed=0, target=TARGET),
    ]
    for count in (100_000, 1_000_000, 10_000_000):
        if count <= options.largest:
            for solver in ("adam", "gibbs"):
                run(own, mine, case=f"scale-{count}", solver=solver, seed=0)
    epoch = next(r for r in rows if (r["case"], r["solver"]) == ("scale-1000000", "adam"))
    torch = run(peers, theirs, case="scale-1000000", solver="torch", seed=0)
    ratios = {
        "gibbs_over_myfm_time": _ratio(race[0], race[1]),
        "adam_over_torch_epoch": _ratio(epoch, torch),
    }
    sys.stdout.write(json.dumps({"rows": rows, "ratios": ratios}) + "\n")
    return 0


def _ratio(mine: Row, theirs: Row) -> float | None:
    """Quotient of two times; none if one of the two did not get there."""
    first, second = mine.get("fit_s"), theirs.get("fit_s")
    if not isinstance(first, float) or not isinstance(second, float):
        return None
    return round(first / second, 4)


def _in_process(python: str, module: str, task: Mapping[str, object]) -> Row:
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    paths = [".", "container", "layers/recommender"]
    finished = subprocess.run(
        [python, "-m", module, json.dumps(task)],
        env={**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise SystemExit(f"{module} {task}\n{finished.stderr[-3000:]}")
    found: Row = json.loads(finished.stdout.splitlines()[-1])
    return {"case": task["case"], "solver": task.get("solver"), "seed": task.get("seed"), **found}


def _show(row: Row) -> None:
    figures = [
        f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in row.items()
        if name not in ("case", "solver")
    ]
    sys.stdout.write(f"{row['case']:14} {row['solver']:16} " + "  ".join(figures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
