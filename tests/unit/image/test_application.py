"""The web application without a server around it: what it makes of a request's head and body."""

import io
import json
import struct

import numpy as np
import pytest
from factorization_machines.serving.application import Application
from recommender.model.machine import FactorizationMachine, LikeLink
from recommender.recordio.writing import write_pairs
from werkzeug.test import Client

JSON, JSON_LINES = "application/json", "application/jsonlines"
RECORDIO = "application/x-recordio-protobuf"
INSTANCE = {"data": {"features": {"keys": [0, 2], "shape": [3], "values": [1, 1]}}}
BODY = json.dumps({"instances": [INSTANCE]}).encode()


def machine(**others):
    # The one pair of these rows is rated 0.5 + 1 + 2 + 3 * 0.5 = 5.
    return FactorizationMachine(
        0.5,
        np.array([1, 9, 2], np.float32),
        np.array([[3], [9], [0.5]], np.float32),
        **{"predictor_type": "regressor", **others},
    )


def ask(body=BODY, *, served=None, path="/invocations", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    client = Client(Application(served or machine(), 1))
    return client.post(path, data=body, headers={"Content-Type": JSON, **names})


def raw(environ):
    """Ask with any environment at all: status, headers and body."""
    told = {}

    def start_response(status, headers):
        told["status"], told["headers"] = status, dict(headers)

    application = Application(machine(), 1)
    body = b"".join(application({"REQUEST_METHOD": "POST", **environ}, start_response))
    return told["status"], told["headers"], body


def test_a_regressor_without_a_link_answers_scores_alone():
    assert json.loads(ask().data) == {"predictions": [{"score": 5.0}]}


LIKED = 1 / (1 + np.exp(5.0 - 1.5 * 5.0))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, BODY),
        (JSON_LINES, json.dumps(INSTANCE).encode()),
        (RECORDIO, write_pairs(np.array([0]), np.array([2]), 3, None)),
    ],
)
def test_a_regressor_with_a_link_tells_how_likely_a_like_is(content_type, body):
    served = machine(like_link=LikeLink(1.5, -5.0))

    answer = ask(body, served=served, Content_Type=content_type)
    lines = ask(body, served=served, Content_Type=content_type, Accept=JSON_LINES)
    records = ask(body, served=served, Content_Type=content_type, Accept=RECORDIO).data

    expected = {"score": 5.0, "like_probability": pytest.approx(LIKED, rel=1e-14)}
    assert json.loads(answer.data) == {"predictions": [expected]}
    assert json.loads(lines.data) == expected
    assert struct.pack("<f", 5.0) in records
    assert b"like_probability" in records
    assert struct.pack("<f", LIKED) in records


def test_headers_are_read_whatever_their_case_and_parameters():
    answer = ask(Content_Type="Application/JSON; charset=utf-8", Accept="APPLICATION/jsonlines;q=1")

    assert answer.status_code == 200, answer.data
    assert answer.headers["Content-Type"] == JSON_LINES
    assert answer.headers["Content-Length"] == str(len(answer.data))


def test_a_body_of_no_stated_type_is_json():
    status, _, body = raw(
        {
            "PATH_INFO": "/invocations",
            "CONTENT_LENGTH": str(len(BODY)),
            "wsgi.input": io.BytesIO(BODY),
        }
    )

    assert (status, json.loads(body)) == ("200 OK", {"predictions": [{"score": 5.0}]})


def test_no_more_is_read_than_the_length_that_was_stated():
    status, _, _ = raw(
        {
            "PATH_INFO": "/invocations",
            "CONTENT_LENGTH": str(len(BODY)),
            "wsgi.input": io.BytesIO(BODY + b"the next request"),
        }
    )

    assert status == "200 OK"


class _Broken(io.RawIOBase):
    def read(self, _size=-1):
        raise ConnectionResetError


@pytest.mark.parametrize("stream", [io.BytesIO(BODY[:-1]), _Broken()])
def test_a_body_that_ends_too_early_is_a_bad_request(stream):
    status, headers, body = raw(
        {
            "PATH_INFO": "/invocations",
            "CONTENT_LENGTH": str(len(BODY)),
            "wsgi.input": stream,
        }
    )

    assert status == "400 Bad Request"
    assert headers["Content-Type"] == JSON
    assert json.loads(body)["error"]


def test_a_body_of_no_stated_length_is_read_to_its_end():
    status, _, _ = raw(
        {
            "PATH_INFO": "/invocations",
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input": io.BytesIO(BODY),
            "wsgi.input_terminated": True,
        }
    )

    assert status == "200 OK"


def test_a_body_beyond_the_limit_is_refused_before_it_is_read():
    status, _, body = raw(
        {
            "PATH_INFO": "/invocations",
            "CONTENT_LENGTH": str((100 << 20) + 1),
            "wsgi.input": _Broken(),
        }
    )

    assert status.startswith("413 ")
    assert json.loads(body)["error"]


def test_an_accident_shows_nothing_of_its_insides(caplog):
    status, _, body = raw({"PATH_INFO": "/invocations", "CONTENT_LENGTH": "5"})

    assert status == "500 Internal Server Error"
    assert json.loads(body) == {"error": "the server failed on this request"}
    assert "KeyError" in caplog.text
