"""Whole training and serving processes, over a folder laid out as SageMaker does."""

import contextlib
import http.client
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from recommender.artifact import read_model_zip, write_artifact, write_model_zip
from recommender.features import FeatureRows
from recommender.machine import FactorizationMachine
from recommender.recordio import read_predictions, write_pairs, write_rows

USERS, ITEMS, DIMENSION = 30, 50, 80
JSON, JSON_LINES = "application/json", "application/jsonlines"
RECORDIO = "application/x-recordio-protobuf"

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


def environment(root, **others):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "OPT_ML": str(root), **others}


# ---------------------------------------------------------------------------------------- train


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


def lay_out(root, hyperparameters, files):
    """Write a job's folder; ``files`` maps channel/name to bytes."""
    config = root / "input/config"
    config.mkdir(parents=True)
    (root / "model").mkdir()
    (root / "output").mkdir()
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "resourceconfig.json").write_text(
        json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]})
    )
    channel = {"TrainingInputMode": "File", "ContentType": RECORDIO, "RecordWrapperType": "None"}
    (config / "inputdataconfig.json").write_text(
        json.dumps({path.split("/")[0]: channel for path in files})
    )
    for path, data in files.items():
        target = root / "input/data" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def classifier_files():
    users, items, labels = ratings(1)
    half = 1500
    return {
        "train/part-1": write_pairs(users[half:], items[half:], DIMENSION, labels[half:]),
        "train/part-0": write_pairs(users[:half], items[:half], DIMENSION, labels[:half]),
        "test/rows": write_pairs(*ratings(2)[:2], DIMENSION, ratings(2)[2]),
    }


def run_train(root):
    return subprocess.run(
        [sys.executable, "-m", "factorization_machines.train"],
        env=environment(root),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One finished classifier job: its folder and its process."""
    root = tmp_path_factory.mktemp("trained")
    lay_out(root, HYPERPARAMETERS, classifier_files())
    process = run_train(root)
    assert process.returncode == 0, process.stdout + process.stderr
    return root, process


def probabilities_by_hand(machine, users, items):
    scores = machine.bias + machine.linear[users].astype(float) + machine.linear[items]
    scores += (machine.factors[users].astype(float) * machine.factors[items]).sum(axis=1)
    return 1 / (1 + np.exp(-scores))


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
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["model_algo-1"]


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


def test_sigterm_stops_training_at_once_without_model_or_failure(tmp_path):
    lay_out(tmp_path, {**HYPERPARAMETERS, "epochs": "10000"}, classifier_files())
    process = subprocess.Popen(
        [sys.executable, "-m", "factorization_machines.train"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        # Lines arrive while it runs: they are flushed one by one.
        assert any("#progress_metric" in line for line in process.stdout)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        status = process.wait(30)

    assert time.monotonic() - asked < 5
    assert status == 128 + signal.SIGTERM
    assert not (tmp_path / "output/failure").exists()
    assert list((tmp_path / "model").iterdir()) == []


# ---------------------------------------------------------------------------------------- serve


def known_machine(predictor_type="binary_classifier"):
    generator = np.random.default_rng(8)
    return FactorizationMachine(
        bias=0.25,
        linear=generator.normal(size=DIMENSION).astype(np.float32),
        factors=generator.normal(size=(DIMENSION, 4)).astype(np.float32),
        predictor_type=predictor_type,
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A serving process under test."""

    def __init__(self, process, port):
        self.process, self.port = process, port

    def ask(self, method, path, body=None, **headers):
        """Status, headers and body of one request; ``Content_Type`` becomes ``Content-Type``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def predict(self, body, **headers):
        return self.ask("POST", "/invocations", body, **{"Content_Type": JSON, **headers})


@contextlib.contextmanager
def serving(root, **others):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "factorization_machines.serve"],
        env=environment(
            root, SAGEMAKER_BIND_TO_PORT=str(port), MATINEE_BIND_HOST="127.0.0.1", **others
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, port)
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, "the server did not come up"
            with contextlib.suppress(OSError):
                if server.ask("GET", "/ping")[0] == 200:
                    break
            time.sleep(0.05)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=40)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("served")
    (root / "model").mkdir()
    (root / "model/model_algo-1").write_bytes(write_model_zip(known_machine(), HYPERPARAMETERS))
    with serving(root) as running:
        yield running


def instance(*columns):
    return {
        "data": {
            "features": {"keys": columns, "shape": [DIMENSION], "values": [1.0] * len(columns)}
        }
    }


def json_body(*instances):
    return json.dumps({"instances": instances})


def test_predictions_are_those_of_the_model_bit_by_bit(server):
    users, items = np.arange(USERS), np.arange(USERS) + USERS

    status, headers, body = server.predict(
        json_body(*(instance(int(u), int(i)) for u, i in zip(users, items, strict=True)))
    )

    predictions = json.loads(body)["predictions"]
    scores = [prediction["score"] for prediction in predictions]
    expected = probabilities_by_hand(known_machine(), users, items)
    assert (status, headers["Content-Type"]) == (200, JSON)
    np.testing.assert_allclose(scores, expected, rtol=1e-13)
    assert [p["predicted_label"] for p in predictions] == (expected >= 0.5).astype(float).tolist()


@pytest.mark.parametrize("accept", [JSON, JSON_LINES, RECORDIO])
@pytest.mark.parametrize("content_type", [JSON, JSON_LINES, RECORDIO])
def test_every_request_form_meets_every_response_form(server, content_type, accept):
    users, items = np.array([0, 7, 29]), np.array([30, 79, 44])
    instances = [instance(int(u), int(i)) for u, i in zip(users, items, strict=True)]
    body = {
        JSON: json_body(*instances).encode(),
        JSON_LINES: "\n".join(map(json.dumps, instances)).encode(),
        RECORDIO: write_pairs(users, items, DIMENSION, None),
    }[content_type]

    status, headers, answer = server.predict(body, Content_Type=content_type, Accept=accept)

    if accept == JSON:
        scores = [prediction["score"] for prediction in json.loads(answer)["predictions"]]
    elif accept == JSON_LINES:
        scores = [json.loads(line)["score"] for line in answer.splitlines()]
    else:
        scores = read_predictions(answer)[0]
    expected = probabilities_by_hand(known_machine(), users, items)
    assert (status, headers["Content-Type"]) == (200, accept)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("*/*", JSON),
        ("text/html, application/*;q=0.5", JSON),
        ("application/json;q=0.2, application/jsonlines", JSON_LINES),
        ("application/jsonlines;verbose=true", JSON_LINES),
    ],
)
def test_the_response_is_what_the_caller_likes_best(server, accept, answered):
    _, headers, _ = server.predict(json_body(instance(1, 40)), Accept=accept)

    assert headers["Content-Type"] == answered


@pytest.mark.parametrize(
    ("body", "headers", "status", "expected"),
    [
        ("{", {}, 400, "body: is not JSON"),
        ('{"instances": []}', {}, 400, "holds no instances"),
        (json_body(instance(1), instance(99)), {}, 400, "instance 1: key 99 is outside 0 to 79"),
        (
            json_body({"data": {"features": {"keys": [1], "shape": [9], "values": [1]}}}),
            {},
            400,
            "shape is [9], the model takes [80]",
        ),
        (b"\x00\x01\x02", {"Content_Type": RECORDIO}, 400, "is not RecordIO-protobuf"),
        (
            write_pairs(np.array([0]), np.array([1]), 9, None),
            {"Content_Type": RECORDIO},
            400,
            "rows have 9 features, the model takes 80",
        ),
        ("1,2", {"Content_Type": "text/csv"}, 415, "content type text/csv"),
        (json_body(instance(1)), {"Content_Encoding": "gzip"}, 415, "encoding gzip"),
        (json_body(instance(1)), {"Accept": "text/csv"}, 406, "cannot answer as text/csv"),
    ],
)
def test_a_bad_request_is_answered_with_its_reason(server, body, headers, status, expected):
    found, found_headers, answer = server.predict(body, **headers)

    assert found == status, answer
    assert found_headers["Content-Type"] == JSON
    assert expected in json.loads(answer)["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/invocations", 405), ("POST", "/ping", 405), ("GET", "/models", 404)],
)
def test_paths_and_methods_outside_the_contract_are_refused(server, method, path, status):
    found, _, answer = server.ask(method, path)

    assert found == status
    assert path in json.loads(answer)["error"]


def test_execution_parameters_tell_batch_transform_how_to_send(server):
    status, _, body = server.ask("GET", "/execution-parameters")

    assert status == 200
    assert json.loads(body) == {
        "MaxConcurrentTransforms": 2,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_a_pair_is_answered_within_milliseconds_on_a_kept_connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    body, seconds = json_body(instance(3, 45)), []
    with contextlib.closing(connection):
        for _ in range(60):
            began = time.perf_counter()
            connection.request("POST", "/invocations", body, {"Content-Type": JSON})
            connection.getresponse().read()
            seconds.append(time.perf_counter() - began)

    # The target is 1 ms; a loaded machine gets room.
    assert sorted(seconds)[30] < 0.02


def test_chunked_requests_are_read_whole(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    body = json_body(instance(3, 45)).encode()
    with contextlib.closing(connection):
        connection.request(
            "POST",
            "/invocations",
            iter([body[:10], body[10:]]),
            {"Content-Type": JSON},
            encode_chunked=True,
        )
        response = connection.getresponse()
        assert response.status == 200, response.read()


def test_a_regressor_answers_scores_alone(tmp_path):
    (tmp_path / "model").mkdir()
    machine = known_machine("regressor")
    parameters = {**HYPERPARAMETERS, "predictor_type": "regressor"}
    # Still in its archive: how the model travels between the two jobs.
    (tmp_path / "model/model.tar.gz").write_bytes(write_artifact(machine, parameters))

    with serving(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="1") as running:
        _, _, body = running.predict(json_body(instance(3)))
        _, _, settings = running.ask("GET", "/execution-parameters")

    ((only,),) = [[p.items() for p in json.loads(body)["predictions"]]]
    assert dict(only) == {"score": pytest.approx(0.25 + float(machine.linear[3]), rel=1e-13)}
    assert json.loads(settings)["MaxConcurrentTransforms"] == 1


def model_folder(root):
    (root / "model").mkdir()
    model = write_model_zip(known_machine(), HYPERPARAMETERS)
    (root / "model/model_algo-1").write_bytes(model)
    return root


def test_sigterm_lets_a_running_request_finish(tmp_path):
    body = json_body(instance(3, 45)).encode()
    head = (
        "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )

    with serving(model_folder(tmp_path)) as running:
        with socket.create_connection(("127.0.0.1", running.port), 30) as connection:
            connection.sendall(head.encode())
            # A worker has the request in hand: it asks for the body.
            asked = connection.recv(100)
            running.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            connection.sendall(body)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        exit_status = running.process.wait(30)

    assert asked.startswith(b"HTTP/1.1 100")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"predictions"' in answer
    assert exit_status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand requests to another account")
def test_a_server_started_by_root_answers_as_the_account_it_is_given(tmp_path):
    with serving(model_folder(tmp_path), MATINEE_RUN_AS="nobody") as running:
        status, _, _ = running.predict(json_body(instance(3, 45)))
        master = running.process.pid
        workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        owners = {Path(f"/proc/{worker}").stat().st_uid for worker in workers}

    assert status == 200
    assert len(workers) == 2
    assert owners == {pwd.getpwnam("nobody").pw_uid}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({}, "holds neither model_algo-1 nor model.tar.gz"),
        ({"SAGEMAKER_MODEL_SERVER_WORKERS": "many"}, "SAGEMAKER_MODEL_SERVER_WORKERS is 'many'"),
        ({"MATINEE_RUN_AS": "no-such-account"}, "MATINEE_RUN_AS is 'no-such-account'"),
    ],
)
def test_a_server_that_cannot_serve_says_why_and_ends(tmp_path, others, expected):
    (tmp_path / "model").mkdir()

    process = subprocess.run(
        [sys.executable, "-m", "factorization_machines.serve"],
        env=environment(tmp_path, MATINEE_BIND_HOST="127.0.0.1", **others),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert process.returncode == 1
    assert process.stderr.startswith("cannot serve: ")
    assert expected in process.stderr


def test_the_image_entry_point_knows_train_and_serve_only():
    process = subprocess.run(
        [sys.executable, "-m", "factorization_machines", "evaluate"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert process.returncode == 2
    assert "train|serve" in process.stderr
