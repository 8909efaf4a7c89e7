"""Whole serving processes, over a folder laid out as SageMaker does."""

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
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recommender.model.artifact import write_artifact, write_model_zip
from recommender.model.machine import FactorizationMachine, LikeLink
from recommender.recordio.reading import read_predictions
from recommender.recordio.writing import write_pairs

USERS, ITEMS, DIMENSION = 30, 50, 80
JSON, JSON_LINES = "application/json", "application/jsonlines"
RECORDIO = "application/x-recordio-protobuf"

HYPERPARAMETERS = {
    "feature_dim": str(DIMENSION),
    "num_factors": "4",
    "predictor_type": "binary_classifier",
}


def environment(root, **others):
    names = ("PATH", "HOME", "TMPDIR", "PYTHONPATH")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "OPT_ML": str(root), **others}


def known_machine(predictor_type="binary_classifier"):
    generator = np.random.default_rng(8)
    return FactorizationMachine(
        bias=0.25,
        linear=generator.normal(size=DIMENSION).astype(np.float32),
        factors=generator.normal(size=(DIMENSION, 4)).astype(np.float32),
        predictor_type=predictor_type,
    )


def probabilities_by_hand(machine, users, items):
    scores = machine.bias + machine.linear[users].astype(float) + machine.linear[items]
    scores += (machine.factors[users].astype(float) * machine.factors[items]).sum(axis=1)
    return 1 / (1 + np.exp(-scores))


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


MODULE = ("-m", "factorization_machines", "serve")


@contextlib.contextmanager
def serving(root, program=MODULE, **others):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, *program],
        env=environment(
            root, SAGEMAKER_BIND_TO_PORT=str(port), MATINEE_BIND_HOST="127.0.0.1", **others
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, port)
    try:
        deadline = time.monotonic() + 90
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


def test_a_regressor_that_knows_how_ratings_become_likes_tells_their_probability(tmp_path):
    (tmp_path / "model").mkdir()
    machine = replace(known_machine("regressor"), like_link=LikeLink(0.5, -0.25))
    parameters = {**HYPERPARAMETERS, "predictor_type": "regressor", "like_threshold": "4"}
    (tmp_path / "model/model_algo-1").write_bytes(write_model_zip(machine, parameters))

    with serving(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="1") as running:
        _, _, body = running.predict(json_body(instance(3), instance(4)))

    ratings = 0.25 + machine.linear[[3, 4]].astype(float)
    likes = 1 / (1 + np.exp(0.25 - 0.5 * ratings))
    assert json.loads(body)["predictions"] == [
        {"score": pytest.approx(rating), "like_probability": pytest.approx(like)}
        for rating, like in zip(ratings, likes, strict=True)
    ]


def test_a_model_that_tells_half_of_how_ratings_become_likes_is_not_served(tmp_path):
    (tmp_path / "model").mkdir()
    parameters = {**HYPERPARAMETERS, "like_scale": "1.5"}
    model = write_model_zip(known_machine("regressor"), parameters)
    (tmp_path / "model/model_algo-1").write_bytes(model)

    process = serve_to_the_end(tmp_path)

    assert process.returncode == 1
    assert process.stderr.startswith("cannot serve: model_algo-1: meta.json holds like_scale")


def serve_to_the_end(root, **others):
    return subprocess.run(
        [sys.executable, "-m", "factorization_machines", "serve"],
        env=environment(root, MATINEE_BIND_HOST="127.0.0.1", **others),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_full_body_is_answered_row_for_row(server):
    generator = np.random.default_rng(2)
    users = generator.integers(0, USERS, 90_000)
    items = generator.integers(USERS, DIMENSION, 90_000)
    body = write_pairs(users, items, DIMENSION, np.ones(90_000, np.float32))

    status, _, answer = server.predict(body, Content_Type=RECORDIO, Accept=RECORDIO)

    scores, labels = read_predictions(answer)
    expected = probabilities_by_hand(known_machine(), users, items)
    assert status == 200
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert np.array_equal(labels, expected >= 0.5)


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
        exit_status = running.process.wait(60)

    assert asked.startswith(b"HTTP/1.1 100")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"predictions"' in answer
    assert exit_status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand requests to another account")
def test_a_server_started_by_root_is_the_account_s_altogether(tmp_path):
    # Root alone may read the model, and does; the account looks into it.
    (model_folder(tmp_path) / "model/model_algo-1").chmod(0o600)

    # What is imported late comes first: the interpreter may lie where the account may not look.
    program = (
        "import concurrent.futures.thread, encodings.cp437, sys\n"
        "import gunicorn.glogging, gunicorn.workers.gthread\n"
        "from factorization_machines.serving.serve import main\n"
        "sys.exit(main())"
    )

    with serving(tmp_path, ("-c", program), MATINEE_RUN_AS="nobody") as running:
        status, _, _ = running.predict(json_body(instance(3, 45)))
        master = running.process.pid
        workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        states = [Path(f"/proc/{process}/status").read_text() for process in (master, *workers)]

    assert status == 200
    assert workers
    nobody = str(pwd.getpwnam("nobody").pw_uid)
    for state in states:
        # Real, effective, saved, and for files.
        assert re.search(r"^Uid:(.*)$", state, re.MULTILINE)[1].split() == [nobody] * 4


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

    process = serve_to_the_end(tmp_path, **others)

    assert process.returncode == 1
    assert process.stderr.startswith("cannot serve: ")
    assert expected in process.stderr
