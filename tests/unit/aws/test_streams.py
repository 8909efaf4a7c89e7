"""Objects that stream in and out: parts, whole objects, and what an error leaves behind."""

import numpy as np
import pytest
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody
from recommender.aws import storage
from recommender.errors import ServiceUnavailableError
from recommender.pipeline.snapshots import SnapshotFile

from testbed.stage import Stage

PART = 5 << 20  # the least that S3 takes for any part but the last


def pieces(size: int) -> list[bytes]:
    data = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8).tobytes()
    return [data[at : at + 700_001] for at in range(0, size, 700_001)]


@pytest.mark.parametrize("size", [0, 10, PART - 1, PART, 2 * PART, 2 * PART + 3_000_000])
def test_an_object_written_in_pieces_is_their_sum(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(storage, "PART_BYTES", PART)
    with storage.Upload(stage.artifacts, "runs/a", "text/plain") as upload:
        for piece in pieces(size):
            upload.write(piece)
    assert upload.size == size
    assert stage.kept("runs/a") == b"".join(pieces(size))
    head = stage.s3.head_object(Bucket=stage.artifacts, Key="runs/a")
    assert head["ContentType"] == "text/plain"


@pytest.mark.parametrize("size", [10, 2 * PART + 5])
def test_an_error_leaves_neither_object_nor_parts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(storage, "PART_BYTES", PART)

    def interrupted() -> None:
        with storage.Upload(stage.artifacts, "runs/a", "text/plain") as upload:
            for piece in pieces(size):
                upload.write(piece)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert stage.listing() == []
    assert not stage.s3.list_multipart_uploads(Bucket=stage.artifacts).get("Uploads")


def test_an_upload_that_is_not_completed_leaves_no_parts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PART_BYTES", 1000)  # S3 takes them, and no object of them
    with (
        pytest.raises(ClientError, match="EntityTooSmall"),
        storage.Upload(stage.artifacts, "runs/a", "text/plain") as upload,
    ):
        upload.write(bytes(5000))
    assert stage.listing() == []
    assert not stage.s3.list_multipart_uploads(Bucket=stage.artifacts).get("Uploads")


def test_the_first_error_is_told_although_nothing_can_be_tidied_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PART_BYTES", 1000)

    def interrupted() -> None:
        with storage.Upload(stage.artifacts, "runs/a", "text/plain") as upload:
            upload.write(bytes(5000))
            (begun,) = stage.s3.list_multipart_uploads(Bucket=stage.artifacts)["Uploads"]
            stage.s3.abort_multipart_upload(
                Bucket=stage.artifacts, Key="runs/a", UploadId=begun["UploadId"]
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()


def test_long_arrays_are_read_back_as_they_were(stage: Stage) -> None:
    numbers = np.arange(100_000, dtype=np.int32)
    columns = [
        storage.Column("users", "<i4", numbers.size, np.array_split(numbers, 7)),
        storage.Column("likes", "|b1", 3, [np.array([True, False, True])]),
    ]
    storage.write_columns(stage.artifacts, "runs/a.npz", columns)
    first = stage.kept("runs/a.npz")
    found = storage.read_arrays(stage.artifacts, "runs/a.npz")
    assert found["users"].tolist() == numbers.tolist()
    assert found["likes"].tolist() == [True, False, True]
    storage.write_columns(stage.artifacts, "runs/a.npz", columns)
    assert stage.kept("runs/a.npz") == first


def test_a_connection_that_breaks_within_an_object_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.upload("ratings/films/a", b"1,2,3\n")
    (file,) = storage.list_latest(stage.ratings, "ratings/films/")
    assert isinstance(file, SnapshotFile)

    def cut(self: StreamingBody, amt: int | None = None) -> bytes:
        raise IncompleteReadError(actual_bytes=1, expected_bytes=6)

    monkeypatch.setattr(StreamingBody, "read", cut)
    with pytest.raises(ServiceUnavailableError):
        list(storage.stream_version(stage.ratings, file))
