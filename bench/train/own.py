"""One figure of Matinee's own training, in a process of its own: see `bench.train.__main__`."""

import json
import sys
import time
from pathlib import Path

import numpy as np
from factorization_machines.gibbs.pairs.sampler import score_plain
from factorization_machines.solve import solve
from recommender.evaluation.metrics import regression_metrics
from recommender.features import FeatureRows, Float32s
from recommender.hyperparameters.parsing import parse_hyperparameters
from recommender.model.machine import predict, sigmoid

from bench.movielens import read_ratings, rows_of
from bench.processes import peak_mb
from bench.train import synthetic
from bench.train.figures import quality

# Quickest to the same loss on folds of the training set, of 5, 8 and 12.
RACE_FACTORS = 5


def main() -> int:
    """Do the task given as JSON, and print its row as JSON."""
    task = json.loads(sys.argv[1])
    case = str(task["case"])
    if case == "warm":
        found = warm()
    elif case.startswith("scale-"):
        found = _scale(int(case.split("-")[1]), str(task["solver"]))
    elif "target" in task:
        found = _race(Path(task["data"]), int(task["seed"]), float(task["target"]))
    else:
        found = _fit(Path(task["data"]), case, int(task["seed"]), task["settings"])
    found["peak_mb"] = peak_mb()
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def settings_of(rows: FeatureRows, sizes: tuple[int, ...], seed: int, given: dict[str, str]):
    """Check the hyperparameters that are given, beside those that the rows ask for."""
    return parse_hyperparameters(
        {
            "feature_dim": str(rows.dimension),
            "predictor_type": "binary_classifier",
            "field_sizes": ",".join(map(str, sizes)),
            "seed": str(seed),
            **given,
        }
    )


def _quietly(_told: object) -> None:
    pass


def _fit(folder: Path, case: str, seed: int, given: dict[str, str]) -> dict[str, object]:
    train, test = read_ratings(folder / "ua.base"), read_ratings(folder / "ua.test")
    rich = case.startswith("rich")
    rows, sizes = rows_of(train, folder, rich=rich)
    test_rows, _ = rows_of(test, folder, rich=rich)
    labels = train.stars if case.endswith("stars") else train.likes.astype(np.float32)
    settings = settings_of(rows, sizes, seed, given)
    began = time.process_time()
    fitted = solve(rows, labels, settings, _quietly, _quietly)
    seconds = time.process_time() - began
    predictions = predict(test_rows, fitted.machine)
    found: dict[str, object] = {"fit_s": round(seconds, 3)}
    if fitted.like_link is not None:
        found["rmse"] = regression_metrics(test.stars, predictions).rmse
        predictions = fitted.like_link.probabilities(predictions)
    return {**quality(test.likes, predictions), **found}


def warm() -> dict[str, object]:
    """Compile all that the other tasks use."""
    generator = np.random.default_rng(0)
    users, items = np.divmod(np.arange(200), 20)
    rows = FeatureRows.pairs(users, items + 10, 30)
    labels = generator.integers(1, 6, 200).astype(np.float32)
    for given in (
        {"num_factors": "4", "like_threshold": "4"},
        {"num_factors": "4", "like_threshold": "4", "solver": "gibbs", "draws": "2"},
    ):
        for implicit in ("false", "true"):
            given["implicit_features"] = implicit
            solve(rows, labels, settings_of(rows, (10, 20), 0, given), _quietly, _quietly)
    return {}


def _race(folder: Path, seed: int, target: float) -> dict[str, object]:
    """Sample until the machine that would be served reaches a log-loss on the test set.

    The clock stands while the test set is scored, as it does for the peer. Compiled code is loaded
    beforehand, as the peer's is.
    """
    from factorization_machines.fields import find_pairs
    from factorization_machines.gibbs.likelihoods import OrderedProbit
    from factorization_machines.gibbs.pairs.sampler import PairSampler
    from factorization_machines.gibbs.randomness import random_state

    warm()
    train, test = read_ratings(folder / "ua.base"), read_ratings(folder / "ua.test")
    rows, sizes = rows_of(train, folder, rich=False)
    began = time.process_time()
    pairs = find_pairs(rows, sizes)
    if pairs is None:
        raise SystemExit("the rows are no pairs")
    generator, state = np.random.default_rng(seed), random_state(seed, 1)
    labels = train.likes.astype(np.float32)
    likelihood = OrderedProbit(labels, 1.0, state, generator)
    sampler = PairSampler(pairs, likelihood, RACE_FACTORS, 400, state, generator)
    spent = time.process_time() - began
    for sweep in range(400):
        began = time.process_time()
        sampler.sweep()
        if sweep >= 20:
            sampler.keep()
        spent += time.process_time() - began
        if sweep >= 24 and not sweep % 5:
            began = time.process_time()
            plain = sampler.collapse(16, classifies=True, seed=seed).plain
            last = time.process_time() - began
            chances = sigmoid(score_plain(plain, test.users, test.items))
            loss = quality(test.likes, chances)["log_loss"]
            if loss is not None and loss <= target:
                # One collapse belongs to the way there; the earlier ones only looked.
                return {"log_loss": loss, "fit_s": round(spent + last, 3), "sweeps": sweep + 1}
    return {"log_loss": loss, "fit_s": None}


def _scale(count: int, solver: str) -> dict[str, object]:
    """Time one epoch of Adam at 64 factors, or ten sweeps of the sampler at 8, per ratings."""
    rows, labels = _synthetic(count)
    given = {"num_factors": "64", "epochs": "1", "mini_batch_size": "1000"}
    sizes = (synthetic.USERS, synthetic.ITEMS)
    if solver == "gibbs":
        given = {"num_factors": "16", "solver": "gibbs", "draws": "5", "burn_in": "5"}
    solve(*_synthetic(1000), settings_of(rows, sizes, 0, given), _quietly, _quietly)
    before = peak_mb()
    began = time.process_time()
    solve(rows, labels, settings_of(rows, sizes, 0, given), _quietly, _quietly)
    seconds = round(time.process_time() - began, 3)
    return {"fit_s": seconds, "before_mb": before}


def _synthetic(count: int) -> tuple[FeatureRows, Float32s]:
    users, items, labels = synthetic.draw(count)
    return FeatureRows.pairs(users, items, synthetic.USERS + synthetic.ITEMS), labels


if __name__ == "__main__":
    sys.exit(main())
