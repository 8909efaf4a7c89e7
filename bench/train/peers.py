"""One figure of a peer's training, in a process of its own: see `bench.train.__main__`.

Peers: myFM's Gibbs sampler (rank 8, the mean of all its draws' answers) on every case, and torch
with a mini-batch Adam on ids. Not a line of Matinee's arithmetic is used here but the metrics.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from recommender.evaluation.metrics import regression_metrics
from recommender.features import FeatureRows

from bench.movielens import (
    ITEMS,
    LIKED,
    USERS,
    Ratings,
    group_sizes,
    read_ratings,
    side_features,
)
from bench.processes import peak_mb
from bench.train import synthetic
from bench.train.figures import quality

RANK = 8


def main() -> int:
    """Do the task given as JSON, and print its row as JSON."""
    task = json.loads(sys.argv[1])
    case, solver = str(task["case"]), str(task["solver"])
    if case.startswith("scale-"):
        found = _torch_epoch(int(case.split("-")[1]))
    elif solver == "torch":
        found = _torch(Path(task["data"]), int(task["seed"]))
    elif "target" in task:
        found = _myfm_race(Path(task["data"]), int(task["seed"]), float(task["target"]))
    elif case == "ids-binary":
        found = _myfm(Path(task["data"]), int(task["seed"]))
    else:
        found = _myfm_rich(Path(task["data"]), int(task["seed"]), stars=case == "rich-stars")
    found["peak_mb"] = peak_mb()
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _data(folder: Path):
    from scipy import sparse

    found = []
    for name in ("ua.base", "ua.test"):
        ratings = read_ratings(folder / name)
        count = ratings.users.size
        columns = np.column_stack([ratings.users, ratings.items + USERS]).ravel()
        matrix = sparse.csr_matrix(
            (np.ones(2 * count), columns, np.arange(0, 2 * count + 1, 2)), (count, USERS + ITEMS)
        )
        found.append((matrix, ratings, ratings.likes))
    return found


def _myfm(folder: Path, seed: int) -> dict[str, object]:
    import myfm

    (train, _, labels), (test, _, likes) = _data(folder)
    began = time.process_time()
    model = myfm.MyFMClassifier(rank=RANK, random_seed=seed)
    model.fit(train, labels, n_iter=250, n_kept_samples=200, group_shapes=[USERS, ITEMS])
    seconds = round(time.process_time() - began, 3)
    return {**quality(likes, model.predict_proba(test)), "fit_s": seconds}


def _myfm_rich(folder: Path, seed: int, *, stars: bool) -> dict[str, object]:
    """Give myFM demographics, genres, years, and who rated what, in its relation blocks.

    On stars: its ordered probit, whose levels' chances are a rating and a chance of a like.
    """
    import myfm
    from scipy import sparse

    train, test = (read_ratings(folder / name) for name in ("ua.base", "ua.test"))
    side = side_features(folder)
    rated = sparse.csr_matrix(
        (np.ones(train.users.size), (train.users, train.items)), (USERS, ITEMS)
    )
    described = (_described(side.users, rated), _described(side.items, rated.T.tocsr()))

    def blocks(ratings: Ratings) -> list[object]:
        entities = (ratings.users, ratings.items)
        return [myfm.RelationBlock(*pair) for pair in zip(entities, described, strict=True)]

    user_groups, item_groups = (group_sizes(side, noun) for noun in ("user", "item"))
    shapes = [USERS, *user_groups, ITEMS, ITEMS, *item_groups, USERS]
    likes = test.likes
    nothing = [sparse.csr_matrix((part.users.size, 0)) for part in (train, test)]
    began = time.process_time()
    model = (myfm.MyFMOrderedProbit if stars else myfm.MyFMClassifier)(rank=RANK, random_seed=seed)
    labels = train.stars.astype(int) - 1 if stars else train.likes
    given = {"n_iter": 250, "n_kept_samples": 200, "group_shapes": shapes}
    model.fit(nothing[0], labels, X_rel=blocks(train), **given)
    seconds = round(time.process_time() - began, 3)
    chances = model.predict_proba(nothing[1], X_rel=blocks(test))
    if not stars:
        return {**quality(likes, chances), "fit_s": seconds}
    rmse = regression_metrics(test.stars, chances @ np.arange(1.0, 6.0)).rmse
    liked = chances[:, LIKED - 1 :].sum(axis=1)
    return {**quality(likes, liked), "rmse": rmse, "fit_s": seconds}


def _described(features: FeatureRows, rated):
    """One row an entity: itself, its side features, and its counterparts by 1 / sqrt(how many)."""
    from scipy import sparse

    count, shape = len(features), (len(features), features.dimension)
    side = sparse.csr_matrix((features.values, features.columns, features.offsets), shape)
    own = side[:, np.unique(features.columns)]  # of all features, those of this side
    others = np.maximum(np.asarray(rated.sum(axis=1)).ravel(), 1)
    implicit = sparse.diags(1 / np.sqrt(others)) @ rated
    return sparse.hstack([sparse.identity(count), own, implicit]).tocsr()


def _myfm_race(folder: Path, seed: int, target: float) -> dict[str, object]:
    """Sample until the mean probability of all draws after the first twenty reaches a log-loss.

    The clock stands while the test set is scored.
    """
    import myfm

    (train, _, labels), (test, _, likes) = _data(folder)
    total = np.zeros(likes.size)
    state = {"draws": 0, "paused": 0.0, "began": time.process_time(), "found": None, "loss": None}

    def look(sweep, machine, _hyper, _history):
        paused = time.process_time()
        if sweep >= 20:
            total[:] += _normal_cdf(np.asarray(machine.predict_score(test, [])))
            state["draws"] += 1
            loss = quality(likes, total / state["draws"])["log_loss"]
            state["loss"] = loss
            if loss <= target and state["found"] is None:
                state["found"] = paused - state["began"] - state["paused"]
        state["paused"] += time.process_time() - paused
        return (state["found"] is not None), ""

    model = myfm.MyFMGibbsClassifier(rank=RANK, random_seed=seed)
    model.fit(
        train,
        labels,
        n_iter=400,
        n_kept_samples=1,
        group_shapes=[USERS, ITEMS],
        callback=look,
    )
    seconds = None if state["found"] is None else round(state["found"], 3)
    return {"log_loss": state["loss"], "fit_s": seconds, "sweeps": 20 + state["draws"]}


def _normal_cdf(scores):
    from scipy.special import ndtr

    return ndtr(scores)


def _torch(folder: Path, seed: int) -> dict[str, object]:
    """Dense Adam with 16 factors, rates and epochs as suited a fold of the train set best."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    (_, train, labels), (_, test, likes) = _data(folder)
    model = _machine(USERS + ITEMS, 16, sparse=False)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.003, weight_decay=3e-5)
    columns = torch.tensor(np.column_stack([train.users, train.items + USERS]))
    wanted = torch.tensor(labels.astype(np.float32))
    began = time.process_time()
    for _ in range(12):
        for batch in torch.randperm(len(wanted)).split(1000):
            optimiser.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                model(columns[batch]), wanted[batch]
            )
            loss.backward()
            optimiser.step()
    seconds = round(time.process_time() - began, 3)
    with torch.no_grad():
        scores = model(torch.tensor(np.column_stack([test.users, test.items + USERS])))
    return {**quality(likes, torch.sigmoid(scores).numpy()), "fit_s": seconds}


def _machine(dimension: int, rank: int, *, sparse: bool):
    import torch

    class Machine(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(1))
            self.linear = torch.nn.Embedding(dimension, 1, sparse=sparse)
            self.factors = torch.nn.Embedding(dimension, rank, sparse=sparse)
            torch.nn.init.normal_(self.linear.weight, std=0.01)
            torch.nn.init.normal_(self.factors.weight, std=0.03)

        def forward(self, columns):
            factors = self.factors(columns)
            return (
                self.bias
                + self.linear(columns).sum(dim=(1, 2))
                + (factors[:, 0] * factors[:, 1]).sum(dim=1)
            )

    return Machine()


def _torch_epoch(count: int) -> dict[str, object]:
    """One epoch of SparseAdam at 64 factors over the rows of `synthetic`."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    users, items, labels = synthetic.draw(count)
    columns = torch.tensor(np.column_stack([users, items]))
    wanted = torch.tensor(labels)
    model = _machine(synthetic.USERS + synthetic.ITEMS, 64, sparse=True)
    tables = torch.optim.SparseAdam([model.linear.weight, model.factors.weight], lr=1e-3)
    bias = torch.optim.Adam([model.bias], lr=1e-3)
    began = time.process_time()
    for batch in torch.randperm(count).split(1000):
        tables.zero_grad()
        bias.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            model(columns[batch]), wanted[batch]
        )
        loss.backward()
        tables.step()
        bias.step()
    return {"fit_s": round(time.process_time() - began, 3)}


if __name__ == "__main__":
    sys.exit(main())
