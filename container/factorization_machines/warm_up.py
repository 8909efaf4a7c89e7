"""Compile all that training uses, once: ``python -m factorization_machines.warm_up FOLDER``.

Every job begins in a fresh container, so the image brings its compiled code along. It is made by
small jobs that train in every way there is, from files as SageMaker lays them out, so that what is
compiled has exactly the types of a real job.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from recommender.features import FeatureRows, Float32s
from recommender.recordio.writing import write_rows

from factorization_machines.compiled.cache import use_portable_code
from factorization_machines.job.train import train
from factorization_machines.process.paths import Paths

_USERS, _ITEMS, _GENRES = 12, 15, 4
_ROWS = 240
_DIMENSION = _USERS + _ITEMS + _GENRES

_COMMON = {"feature_dim": str(_DIMENSION), "num_factors": "4", "epochs": "2"}
_CLASSIFIER = {**_COMMON, "predictor_type": "binary_classifier"}
_REGRESSOR = {**_COMMON, "predictor_type": "regressor"}
_GIBBS = {"solver": "gibbs", "draws": "3", "burn_in": "2", "draw_factors": "2"}
_IMPLICIT = {"implicit_features": "true"}
_ALS = {
    **_REGRESSOR,
    "solver": "als",
    "field_sizes": f"{_USERS},{_ITEMS},{_GENRES}",
    "feature_strength": "1",
}
_LIKES = {"like_threshold": "4"}

# Hyperparameters, kind of rows, kind of labels.
JOBS: Mapping[str, tuple[Mapping[str, str], str, str]] = {
    "adam-classifier": (_CLASSIFIER, "pairs", "likes"),
    "adam-classifier-of-stars": ({**_CLASSIFIER, **_LIKES}, "pairs", "stars"),
    "adam-regressor": ({**_REGRESSOR, "holdout_fraction": "0.2"}, "mixed", "stars"),
    "gibbs-classifier": ({**_CLASSIFIER, **_GIBBS}, "pairs", "likes"),
    "gibbs-classifier-of-stars": (
        {**_CLASSIFIER, **_GIBBS, **_IMPLICIT, **_LIKES},
        "described",
        "stars",
    ),
    "gibbs-regressor": ({**_REGRESSOR, **_GIBBS, **_IMPLICIT}, "pairs", "real"),
    "gibbs-regressor-with-likes": ({**_REGRESSOR, **_GIBBS, **_LIKES}, "described", "stars"),
    "gibbs-regressor-of-real-numbers-with-likes": (
        {**_REGRESSOR, **_GIBBS, **_LIKES},
        "described",
        "real",
    ),
    "als-ids": (_ALS, "pairs", "likes"),
    "als-described": (_ALS, "described", "stars"),
    "gibbs-mixed-classifier": ({**_CLASSIFIER, **_GIBBS}, "mixed", "likes"),
    "gibbs-mixed-regressor": ({**_REGRESSOR, **_GIBBS}, "mixed", "real"),
}


def main(arguments: Sequence[str]) -> int:
    """Run every small job with the given folder as the compiler's own.

    Returns:
        The exit status; 0 also where this processor cannot run the portable code: an image without
        it works, and compiles at the start of each job.
    """
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m factorization_machines.warm_up FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    if not use_portable_code():
        sys.stderr.write(
            "this processor cannot run the code that is to be compiled: nothing is compiled now, "
            "and every job will begin with it; build on a machine of the target's kind\n"
        )
        return 0
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    for name in JOBS:
        with tempfile.TemporaryDirectory() as root:
            lay_out(Path(root), name)
            train(Paths(Path(root)))
    return 0


def lay_out(root: Path, job: str) -> None:
    """Write one of the small jobs as SageMaker lays it out.

    Args:
        root: an empty folder, in place of ``/opt/ml``.
        job: which of ``JOBS``.
    """
    hyperparameters, rows, labels = JOBS[job]
    config = root / "input/config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(dict(hyperparameters)))
    for seed, channel in enumerate(("train", "test")):
        generator = np.random.default_rng(seed)
        folder = root / "input/data" / channel
        folder.mkdir(parents=True)
        data = write_rows(_rows(rows, generator), _labels(labels, generator))
        (folder / "part-0").write_bytes(data)


def _rows(kind: str, generator: np.random.Generator) -> FeatureRows:
    users, items = generator.integers(0, _USERS, _ROWS), generator.integers(0, _ITEMS, _ROWS)
    if kind == "pairs":
        return FeatureRows.pairs(users, items + _USERS, _DIMENSION)
    # One genre of each item; "mixed" rows hold a number beside, which follows from neither side.
    columns = np.column_stack([users, items + _USERS, items % _GENRES + _USERS + _ITEMS])
    values = np.ones(columns.shape, np.float32)
    if kind == "mixed":
        values[:, 2] = generator.random(_ROWS)
    return FeatureRows(
        np.arange(0, columns.size + 1, 3), columns.ravel(), values.ravel(), _DIMENSION
    )


def _labels(kind: str, generator: np.random.Generator) -> Float32s:
    if kind == "likes":
        return generator.integers(0, 2, _ROWS).astype(np.float32)
    if kind == "stars":
        return generator.integers(1, 6, _ROWS).astype(np.float32)
    return generator.normal(3.5, 1.0, _ROWS).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
