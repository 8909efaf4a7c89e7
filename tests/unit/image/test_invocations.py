"""Request bodies become rows or a sentence that says what is wrong with them."""

import json

import numpy as np
import pytest
from factorization_machines.serving.invocations import (
    JSON,
    JSON_LINES,
    decode_rows,
    encode_predictions,
)
from recommender.errors import InvalidRequestError
from recommender.features import FeatureRows
from recommender.recordio.reading import read_predictions
from recommender.recordio.wire import RECORDIO_PROTOBUF
from recommender.recordio.writing import write_rows

DIMENSION = 6


def sparse(keys, values, shape=(DIMENSION,)):
    return {"data": {"features": {"keys": keys, "shape": list(shape), "values": values}}}


def dense(rows):
    """The rows as a matrix."""
    matrix = np.zeros((len(rows), rows.dimension))
    for n in range(len(rows)):
        entries = slice(rows.offsets[n], rows.offsets[n + 1])
        np.add.at(matrix[n], rows.columns[entries], rows.values[entries])
    return matrix.tolist()


def decode_json(*instances):
    return decode_rows(json.dumps({"instances": instances}).encode(), JSON, DIMENSION)


def complaint(body, content_type=JSON):
    with pytest.raises(InvalidRequestError) as caught:
        decode_rows(body, content_type, DIMENSION)
    return str(caught.value)


def test_sparse_and_dense_instances_of_any_length_mean_the_same_matrix():
    rows = decode_json(
        sparse([1, 4], [1, 0.5]),
        sparse([], []),
        {"data": {"features": {"values": [0, 1, 0, 0, 0.5, 0]}}},
        {"features": [0, 1, 0, 0, 0.5, 0]},
        sparse([5, 0, 2], [1, 2, 3]),
    )

    row = [0, 1, 0, 0, 0.5, 0]
    assert dense(rows) == [row, [0] * 6, row, row, [2, 0, 3, 0, 0, 1]]


def test_json_lines_are_one_instance_each_and_blank_lines_none():
    lines = [json.dumps(sparse([n], [1])) for n in range(3)]

    rows = decode_rows(("\n\n".join(lines) + "\r\n").encode(), JSON_LINES, DIMENSION)

    assert dense(rows) == np.eye(6)[:3].tolist()


def test_recordio_rows_arrive_as_written():
    written = FeatureRows(
        np.array([0, 2, 3]), np.array([1, 4, 5]), np.array([1, 0.5, 2], np.float32), DIMENSION
    )

    rows = decode_rows(write_rows(written, None), RECORDIO_PROTOBUF, DIMENSION)

    assert dense(rows) == dense(written)


def test_a_key_given_twice_counts_as_the_sum():
    assert dense(decode_json(sparse([3, 3, 1], [1, 2, 4]))) == [[0, 4, 0, 3, 0, 0]]


def test_a_key_given_twice_counts_as_the_sum_among_rows_of_two_keys():
    rows = decode_json(sparse([4, 0], [1, 2]), sparse([3, 3], [1, 4]), sparse([1, 2], [1, 2]))

    assert dense(rows) == [[2, 0, 0, 0, 1, 0], [0, 0, 0, 5, 0, 0], [0, 1, 2, 0, 0, 0]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "body: is not JSON"),
        (b"\xff", "body: is not JSON"),
        (b"[" * 100_000, "body: is not JSON"),
        (b'{"instances": [{"features": [NaN,0,0,0,0,0]}]}', "NaN is not a JSON number"),
        (b"[]", 'body: expected {"instances": [...]}'),
        (b'{"instances": 3}', 'body: expected {"instances": [...]}'),
        (b'{"instances": []}', "body: holds no instances"),
    ],
)
def test_a_body_that_is_no_list_of_instances_is_refused(body, expected):
    assert expected in complaint(body)


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        (7, 'expected {"data": {"features":'),
        ({}, 'expected {"data": {"features":'),
        ({"data": {"features": {"keys": [1]}}}, 'expected {"data": {"features":'),
        (sparse([1], [1], (7,)), "shape is [7], the model takes [6]"),
        (sparse([1], [1], ()), "shape is [], the model takes [6]"),
        ({"data": {"features": {"keys": [1], "values": [1]}}}, "shape is None"),
        (sparse([1, 2], [1]), "2 keys for 1 values"),
        (sparse(3, [1]), "no list of keys for 1 values"),
        (sparse([6], [1]), "key 6 is outside 0 to 5"),
        (sparse([-1], [1]), "key -1 is outside 0 to 5"),
        (sparse([10**30], [1]), "is outside 0 to 5"),
        (sparse([1.0], [1]), "keys must be integers, found '1.0'"),
        (sparse([True], [1]), "keys must be integers, found 'True'"),
        (sparse([1], ["1"]), "values must be numbers, found '1'"),
        (sparse([1], [None]), "values must be numbers, found 'None'"),
        (sparse([1], [1e39]), "not finite as a 32-bit number"),
        ({"features": [1, 2, 3]}, "3 dense values, the model takes 6 features"),
        ({"features": [0, 0, "x", 0, 0, 0]}, "values must be numbers, found 'x'"),
    ],
)
def test_a_broken_instance_is_refused_by_its_number(instance, expected):
    body = json.dumps({"instances": [sparse([0], [1]), instance, sparse([1], [1])]}).encode()

    found = complaint(body)

    assert found.startswith("instance 1: ")
    assert expected in found


def test_a_number_too_large_for_any_float_is_refused():
    body = json.dumps({"instances": [sparse([1], [10**400])]}).encode()

    assert "too large" in complaint(body)


@pytest.mark.parametrize("body", [b"", b"not recordio", b"\x00" * 16])
def test_damaged_recordio_is_refused(body):
    assert complaint(body, RECORDIO_PROTOBUF).startswith("body: ")


def test_recordio_of_another_dimension_is_refused():
    rows = FeatureRows(np.array([0, 1]), np.array([1]), np.ones(1, np.float32), 9)

    found = complaint(write_rows(rows, None), RECORDIO_PROTOBUF)

    assert "rows have 9 features, the model takes 6" in found


SCORES = np.array([0.1 + 0.2, 1 / 3, 5e-324])
LABELS = np.array([0.0, 1.0, 0.0])


def test_json_predictions_lose_no_bit():
    answer = json.loads(encode_predictions(SCORES, LABELS, JSON))

    assert [p["score"] for p in answer["predictions"]] == SCORES.tolist()
    assert [p["predicted_label"] for p in answer["predictions"]] == [0.0, 1.0, 0.0]


def test_json_lines_predictions_are_one_a_line():
    lines = encode_predictions(SCORES, LABELS, JSON_LINES).decode().splitlines()

    assert json.loads(lines[1]) == {"score": 1 / 3, "predicted_label": 1.0}
    assert len(lines) == 3


def test_ratings_carry_no_label():
    assert json.loads(encode_predictions(SCORES[:1], None, JSON)) == {
        "predictions": [{"score": 0.1 + 0.2}]
    }


LIKES = np.array([0.25, 1 / 3, 1.0])


def test_ratings_that_become_likes_carry_their_probability():
    answer = json.loads(encode_predictions(SCORES, None, JSON, LIKES))
    lines = encode_predictions(SCORES, None, JSON_LINES, LIKES).splitlines()

    expected = [
        {"score": score, "like_probability": like}
        for score, like in zip(SCORES.tolist(), LIKES.tolist(), strict=True)
    ]
    assert answer["predictions"] == expected
    assert [json.loads(line) for line in lines] == expected


def test_recordio_predictions_hold_scores_and_labels():
    scores, labels = read_predictions(encode_predictions(SCORES, LABELS, RECORDIO_PROTOBUF))

    np.testing.assert_allclose(scores, SCORES, rtol=1e-6, atol=1e-40)
    assert labels.tolist() == LABELS.tolist()
