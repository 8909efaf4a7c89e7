"""Choose the settings of the richest rows on folds of ``ua.base``; ``ua.test`` is never opened.

``python -m bench.train.folds`` prints a row for each setting and fold, a table of the means, and
the setting that the rule picks; its last line is one JSON object. The rule, written before the run:

    of all settings whose mean log-loss over the folds is within 0.0003 of the best one's, take
    that of the smallest cost: the mean processor seconds of its fits.

A fold holds a tenth of every user's ratings, in an order drawn once; the first folds of the ten
are used, each with its own number as the seed. Implicit features come from the other nine tenths.
"""

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
from factorization_machines.solve import solve
from recommender.model.machine import predict

from bench.movielens import Ratings, read_ratings, rows_of
from bench.train.figures import quality
from bench.train.own import settings_of, warm
from bench.train.settings import RICH
from local.client.movielens import obtain

TENTHS = 10
NEAR = 0.0003
_ORDER_SEED = 20_261_122

Setting = dict[str, str]
Score = dict[str, float]


def main() -> int:
    """Fit every setting to every fold; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("build/data/ml-100k"))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--chains", default="1,2,4")
    parser.add_argument("--draws", default="160,200,300")
    parser.add_argument("--draw-factors", default="8,12")
    parser.add_argument("--burn-in", default="30")
    options = parser.parse_args()
    data = obtain(options.data)
    ratings = read_ratings(data.train)
    tenth_of = divide(ratings)
    warm()  # compiling is nobody's cost
    table: list[dict[str, object]] = []
    names = ("chains", "draws", "draw_factors", "burn_in")
    for values in itertools.product(*(vars(options)[name].split(",") for name in names)):
        setting = dict(zip(names, values, strict=True))
        scores = []
        for fold in range(options.folds):
            scores.append(_fit(options.data, ratings, tenth_of == fold, fold, {**RICH, **setting}))
            _say(setting, f"fold {fold}", scores[-1])
        mean = {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}
        _say(setting, "mean", mean)
        table.append({**setting, **mean})
    chosen = choose(table)
    _say({name: str(chosen[name]) for name in setting}, "chosen", {n: chosen[n] for n in mean})
    sys.stdout.write(json.dumps({"table": table, "chosen": chosen}) + "\n")
    return 0


def divide(ratings: Ratings) -> np.ndarray:
    """Give each rating the number of its tenth, every user's ratings evenly.

    Returns:
        ``(n,)`` numbers from 0 to 9.
    """
    order = np.random.default_rng(_ORDER_SEED).permutation(ratings.users.size)
    order = order[np.argsort(ratings.users[order], kind="stable")]
    users = ratings.users[order]
    begins = np.flatnonzero(np.concatenate([[True], users[1:] != users[:-1]]))
    place = np.arange(users.size) - np.repeat(begins, np.diff(np.append(begins, users.size)))
    tenths = np.empty(users.size, np.int64)
    # Shifted by the user, so that the odd ratings of all do not fall into the first tenths.
    tenths[order] = (place + users) % TENTHS
    return tenths


def choose(table: list[dict[str, object]]) -> dict[str, object]:
    """Apply the rule of the module to rows that have ``log_loss`` and ``fit_s``."""
    best = min(float(str(row["log_loss"])) for row in table)
    near = [row for row in table if float(str(row["log_loss"])) <= best + NEAR]
    return min(near, key=lambda row: float(str(row["fit_s"])))


def _fit(folder: Path, ratings: Ratings, out: np.ndarray, seed: int, given: Setting) -> Score:
    parts = [Ratings(ratings.users[m], ratings.items[m], ratings.stars[m]) for m in (~out, out)]
    (rows, sizes), (test_rows, _) = (rows_of(part, folder, rich=True) for part in parts)
    labels, likes = parts[0].likes.astype(np.float32), parts[1].likes
    settings = settings_of(rows, sizes, seed, given)
    began = time.process_time()
    machine = solve(rows, labels, settings, lambda _: None, lambda _: None).machine
    seconds = time.process_time() - began
    return {**quality(likes, predict(test_rows, machine)), "fit_s": seconds}


def _say(setting: Setting, what: str, score: dict[str, object] | Score) -> None:
    names = "  ".join(f"{name} {value:>3}" for name, value in setting.items())
    figures = "  ".join(f"{name} {value:.5f}" for name, value in score.items())
    sys.stdout.write(f"{names}  {what:7}  {figures}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
