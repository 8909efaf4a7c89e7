"""What a server answers, over a folder laid out as SageMaker does."""

import contextlib
import http.client
import json
from dataclasses import replace

import numpy as np
import pytest
from recommender.model.artifact import write_artifact, write_model_zip
from recommender.model.machine import LikeLink
from recommender.recordio.reading import read_predictions
from recommender.recordio.writing import write_pairs

from testbed.image import (
    DIMENSION,
    JSON,
    RECORDIO,
    SERVED,
    USERS,
    instance,
    json_body,
    known_machine,
    probabilities_by_hand,
    put_model,
    serving,
)

JSON_LINES = "application/jsonlines"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("served")
    put_model(root)
    with serving(root) as running:
        yield running


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
    parameters = {**SERVED, "predictor_type": "regressor"}
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
    parameters = {**SERVED, "predictor_type": "regressor", "like_threshold": "4"}
    (tmp_path / "model/model_algo-1").write_bytes(write_model_zip(machine, parameters))

    with serving(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="1") as running:
        _, _, body = running.predict(json_body(instance(3), instance(4)))

    ratings = 0.25 + machine.linear[[3, 4]].astype(float)
    likes = 1 / (1 + np.exp(0.25 - 0.5 * ratings))
    assert json.loads(body)["predictions"] == [
        {"score": pytest.approx(rating), "like_probability": pytest.approx(like)}
        for rating, like in zip(ratings, likes, strict=True)
    ]


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
