"""One figure of Matinee's own lists, in a process of its own: see `bench.rank.__main__`."""

import json
import sys
import time
from pathlib import Path

import numpy as np
from factorization_machines.als.observed import observe
from factorization_machines.als.solver import Settings, Solver
from factorization_machines.als.threads import Threads
from factorization_machines.solve import solve
from recommender.features import FeatureRows
from recommender.hyperparameters.parsing import parse_hyperparameters
from recommender.model.objective import ImplicitObjective

from bench.processes import peak_mb
from bench.rank.cases import Case, Pairs, read
from bench.rank.judging import judge

_EASE_LAMBDA = 200.0  # untuned: the first that its author would try on so few ratings
_EPOCHS = 5


def main() -> int:
    """Do the task given as JSON, and print its row as JSON."""
    task = json.loads(sys.argv[1])
    method, seed = str(task["method"]), int(task.get("seed", 0))
    case = read(str(task["case"]), Path(task["data"]), Path(task["synthetic"]), seed)
    if method == "popularity":
        found = _popularity(case)
    elif method == "ease":
        found = _ease(case)
    elif method == "als":
        found = _als(case, seed, dict(task.get("settings", {})))
    else:
        found = _sweeps(case, dict(task["settings"]), task.get("target"))
    found["peak_mb"] = peak_mb()
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def warm() -> None:
    """Have everything compiled that tasks use."""
    users, items = np.divmod(np.arange(200), 20)
    case = Case((users, items, np.ones(200, np.float32)), None, (users, items), (10, 20), 0.0)
    _als(case, 0, {"sweeps": "1"})


def _popularity(case: Case) -> dict[str, object]:
    liked = case.train[2] >= np.float32(case.threshold)
    counts = np.bincount(case.train[1][liked], minlength=case.sizes[1])
    return {**judge(np.ones((case.sizes[0], 1)), counts[:, None], case.seen, case.wanted)}


def _ease(case: Case) -> dict[str, object]:
    """Steck, *Embarrassingly shallow autoencoders for sparse data*, WWW 2019."""
    table = np.zeros(case.sizes)
    table[case.train[0], case.train[1]] = case.train[2]
    began, worked = time.perf_counter(), time.process_time()
    inverse = np.linalg.inv(table.T @ table + _EASE_LAMBDA * np.eye(case.sizes[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    spent = _spent(began, worked)
    if case.given is not None:
        table[case.given[0], case.given[1]] = case.given[2]
    return {**judge(table @ weights, np.eye(case.sizes[1]), case.seen, case.wanted), **spent}


def _als(case: Case, seed: int, given: dict[str, str]) -> dict[str, object]:
    """The default settings, search and all, from rows to the machine that would be served."""
    users, items, weights = case.train
    rows = FeatureRows.pairs(users, items + case.sizes[0], sum(case.sizes))
    settings = parse_hyperparameters(
        {
            "solver": "als",
            "predictor_type": "regressor",
            "feature_dim": str(sum(case.sizes)),
            "field_sizes": f"{case.sizes[0]},{case.sizes[1]}",
            "hit_threshold": str(case.threshold),
            "seed": str(seed),
            **given,
        }
    )
    began, worked = time.perf_counter(), time.process_time()
    fitted = solve(rows, weights, settings, _quietly, _quietly)
    spent = _spent(began, worked)
    factors = fitted.machine.factors
    user_factors, item_factors = factors[: case.sizes[0]].copy(), factors[case.sizes[0] :]
    if case.given is not None and fitted.machine.objective is not None:
        _fold_in(case.given, user_factors, item_factors, fitted.machine.objective)
    found = judge(user_factors, item_factors, case.seen, case.wanted)
    return {**found, **spent, "chosen": dict(fitted.chosen)}


def _fold_in(
    given: Pairs, user_factors: np.ndarray, item_factors: np.ndarray, objective: ImplicitObjective
) -> None:
    """Give every user of the pairs the vector that minimises the loss, as training would."""
    table = item_factors.astype(np.float64)
    every = objective.unobserved_weight * table.T @ table
    for user in np.unique(given[0]):
        own = given[0] == user
        rated, weights = table[given[1][own]], given[2][own].astype(np.float64)
        matrix = every + (rated * weights[:, None]).T @ rated
        matrix[np.diag_indices(len(matrix))] += objective.penalty(weights.size, len(table))
        user_factors[user] = np.linalg.solve(matrix, rated.T @ weights)


def _sweeps(case: Case, given: dict[str, str], target: float | None) -> dict[str, object]:
    """Sweep until the lists reach a target; without one, tell how long a sweep takes.

    The clock begins before the pairs are sorted, and stands while lists are judged.
    """
    warm()
    objective = ImplicitObjective(
        float(given["unobserved_weight"]), float(given["regularization"]), 1.0
    )
    settings = Settings(int(given["num_factors"]), objective, 0.3, 0)
    users, items = case.train[0].astype(np.int32), case.train[1].astype(np.int32)
    began, worked = time.perf_counter(), time.process_time()
    seconds, cpu, sweeps, found = 0.0, 0.0, [], {}
    with Threads() as threads:
        observed = observe(users, items, case.train[2], case.sizes)
        solver = Solver(observed, settings, threads)
        for _ in range(_EPOCHS if target is None else 4 * _EPOCHS):
            before = time.perf_counter()
            solver.sweep()
            sweeps.append(time.perf_counter() - before)
            seconds += time.perf_counter() - began
            cpu += time.process_time() - worked
            if target is not None:
                found = judge(*solver.factors, case.seen, case.wanted)
                if found["ndcg"] >= target:
                    break
            began, worked = time.perf_counter(), time.process_time()
    reached = target is None or found["ndcg"] >= target
    return {
        **found,
        "fit_s": round(seconds, 3) if reached else None,
        "cpu_s": round(cpu, 3) if reached else None,
        "epoch_s": round(float(np.median(sweeps)), 3),
        "epochs": len(sweeps),
    }


def _spent(began: float, worked: float) -> dict[str, float]:
    return {
        "fit_s": round(time.perf_counter() - began, 3),
        "cpu_s": round(time.process_time() - worked, 3),
    }


def _quietly(_told: object) -> None:
    pass


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main())
    warm()
    sys.stdout.write("{}\n")
