"""Whole jobs of the solver ``als``, over a folder laid out as SageMaker does."""

import json
import re
import zipfile

import numpy as np
import pytest
from recommender.features import FeatureRows
from recommender.model.artifact import read_model_zip
from recommender.recordio.writing import write_pairs, write_rows

from testbed.image import (
    DIMENSION,
    ITEMS,
    USERS,
    assert_sigterm_stops_training,
    lay_out,
    run_train,
)
from testbed.numerics.ranking import best_vector

ALS = {
    "feature_dim": str(DIMENSION),
    "predictor_type": "regressor",
    "solver": "als",
    "field_sizes": f"{USERS},{ITEMS}",
    "num_factors": "4",
    "sweeps": "3",
}


def choices():
    """Pairs of users and items of one of three kinds, half of them held back."""
    generator = np.random.default_rng(6)
    likely = np.arange(USERS)[:, None] % 3 == np.arange(ITEMS) % 3
    users, items = np.nonzero(generator.random((USERS, ITEMS)) < np.where(likely, 0.8, 0.05))
    out = generator.random(users.size) < 0.3
    weights = generator.choice([0.4, 0.8, 1.0], users.size).astype(np.float32)
    return [(users[part], items[part], weights[part]) for part in (~out, out)]


def files():
    (users, items, weights), (test_users, test_items, test_weights) = choices()
    half = users.size // 2
    return {
        "train/part-0": write_pairs(users[:half], items[:half] + USERS, DIMENSION, weights[:half]),
        "train/part-1": write_pairs(users[half:], items[half:] + USERS, DIMENSION, weights[half:]),
        "test/rows": write_pairs(test_users, test_items + USERS, DIMENSION, test_weights),
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One finished job: its folder and its process."""
    root = tmp_path_factory.mktemp("ranked")
    lay_out(root, ALS, files())
    process = run_train(root)
    assert process.returncode == 0, process.stdout + process.stderr
    return root, process


def test_the_model_is_plain_tells_its_objective_and_finds_what_was_held_back(trained):
    root, _ = trained
    machine = read_model_zip((root / "model/model_algo-1").read_bytes(), "model_algo-1")
    (users, items, weights), (test_users, test_items, _) = choices()

    found = machine.factors[:USERS], machine.factors[USERS:]
    dense = np.zeros((USERS, ITEMS))
    dense[users, items] = weights
    expected = [best_vector(row, found[1], machine.objective) for row in dense]

    assert (machine.bias, machine.linear.any(), machine.predictor_type) == (0, False, "regressor")
    np.testing.assert_allclose(found[0], expected, atol=3e-6)
    scores = found[0] @ found[1].T
    unlikely = np.arange(USERS)[:, None] % 3 != np.arange(ITEMS) % 3
    assert scores[test_users, test_items].mean() > 2 * scores[unlikely].mean()


def test_the_log_tells_objective_and_lists_of_every_sweep_and_the_curve_holds_them(
    trained,
):
    root, process = trained

    told = {
        name: re.findall(rf"epoch=(\d+), {name} <\w+>=(\S+)", process.stdout)
        for name in ("validation ndcg", "train objective")
    }
    header, *lines = (root / "model/learning_curve.csv").read_text().splitlines()

    assert header == "epoch,objective,ndcg"
    columns = zip(told["train objective"], told["validation ndcg"], strict=True)
    assert lines == [f"{epoch},{loss},{ndcg}" for (epoch, loss), (_, ndcg) in columns]
    assert [epoch for epoch, _ in told["validation ndcg"]] == ["0", "1", "2"]
    assert "completed 100.0 % of epochs" in process.stdout
    found = dict(re.findall(r", test (\S+) <score>=(\S+)", process.stdout))
    assert set(found) == {"ndcg", "hit_rate"}
    assert 0.2 < float(found["ndcg"]) < float(found["hit_rate"]) <= 1


def test_the_log_and_the_model_tell_what_was_chosen(trained):
    root, process = trained
    with zipfile.ZipFile(root / "model/model_algo-1") as archive:
        told = json.loads(archive.read("meta.json"))["training_parameters"]

    pattern = r"als: chosen: 4 factors, unobserved_weight (\S+), regularization (\S+): held out"
    chosen = re.search(pattern, process.stdout)
    assert chosen.groups() == (told["unobserved_weight"], told["regularization"])
    assert told["fold_in_unobserved_weight"] == told["unobserved_weight"]
    assert told["num_factors"] == "4"


def test_the_same_seed_writes_the_same_bytes_on_one_and_on_two_processors(tmp_path):
    generator = np.random.default_rng(4)
    users = (943 * generator.random(60_000) ** 1.5).astype(np.int64)
    items = (1682 * generator.random(60_000) ** 2).astype(np.int64)
    data = {"train/all": write_pairs(users, items + 943, 2625, np.ones(60_000, np.float32))}
    given = {**ALS, "feature_dim": "2625", "field_sizes": "943,1682", "num_factors": "20"}
    pieces = []
    for count in (1, 2):
        root = tmp_path / str(count)
        lay_out(root, given, data)
        process = run_train(root, processors=count)
        assert process.returncode == 0, process.stdout + process.stderr
        model, curve = root / "model/model_algo-1", root / "model/learning_curve.csv"
        pieces.append((model.read_bytes(), curve.read_bytes()))

    assert pieces[0] == pieces[1]


def failure_of(root, settings, data):
    lay_out(root, {**ALS, **settings}, data)
    process = run_train(root)
    assert process.returncode == 1, process.stdout
    return (root / "output/failure").read_text()


@pytest.mark.parametrize("label", [-1.0, np.nan, np.inf])
def test_a_weight_below_zero_or_without_end_is_refused(tmp_path, label):
    (users, items, weights), _ = choices()
    weights[5] = label

    reason = failure_of(
        tmp_path, {}, {"train/rows": write_pairs(users, items + USERS, DIMENSION, weights)}
    )

    assert reason == (
        f"ClientError: channel train, rows: record 5: the label is {label:g}, but als takes "
        f"weights of 0 and above (1 such of {users.size})"
    )


def test_rows_that_are_no_pairs_are_refused(tmp_path):
    rows = FeatureRows(np.array([0, 3]), np.array([0, 1, 40]), np.ones(3, np.float32), DIMENSION)

    reason = failure_of(tmp_path, {}, {"train/rows": write_rows(rows, np.ones(1, np.float32))})

    assert reason == (
        "ClientError: channel train: als takes rows of one user and one item, and of what depends "
        "on either"
    )


def test_sigterm_stops_a_ranking_job_without_model_or_failure(tmp_path):
    lay_out(tmp_path, {**ALS, "sweeps": "10000"}, files())
    assert_sigterm_stops_training(tmp_path, "held out NDCG")
