"""Whole objects in, whole objects out."""

import io

import numpy as np
import pytest
from botocore.exceptions import ClientError
from numpy.typing import NDArray
from recommender.aws import storage
from recommender.pipeline.snapshots import SnapshotFile

from testbed.stage import Stage

KEYS = ["plain", "a b", "a+b", "100%", "%20", "é/日本", "a//b", "?x=1&y#z", "a:b*c|d"]


@pytest.mark.parametrize("key", KEYS)
def test_what_was_written_is_read_by_the_name_that_writing_gave(stage: Stage, key: str) -> None:
    name = storage.write(stage.artifacts, key, b"\x00data", "application/x-test")
    assert storage.split_uri(name) == (stage.artifacts, key)
    assert storage.read(*storage.split_uri(name)) == b"\x00data"
    head = stage.s3.head_object(Bucket=stage.artifacts, Key=key)
    assert head["ContentType"] == "application/x-test"


def test_an_absent_object_is_none_only_to_those_who_ask_so(stage: Stage) -> None:
    assert storage.read_if_there(stage.artifacts, "absent") is None
    assert storage.read_json_if_there(stage.artifacts, "absent") is None
    with pytest.raises(ClientError, match="NoSuchKey"):
        storage.read(stage.artifacts, "absent")


def test_an_empty_object_is_not_an_absent_one(stage: Stage) -> None:
    storage.write(stage.artifacts, "empty", b"", "text/plain")
    assert storage.read_if_there(stage.artifacts, "empty") == b""


def test_an_absent_bucket_is_an_error_to_everybody(stage: Stage) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        storage.read_if_there("no-such-bucket", "key")


def test_a_version_is_read_although_a_newer_one_lies_over_it(stage: Stage) -> None:
    version = stage.upload("ratings/films/a", "old")
    stage.upload("ratings/films/a", "new")
    file = SnapshotFile("2026-11-22T10:00:00+00:00", "ratings/films/a", version, "etag", 3)
    assert storage.read_version(stage.ratings, file) == b"old"


def test_a_version_is_read_although_its_file_was_deleted_since(stage: Stage) -> None:
    version = stage.upload("ratings/films/a", "old")
    stage.s3.delete_object(Bucket=stage.ratings, Key="ratings/films/a")
    file = SnapshotFile("2026-11-22T10:00:00+00:00", "ratings/films/a", version, "etag", 3)
    assert storage.read_version(stage.ratings, file) == b"old"


def test_json_is_kept_readable(stage: Stage) -> None:
    storage.write_json(stage.artifacts, "key", {"b": 1, "a": "é"})
    assert storage.read(stage.artifacts, "key").decode() == '{\n  "a": "é",\n  "b": 1\n}\n'
    assert storage.read_json(stage.artifacts, "key") == {"a": "é", "b": 1}


def test_arrays_come_back_as_they_were(stage: Stage) -> None:
    arrays: dict[str, NDArray[np.generic]] = {
        "numbers": np.arange(3, dtype=np.int64),
        "weights": np.array([[0.5, -1.5]], np.float32),
        "none": np.zeros((0, 4), np.float32),
        "text": np.asarray("binary_classifier"),
    }
    storage.write_arrays(stage.artifacts, "key", arrays)
    found = storage.read_arrays(stage.artifacts, "key")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_nothing_is_ever_unpickled(stage: Stage) -> None:
    objects = np.array([object()], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        storage.write_arrays(stage.artifacts, "key", {"objects": objects})
    pickled = io.BytesIO()
    np.savez(pickled, objects=objects)
    storage.write(stage.artifacts, "key", pickled.getvalue(), "application/octet-stream")
    with pytest.raises(ValueError, match="allow_pickle"):
        storage.read_arrays(stage.artifacts, "key")


def test_keys_are_listed_beyond_the_first_page(stage: Stage) -> None:
    stage.page_size = 2
    keys = {f"refused/films/{number}" for number in range(5)}
    for key in keys:
        stage.s3.put_object(Bucket=stage.artifacts, Key=key, Body=b"")
    stage.s3.put_object(Bucket=stage.artifacts, Key="refused/films2/1", Body=b"")
    assert storage.list_keys(stage.artifacts, "refused/films/") == keys
