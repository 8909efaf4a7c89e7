"""One figure of implicit's ALS, in a process of its own: see `bench.rank.__main__`.

On MovieLens it is given every setting of a grid and judged by the best on the very test set,
which is more than Matinee allows itself.
"""

import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np

from bench.processes import peak_mb
from bench.rank.cases import Case, Pairs, read
from bench.rank.judging import judge

THREADS = 2
FACTORS, ALPHAS, REGULARIZATIONS = (16, 32, 64), (1.0, 3.0, 10.0, 30.0), (0.01, 1.0, 10.0, 30.0)
_ITERATIONS = 15


def main() -> int:
    """Do the task given as JSON, and print its row as JSON."""
    task = json.loads(sys.argv[1])
    seed = int(task.get("seed", 0))
    case = read(str(task["case"]), Path(task["data"]), Path(task["synthetic"]), seed)
    if task["method"] == "implicit":
        found = _best_of_grid(case, seed)
    else:
        found = _iterate(case, dict(task["settings"]), int(task["iterations"]), seed)
    found["peak_mb"] = peak_mb()
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _model(settings: dict[str, float], iterations: int, seed: int):
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(
        factors=int(settings["factors"]),
        alpha=settings["alpha"],
        regularization=settings["regularization"],
        iterations=iterations,
        num_threads=THREADS,
        random_state=seed,
    )


def _matrix(pairs: Pairs, sizes: tuple[int, int]):
    from scipy import sparse

    return sparse.csr_matrix((pairs[2], (pairs[0], pairs[1])), sizes, dtype=np.float32)


def _best_of_grid(case: Case, seed: int) -> dict[str, object]:
    matrix = _matrix(case.train, case.sizes)
    rows = []
    for factors, alpha, regularization in itertools.product(FACTORS, ALPHAS, REGULARIZATIONS):
        settings = {"factors": factors, "alpha": alpha, "regularization": regularization}
        model = _model(settings, _ITERATIONS, seed)
        began, worked = time.perf_counter(), time.process_time()
        model.fit(matrix, show_progress=False)
        spent = {
            "fit_s": round(time.perf_counter() - began, 3),
            "cpu_s": round(time.process_time() - worked, 3),
        }
        users = model.user_factors.copy()
        if case.given is not None:
            who = np.unique(case.given[0])
            users[who] = model.recalculate_user(who, _matrix(case.given, case.sizes)[who])
        found = judge(users, model.item_factors, case.seen, case.wanted)
        rows.append({**found, **spent, "chosen": settings})
    return max(rows, key=lambda row: row["ndcg"])


def _iterate(
    case: Case, settings: dict[str, float], iterations: int, seed: int
) -> dict[str, object]:
    """Fit, and tell the NDCG after each iteration; the clock stands while lists are judged."""
    _model(settings, 1, 0).fit(
        _matrix((case.train[0][:9], case.train[1][:9], case.train[2][:9]), case.sizes),
        show_progress=False,
    )
    matrix = _matrix(case.train, case.sizes)
    model = _model(settings, iterations, seed)
    curve: list[dict[str, float]] = []
    clock = {"began": time.perf_counter(), "worked": time.process_time(), "wall": 0.0, "cpu": 0.0}

    def judged(*_: object) -> None:
        clock["wall"] += time.perf_counter() - clock["began"]
        clock["cpu"] += time.process_time() - clock["worked"]
        found = judge(model.user_factors, model.item_factors, case.seen, case.wanted)
        curve.append({**found, "fit_s": clock["wall"], "cpu_s": clock["cpu"]})
        clock["began"], clock["worked"] = time.perf_counter(), time.process_time()

    model.fit(matrix, show_progress=False, callback=judged)
    best = max(curve, key=lambda row: row["ndcg"])
    epochs = np.diff([0.0, *(row["fit_s"] for row in curve)])
    return {
        **{name: round(value, 6) for name, value in best.items()},
        "epoch_s": round(float(np.median(epochs)), 3),
        "epochs": curve.index(best) + 1,
    }


if __name__ == "__main__":
    sys.exit(main())
