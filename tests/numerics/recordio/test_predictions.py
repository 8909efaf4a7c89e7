"""Predictions as records, read by us and by the SageMaker Python SDK."""

import io

import numpy as np
import pytest
from recommender.errors import DamagedRecordError, ShapeMismatchError
from recommender.recordio.reading import read_predictions
from recommender.recordio.writing import write_predictions

from testbed.numerics.records import ONE_RECORD, framed


@pytest.mark.parametrize("with_classes", [True, False])
def test_predictions_are_read_back_and_by_the_sdk(sdk, with_classes):
    rng = np.random.default_rng(0)
    scores = rng.random(33).astype(np.float32)
    classes = (scores >= 0.5).astype(np.float32) if with_classes else None
    data = write_predictions(scores, classes)
    read_scores, read_classes = read_predictions(data)
    assert np.array_equal(read_scores, scores)
    assert (read_classes is None) if classes is None else np.array_equal(read_classes, classes)
    records = sdk.read_records(io.BytesIO(data))
    assert [r.label["score"].float32_tensor.values[0] for r in records] == scores.tolist()
    assert ("predicted_label" in records[0].label) == with_classes


def test_the_sdk_reads_like_probabilities_beside_ratings(sdk):
    ratings = np.array([3.5, -1.0, 5.25], np.float32)
    likes = np.array([0.25, 0.0, 1.0])
    data = write_predictions(ratings, None, likes)
    records = [record.label for record in sdk.read_records(io.BytesIO(data))]
    assert [set(label) for label in records] == [{"score", "like_probability"}] * 3
    told = [
        [label[name].float32_tensor.values[0] for label in records]
        for name in ("score", "like_probability")
    ]
    assert told == [ratings.tolist(), likes.tolist()]
    read_ratings, classes = read_predictions(data)
    assert (read_ratings.tolist(), classes) == (ratings.tolist(), None)


def test_as_many_like_probabilities_as_scores_are_needed():
    with pytest.raises(ShapeMismatchError):
        write_predictions(np.zeros(2), None, np.zeros(3))


def test_predictions_are_read_whatever_the_order_of_their_map(sdk):
    from sagemaker.amazon.record_pb2 import Record

    data, scores = b"", [0.25, 0.75, 0.5]
    for score in scores:
        record = Record()
        record.uid = "x"
        record.label["predicted_label"].float32_tensor.values.append(score > 0.5)
        record.label["score"].float32_tensor.values.append(score)
        body = record.SerializeToString()
        data += framed(body)
    read_scores, read_classes = read_predictions(data)
    assert (read_scores.tolist(), read_classes.tolist()) == (scores, [0, 1, 0])


def test_predictions_without_a_score_are_refused():
    with pytest.raises(DamagedRecordError, match="score"):
        read_predictions(ONE_RECORD)
    assert read_predictions(b"")[0].size == 0
