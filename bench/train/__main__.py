"""Train against myFM and torch: quality, time and memory in one run.

``python -m bench.train`` prints a row as it goes; its last line is one JSON object with ``rows``
and ``ratios``. Every figure comes from a process of its own, so that its memory is its own;
compiled code is made once beforehand, as an image has it. Peers run in their own environment.
Times are processor seconds of all threads together (``fit_s``): what else the machine does
meanwhile does not count, for or against anybody, and our two chains have no advantage of running
side by side. Ratios are of medians over repeats, which alternate; smaller is better.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.processes import figures_of
from bench.rows import show
from bench.train.figures import FIGURES, Row, ratio_of_medians
from bench.train.settings import ADAM, GIBBS, RICH, STARS
from local.client.movielens import obtain

SEEDS = (0, 1, 2)
TARGET = 0.5535  # test log-loss that the race against myFM runs to
OWN, PEERS = "bench.train.own", "bench.train.peers"
_PATHS = (".", "container", "layers/recommender")  # of the peers' python, which lacks the product
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> int:
    """Run everything; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("build/data/ml-100k"))
    parser.add_argument("--peers", default=".venvs/bench/bin/python", help="python of the peers")
    parser.add_argument("--largest", type=int, default=10_000_000, help="ratings, scaling rows")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    options = parser.parse_args()
    obtain(options.data)
    data = str(options.data.resolve())
    rows: list[Row] = []

    def run(module: str, **task: object) -> Row:
        python = sys.executable if module == OWN else options.peers
        row = _run(python, module, {"data": data, **task})
        rows.append(row)
        show(row, "solver")
        return row

    _run(sys.executable, OWN, {"data": data, "case": "warm"})
    seeds = SEEDS[: options.seeds]
    regressor = {**STARS, "predictor_type": "regressor"}
    for seed in seeds:
        run(OWN, case="ids-binary", solver="adam", seed=seed, settings=ADAM)
        run(OWN, case="ids-binary", solver="gibbs", seed=seed, settings=GIBBS)
        run(OWN, case="rich-binary", solver="gibbs", seed=seed, settings=RICH)
        run(OWN, case="rich-stars", solver="gibbs", seed=seed, settings=STARS)
        run(OWN, case="rich-stars", solver="gibbs-regressor", seed=seed, settings=regressor)
    run(PEERS, case="ids-binary", solver="torch", seed=0)
    for case in ("ids-binary", "rich-binary", "rich-stars"):
        run(PEERS, case=case, solver="myfm", seed=0)
    races: list[tuple[Row, Row]] = []
    epochs: list[tuple[Row, Row]] = []
    for seed in seeds:
        race = {"case": "ids-binary", "seed": seed, "target": TARGET}
        races.append(
            (run(OWN, solver="gibbs-race", **race), run(PEERS, solver="myfm-race", **race))
        )
        epoch = {"case": "scale-1000000", "seed": seed}
        epochs.append((run(OWN, solver="adam", **epoch), run(PEERS, solver="torch", **epoch)))
    for count, solver in ((1_000_000, "gibbs"), (10_000_000, "adam"), (10_000_000, "gibbs")):
        if count <= options.largest:
            run(OWN, case=f"scale-{count}", solver=solver, seed=0)
    ratios = {
        "gibbs_over_myfm_time": ratio_of_medians(races),
        "adam_over_torch_epoch": ratio_of_medians(epochs),
    }
    sys.stdout.write(json.dumps({"rows": rows, "ratios": ratios}) + "\n")
    return 0


def _run(python: str, module: str, task: Mapping[str, object]) -> Row:
    environment = {**_ONE_THREAD, "PYTHONPATH": os.pathsep.join(_PATHS)}
    found = figures_of(module, json.dumps(task), python=python, environment=environment)
    what = {name: task.get(name) for name in ("case", "solver", "seed")}
    return {**what, **dict.fromkeys(FIGURES), **found}


if __name__ == "__main__":
    sys.exit(main())
