"""A run of so many ratings in an emulated S3, and its evaluation as the function does it."""

import json
import sys
import time
from collections.abc import Sequence

import numpy as np

from bench.long_tail import draw_pairs
from bench.processes import peak_mb

BUCKET, CATALOG = "artifacts", "bench"
CHALLENGER, CHAMPION = "challenger", "champion"
_RANK = 64


def make_run(rows: int) -> None:
    """Write what a run of so many ratings leaves to its evaluation."""
    from recommender.aws import storage
    from recommender.aws.clients import s3
    from recommender.catalog.config import CatalogConfig
    from recommender.dataset.vocabulary import Vocabulary
    from recommender.model import factors
    from recommender.model.artifact import write_artifact
    from recommender.model.machine import FactorizationMachine
    from recommender.model.objective import ImplicitObjective
    from recommender.model.pair_model import split_machine
    from recommender.model_names import LIKE, RANKING
    from recommender.pipeline.pointers import Pointer
    from recommender.pipeline.run_files import RunFiles, pointer_key
    from recommender.predictor_types import REGRESSOR

    s3().create_bucket(Bucket=BUCKET)
    rng = np.random.default_rng(11)
    names, numbers = zip(
        *(np.unique(ids, return_inverse=True) for ids in draw_pairs(rng, rows, in_order=True)),
        strict=True,
    )
    users, items = (one.astype("<i4") for one in numbers)
    labels = (rng.random(rows) < 0.3 + 0.4 * (items % 97) / 97).astype("<f4")
    is_test = rng.random(rows) < 0.1
    columns = []
    for side, some in (("train", np.flatnonzero(~is_test)), ("test", np.flatnonzero(is_test))):
        sides = {
            "users": users[some],
            "items": items[some],
            "labels": labels[some],
            "weights": np.where(labels[some] == 1, 1.0, 0.4).astype("f4"),
            "likes": labels[some] == 1,
        }
        columns += [
            storage.Column(f"{side}_{name}", column.dtype.str, column.size, [column])
            for name, column in sides.items()
        ]
    vocabulary = Vocabulary(*(tuple(map(str, one.tolist())) for one in names))
    machines = {
        run: FactorizationMachine(
            0.1,
            rng.normal(0, 0.1, vocabulary.dimension).astype("f4"),
            rng.normal(0, 0.05, (vocabulary.dimension, _RANK)).astype("f4"),
        )
        for run in (CHALLENGER, CHAMPION)
    }
    ranking = FactorizationMachine(
        0.0,
        np.zeros(vocabulary.dimension, "f4"),
        rng.normal(0, 0.1, (vocabulary.dimension, _RANK)).astype("f4"),
        REGRESSOR,
        objective=ImplicitObjective(0.1, 0.01, 1.0),
    )
    files = RunFiles(CATALOG, CHALLENGER)
    storage.write_columns(BUCKET, files.pairs, columns)
    storage.write(BUCKET, files.vocabulary, vocabulary.to_json(), "application/json")
    archive = write_artifact(machines[CHALLENGER], {})
    storage.write(BUCKET, files.model + "model.tar.gz", archive, "application/gzip")
    archive = write_artifact(ranking, {})
    storage.write(BUCKET, files.model + "ranking.tar.gz", archive, "application/gzip")
    models: dict[str, dict[str, str]] = {LIKE: {}, RANKING: {}}
    plan = {"image": "", "models": models, "config": CatalogConfig().to_dict(), "counts": {}}
    storage.write_json(BUCKET, files.plan, plan)
    serving = RunFiles(CATALOG, CHAMPION)
    model = split_machine(machines[CHAMPION], len(vocabulary.users), len(vocabulary.items))
    storage.write_arrays(BUCKET, serving.factors, factors.to_arrays(model))
    storage.write(BUCKET, serving.vocabulary, vocabulary.to_json(), "application/json")
    served = split_machine(ranking, len(vocabulary.users), len(vocabulary.items))
    storage.write_arrays(BUCKET, serving.ranking_factors, factors.to_arrays(served))
    pointer = Pointer(CATALOG, CHAMPION, "", like=CHAMPION, ranking=CHAMPION)
    storage.write_json(BUCKET, pointer_key(CATALOG), pointer.to_dict())


def evaluate_run() -> dict[str, object]:
    """Evaluate it as the function does."""
    from recommender.aws import storage
    from recommender.model_names import LIKE, RANKING
    from recommender.pipeline.run_files import RunFiles
    from recommender.steps import evaluations
    from recommender.steps.plans import read_plan

    files = RunFiles(CATALOG, CHALLENGER)
    before = peak_mb()
    begun = time.perf_counter()
    trainings = [
        {"model": model, "trained": {"modelUri": storage.uri(BUCKET, files.model + archive)}}
        for model, archive in ((LIKE, "model.tar.gz"), (RANKING, "ranking.tar.gz"))
    ]
    evaluations.evaluate(BUCKET, files, read_plan(BUCKET, files), trainings)
    seconds = time.perf_counter() - begun
    figures = storage.read_json(BUCKET, files.metrics)
    return {
        "seconds": round(seconds, 2),
        "peak_mb": peak_mb(),
        "imported_mb": before,
        "metrics": figures,
    }


def main(arguments: Sequence[str]) -> int:
    """Do one part of the measurement in this process: ``make`` the run, or ``evaluate`` it."""
    if arguments[0] == "make":
        make_run(int(arguments[1]))
    else:
        print(json.dumps(evaluate_run()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
