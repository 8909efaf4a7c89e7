"""Whole training processes, over a folder laid out as SageMaker does."""

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
    probabilities_by_hand,
    run_python,
    run_train,
)

CURVE = "learning_curve.csv"
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

HYPERPARAMETERS = {
    "feature_dim": str(DIMENSION),
    "num_factors": "4",
    "predictor_type": "binary_classifier",
    "epochs": "25",
    "mini_batch_size": "100",
    "bias_lr": "0.01",
    "linear_lr": "0.01",
    "factors_lr": "0.01",
    "factors_init_sigma": "0.1",
}


def ratings(seed):
    """Pairs with a like that depends on the pair, not only on user and item: labels and columns."""
    generator = np.random.default_rng(seed)
    taste = np.random.default_rng(0)
    user_factors = taste.normal(size=(USERS, 2))
    item_factors = taste.normal(size=(ITEMS, 2))
    users = generator.integers(0, USERS, 3000)
    items = generator.integers(0, ITEMS, 3000)
    scores = 2 * (user_factors[users] * item_factors[items]).sum(axis=1)
    labels = generator.random(3000) < 1 / (1 + np.exp(-scores))
    return users, items + USERS, labels.astype(np.float32)


def classifier_files():
    users, items, labels = ratings(1)
    half = 1500
    return {
        "train/part-1": write_pairs(users[half:], items[half:], DIMENSION, labels[half:]),
        "train/part-0": write_pairs(users[:half], items[:half], DIMENSION, labels[:half]),
        "test/rows": write_pairs(*ratings(2)[:2], DIMENSION, ratings(2)[2]),
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One finished classifier job: its folder and its process."""
    root = tmp_path_factory.mktemp("trained")
    lay_out(root, HYPERPARAMETERS, classifier_files())
    process = run_train(root)
    assert process.returncode == 0, process.stdout + process.stderr
    return root, process


def test_the_model_has_learned_what_the_pairs_hide(trained):
    root, _ = trained
    machine = read_model_zip((root / "model/model_algo-1").read_bytes(), "model_algo-1")

    users, items, labels = ratings(2)
    right = (probabilities_by_hand(machine, users, items) >= 0.5) == (labels == 1)
    # No sum of a user's and an item's own weights gets far from one half on these.
    assert right.mean() > 0.7


def test_the_log_ends_with_the_test_metrics_of_the_written_model(trained):
    root, process = trained
    machine = read_model_zip((root / "model/model_algo-1").read_bytes(), "model_algo-1")

    found = dict(
        re.findall(r"#quality_metric: host=algo-1, test (\S+) <\w+>=(\S+)", process.stdout)
    )

    users, items, labels = ratings(2)
    p = probabilities_by_hand(machine, users, items)
    liked, likes = p >= 0.5, labels == 1
    loss = -np.mean(np.where(likes, np.log(p), np.log1p(-p)))
    f1 = 2 * (liked & likes).sum() / (liked.sum() + likes.sum())
    assert set(found) == {
        "binary_classification_accuracy",
        "binary_classification_cross_entropy",
        "binary_f_1.000",
    }
    assert float(found["binary_classification_accuracy"]) == pytest.approx((liked == likes).mean())
    assert float(found["binary_classification_cross_entropy"]) == pytest.approx(loss, rel=1e-6)
    assert float(found["binary_f_1.000"]) == pytest.approx(f1)


def test_the_log_tells_progress_and_loss_of_every_epoch(trained):
    _, process = trained

    progress = re.findall(
        r"^\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] "
        r"#progress_metric: host=algo-1, completed (\S+) % of epochs$",
        process.stdout,
        re.MULTILINE,
    )
    losses = re.findall(
        r"#quality_metric: host=algo-1, epoch=(\d+), "
        r"train binary_classification_cross_entropy <loss>=(\S+)",
        process.stdout,
    )
    assert progress == [f"{4 * n:.1f}" for n in range(1, 26)]
    assert [int(epoch) for epoch, _ in losses] == list(range(25))
    assert float(losses[-1][1]) < float(losses[0][1])


def test_the_same_job_writes_the_same_bytes(trained, tmp_path):
    root, _ = trained
    lay_out(tmp_path, HYPERPARAMETERS, classifier_files())

    run_train(tmp_path)

    again = (tmp_path / "model/model_algo-1").read_bytes()
    assert again == (root / "model/model_algo-1").read_bytes()
    names = [CURVE, "model_algo-1"]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == names


GIBBS = {
    "feature_dim": str(DIMENSION),
    "num_factors": "4",
    "predictor_type": "binary_classifier",
    "solver": "gibbs",
    "draws": "30",
    "burn_in": "20",
    "draw_factors": "2",
    "implicit_features": "true",
}


def test_a_job_that_samples_writes_a_plain_model_and_its_learning_curve(tmp_path):
    lay_out(tmp_path, GIBBS, classifier_files())

    process = run_train(tmp_path)

    assert process.returncode == 0, process.stdout + process.stderr
    machine = read_model_zip((tmp_path / "model/model_algo-1").read_bytes(), "model_algo-1")
    users, items, labels = ratings(2)
    chances = probabilities_by_hand(machine, users, items)
    assert ((chances >= 0.5) == (labels == 1)).mean() > 0.7
    assert machine.rank == 4
    header, *lines = (tmp_path / "model" / CURVE).read_text().splitlines()
    assert header == (
        "epoch,binary_classification_accuracy,binary_classification_cross_entropy,binary_f_1.000"
    )
    told = re.findall(
        r"epoch=(\d+), train binary_classification_cross_entropy <loss>=(\S+)", process.stdout
    )
    assert [(line.split(",")[0], line.split(",")[2]) for line in lines] == told
    assert told[-1][0] == "49"
    assert "completed 100.0 % of epochs" in process.stdout


@pytest.mark.parametrize("solver", ["adam", "gibbs"])
def test_the_same_seed_writes_the_same_bytes_on_one_and_on_two_threads(tmp_path, solver):
    # As large as MovieLens-100K: what is too small is never shared out among threads.
    generator = np.random.default_rng(4)
    users, items = generator.integers(0, 943, 90_570), generator.integers(0, 1682, 90_570)
    labels = (generator.random(90_570) < 0.55).astype(np.float32)
    files = {"train/all": write_pairs(users, items + 943, 2625, labels)}
    sizes = {"num_factors": "16", "feature_dim": "2625", "seed": "3"}
    short = {"epochs": "2", "draws": "3", "burn_in": "2", "draw_factors": "12"}
    given = {**GIBBS, **sizes, **short, "solver": solver}
    pieces = []
    for threads in ("1", "2"):
        root = tmp_path / threads
        lay_out(root, given, files)
        process = run_train(root, processors=int(threads), **dict.fromkeys(THREADS, threads))
        assert process.returncode == 0, process.stdout + process.stderr
        with zipfile.ZipFile(root / "model/model_algo-1") as archive:
            pieces.append((archive.read("params"), (root / "model" / CURVE).read_bytes()))

    assert pieces[0] == pieces[1]
    assert len(pieces[0][0]) > 4 * 2625 * 17


def test_a_regressor_on_stars_tells_how_ratings_become_likes(tmp_path):
    users, items, likes = ratings(1)
    stars = likes * 2 + 2 + (np.random.default_rng(5).random(likes.size) < 0.5)
    data = write_pairs(users, items, DIMENSION, stars.astype(np.float32))
    settings = {**GIBBS, "predictor_type": "regressor", "like_threshold": "4"}
    lay_out(tmp_path, settings, {"train/rows": data, "test/rows": data})

    process = run_train(tmp_path)

    assert process.returncode == 0, process.stdout + process.stderr
    found = dict(re.findall(r", test (\S+) <\w+>=(\S+)", process.stdout))
    assert float(found["rmse"]) < stars.std()
    assert float(found["binary_classification_accuracy"]) > 0.7
    with zipfile.ZipFile(tmp_path / "model/model_algo-1") as archive:
        told = json.loads(archive.read("meta.json"))["training_parameters"]
    link = re.search(r"log-odds of a like are (\S+) \* rating \+ (\S+)", process.stdout)
    assert float(told["like_scale"]) == pytest.approx(float(link[1]), rel=1e-5)
    assert float(told["like_shift"]) == pytest.approx(float(link[2]), rel=1e-5)


def test_a_regressor_learns_rows_of_many_features_and_logs_its_rmse(tmp_path):
    generator = np.random.default_rng(4)
    columns = np.sort(np.argsort(generator.random((2000, DIMENSION)), axis=1)[:, :5], axis=1)
    weights = generator.normal(size=DIMENSION)
    labels = (3 + weights[columns].sum(axis=1)).astype(np.float32)
    rows = FeatureRows(
        np.arange(0, 10001, 5), columns.ravel(), np.ones(10000, np.float32), DIMENSION
    )
    data = write_rows(rows, labels)
    settings = {
        **HYPERPARAMETERS,
        "predictor_type": "regressor",
        "linear_lr": "0.05",
        "linear_wd": "0",
        "bias_wd": "0",
    }
    lay_out(tmp_path, settings, {"train/rows": data, "test/rows": data})

    process = run_train(tmp_path)

    assert process.returncode == 0, process.stdout + process.stderr
    (rmse,) = re.findall(r"#quality_metric: host=algo-1, test rmse <loss>=(\S+)", process.stdout)
    assert float(rmse) < 0.2 * labels.std()


def failure_of(root):
    process = run_train(root)
    assert process.returncode == 1
    assert list((root / "model").iterdir()) == []
    return (root / "output/failure").read_text()


def test_wrong_hyperparameters_are_the_clients_error_told_at_once(tmp_path):
    lay_out(tmp_path, {**HYPERPARAMETERS, "epochs": "0", "batch": "3"}, classifier_files())

    found = failure_of(tmp_path)

    assert found.startswith("ClientError: hyperparameters: batch is unknown")
    assert "; epochs is '0', expected an integer from 1 to 10000" in found


def test_data_of_another_dimension_are_the_clients_error(tmp_path):
    lay_out(tmp_path, {**HYPERPARAMETERS, "feature_dim": "81"}, classifier_files())

    assert failure_of(tmp_path) == (
        "ClientError: channel train, part-0: rows have 80 columns, but feature_dim is 81"
    )


def test_diverging_training_is_the_clients_error(tmp_path):
    users, items, _ = ratings(1)
    data = write_pairs(users, items, DIMENSION, np.full(users.size, 1e30, np.float32))
    settings = {**HYPERPARAMETERS, "predictor_type": "regressor"}
    lay_out(tmp_path, settings, {"train/rows": data})

    assert failure_of(tmp_path).startswith("ClientError: training diverged in epoch 0")


def test_several_instances_are_refused(tmp_path):
    lay_out(tmp_path, HYPERPARAMETERS, classifier_files())
    (tmp_path / "input/config/resourceconfig.json").write_text(
        json.dumps({"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]})
    )

    assert "ClientError: resources: 2 instances" in failure_of(tmp_path)


def test_a_fault_that_is_not_the_clients_is_told_apart(tmp_path):
    lay_out(tmp_path, HYPERPARAMETERS, classifier_files())
    (tmp_path / "model").rmdir()
    (tmp_path / "model").write_text("in the way")

    process = run_train(tmp_path)

    assert process.returncode == 1
    assert (tmp_path / "output/failure").read_text().startswith("InternalServerError: ")


def test_sigterm_stops_training_without_model_or_failure(tmp_path):
    lay_out(tmp_path, {**HYPERPARAMETERS, "epochs": "10000"}, classifier_files())
    assert_sigterm_stops_training(tmp_path, "#progress_metric")


def test_the_image_entry_point_knows_train_and_serve_only():
    process = run_python("-m", "factorization_machines", "evaluate", seconds=30)

    assert process.returncode == 2
    assert "train|serve" in process.stderr
