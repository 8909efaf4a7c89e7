"""Lists beside implicit's ALS, EASE and popularity: quality, time and memory in one run.

``python -m bench.rank`` prints a row as it goes; its last line is one JSON object with ``rows`` and
``ratios``. Every figure comes from a process of its own; peers run in their own environment.
Matinee has its default settings, what it searches included in its time; the peer has the best of a
grid. Cases:

- ``ua``: MovieLens-100K, weights are stars / 5, likes of ``ua.test`` are to be found.
- ``unseen-users``: a tenth of the users left out of training and folded in from 80 % of their
  ratings, the likes among the rest to be found (Liang et al. 2018).
- ``synthetic-10m``: planted tastes. implicit tries a written grid once; then both run to the best
  NDCG that it reached, in turn, on all processors. What is searched beforehand is in neither time.

Ratios are of median times on the wall's clock over repeats that alternate; smaller is better.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.processes import figures_of, output_of
from bench.rank import synthetic
from bench.rank.cases import SYNTHETIC, UA, UNSEEN
from bench.rank.judging import FIGURES
from bench.rows import show
from local.client.movielens import obtain

OWN, PEERS = "bench.rank.own", "bench.rank.peers"
GRID = (
    {"factors": 64, "alpha": 3.0, "regularization": 100.0},
    {"factors": 64, "alpha": 10.0, "regularization": 100.0},
    {"factors": 64, "alpha": 10.0, "regularization": 300.0},
    {"factors": 32, "alpha": 10.0, "regularization": 300.0},
)
ITERATIONS = 4
LARGEST = 10_000_000
_PATHS = (".", "container", "layers/recommender")  # of the peers' python, which lacks the product
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Row = dict[str, object]


def main() -> int:
    """Run everything; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, default=Path("build/data/ml-100k"))
    parser.add_argument("--peers", default=".venvs/bench/bin/python", help="python of the peers")
    parser.add_argument("--largest", type=int, default=LARGEST, help="pairs, 0 for none")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    obtain(options.data)
    rows: list[Row] = []
    output_of(OWN)  # compiling is nobody's cost
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "pairs.npz"

        def run(module: str, case: str, method: str, **task: object) -> Row:
            row = _run(module, options, {"case": case, "method": method, **task}, made)
            rows.append(row)
            show(row, "method")
            return row

        for case, seeds in ((UA, 1), (UNSEEN, options.seeds)):
            for seed in range(seeds):
                run(OWN, case, "popularity", seed=seed)
                run(OWN, case, "ease", seed=seed)
                run(PEERS, case, "implicit", seed=seed)
            for seed in range(options.seeds):
                run(OWN, case, "als", seed=seed)
        ratios: dict[str, float | None] = {}
        for count in (LARGEST // 10, LARGEST):
            if count <= options.largest:
                synthetic.make(made, count)
                label = f"{SYNTHETIC}-{count // 1_000_000}m"
                chosen = run(OWN, SYNTHETIC, "als", label=label)["chosen"]
        if options.largest >= LARGEST:
            run(OWN, SYNTHETIC, "popularity", label=label)
            ratios = _race(run, chosen, options.repeats, label)
    sys.stdout.write(json.dumps({"rows": rows, "ratios": ratios}) + "\n")
    return 0


def _race(
    run: Callable[..., Row], chosen: Mapping[str, str], repeats: int, label: str
) -> dict[str, float | None]:
    """Both sides to the best NDCG of the peer's grid, with as many factors as the peer."""
    tried = [
        run(PEERS, SYNTHETIC, "implicit-trial", settings=one, iterations=ITERATIONS, label=label)
        for one in GRID
    ]
    best = max(range(len(GRID)), key=lambda number: float(str(tried[number]["ndcg"])))
    peers_settings, iterations = GRID[best], tried[best]["epochs"]
    own_settings = {**chosen, "num_factors": str(peers_settings["factors"])}
    own, peer, epochs = [], [], []
    for seed in range(repeats):
        task = {"seed": seed, "label": label}
        peer.append(
            run(
                PEERS,
                SYNTHETIC,
                "implicit-race",
                settings=peers_settings,
                iterations=iterations,
                **task,
            )
        )
        target = peer[-1]["ndcg"]
        own.append(run(OWN, SYNTHETIC, "als-race", settings=own_settings, target=target, **task))
        epochs.append(run(OWN, SYNTHETIC, "als-epoch", settings=own_settings, **task))
    return {
        "als_over_implicit_time_to_its_ndcg": _ratio(own, peer, "fit_s"),
        "als_over_implicit_cpu_to_its_ndcg": _ratio(own, peer, "cpu_s"),
        "als_over_implicit_epoch": _ratio(epochs, peer, "epoch_s"),
    }


def _ratio(own: Sequence[Row], peer: Sequence[Row], name: str) -> float | None:
    """Quotient of medians; none where a side did not get there."""
    if any(row[name] is None for row in (*own, *peer)):
        return None
    medians = [statistics.median(float(str(row[name])) for row in side) for side in (own, peer)]
    return round(medians[0] / medians[1], 4)


def _run(module: str, options: argparse.Namespace, task: Mapping[str, object], made: Path) -> Row:
    python = sys.executable if module == OWN else options.peers
    environment = {**_ONE_THREAD, "PYTHONPATH": os.pathsep.join(_PATHS)}
    given = {"data": str(options.data.resolve()), "synthetic": str(made), **task}
    found = figures_of(module, json.dumps(given), python=python, environment=environment)
    what = {"case": task.get("label", task["case"]), "method": task["method"]}
    return {**what, "seed": task.get("seed", 0), **dict.fromkeys(FIGURES), **found}


if __name__ == "__main__":
    sys.exit(main())
