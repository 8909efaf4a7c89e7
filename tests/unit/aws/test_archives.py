"""Columns of a stored archive, read in pieces: the same numbers, and little at a time."""

import io
import zipfile

import numpy as np
import pytest
from botocore.exceptions import IncompleteReadError
from botocore.response import StreamingBody
from recommender.aws import storage
from recommender.aws.archives import StoredArrays
from recommender.errors import DamagedArtifactError, ServiceUnavailableError

from testbed.stage import Stage

ROWS = 300_000
USERS = np.arange(ROWS, dtype=np.int32)
LABELS = np.random.default_rng(0).random(ROWS).astype(np.float32)
LIKES = LABELS > 0.5


def stored(stage: Stage) -> StoredArrays:
    columns = [
        storage.Column("users", "<i4", ROWS, np.array_split(USERS, 5)),
        storage.Column("labels", "<f4", ROWS, [LABELS]),
        storage.Column("likes", "|b1", ROWS, [LIKES]),
        storage.Column("few", "<i4", 2, [USERS[:2]]),
        storage.Column("none", "<i4", 0, []),
    ]
    storage.write_columns(stage.artifacts, "runs/a.npz", columns)
    return StoredArrays(stage.artifacts, "runs/a.npz")


@pytest.mark.parametrize("rows", [1_000_000, ROWS, 99_991, 40_000])
def test_columns_side_by_side_are_what_was_written(stage: Stage, rows: int) -> None:
    blocks = list(stored(stage).blocks(("users", "labels", "likes"), rows))
    assert len(blocks) == -(-ROWS // rows)
    for found, written in zip(zip(*blocks, strict=True), (USERS, LABELS, LIKES), strict=True):
        np.testing.assert_array_equal(np.concatenate(found), written)
        assert found[0].dtype == written.dtype


def test_no_more_is_fetched_at_a_time_than_was_asked_for(stage: Stage) -> None:
    archive = stored(stage)
    stage.calls.clear()
    rows = 40_000
    for _ in archive.blocks(("users", "labels"), rows):
        pass
    ranges = [
        call.parameters["Range"].removeprefix("bytes=").split("-")
        for call in stage.calls
        if call.operation == "GetObject"
    ]
    sizes = [int(last) - int(first) + 1 for first, last in ranges]
    assert max(sizes) <= rows * 4
    assert sum(sizes) < 2 * ROWS * 4 + 6 * (64 << 10)


def test_what_numpy_writes_is_read_too(stage: Stage) -> None:
    data = io.BytesIO()
    np.savez(data, users=USERS, labels=LABELS)
    storage.write(stage.artifacts, "runs/b.npz", data.getvalue(), "application/octet-stream")
    ((users, labels),) = StoredArrays(stage.artifacts, "runs/b.npz").blocks(
        ("users", "labels"), ROWS
    )
    np.testing.assert_array_equal(users, USERS)
    np.testing.assert_array_equal(labels, LABELS)


def test_sizes_are_known_before_anything_is_read(stage: Stage) -> None:
    archive = stored(stage)
    assert [archive.size(name) for name in ("users", "few", "none")] == [ROWS, 2, 0]
    assert list(archive.blocks(("none",), 10)) == []


@pytest.mark.parametrize(
    ("names", "words"),
    [(("users", "few"), "differ in length"), (("users", "items"), "no array items")],
)
def test_columns_that_do_not_belong_together_are_refused(
    stage: Stage, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(DamagedArtifactError, match=words):
        list(stored(stage).blocks(names, 10))


def test_a_table_is_no_column(stage: Stage) -> None:
    storage.write_arrays(stage.artifacts, "runs/c.npz", {"table": np.zeros((2, 2))})
    with pytest.raises(DamagedArtifactError, match="no column"):
        StoredArrays(stage.artifacts, "runs/c.npz").size("table")


def test_a_byte_that_changed_is_noticed(stage: Stage) -> None:
    stored(stage)
    data = bytearray(stage.kept("runs/a.npz"))
    data[600_000] ^= 1
    stage.s3.put_object(Bucket=stage.artifacts, Key="runs/a.npz", Body=bytes(data))
    with pytest.raises(DamagedArtifactError, match="CRC"):
        list(StoredArrays(stage.artifacts, "runs/a.npz").blocks(("users",), 40_000))


@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_half_an_archive_is_none(stage: Stage, keep: float) -> None:
    stored(stage)
    data = stage.kept("runs/a.npz")
    part = data[: int(len(data) * keep)]
    stage.s3.put_object(Bucket=stage.artifacts, Key="runs/a.npz", Body=part)
    with pytest.raises(DamagedArtifactError, match=r"runs/a\.npz"):
        StoredArrays(stage.artifacts, "runs/a.npz")


def test_a_connection_that_breaks_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = stored(stage)

    def cut(self: StreamingBody, amt: int | None = None) -> bytes:
        raise IncompleteReadError(actual_bytes=1, expected_bytes=6)

    monkeypatch.setattr(StreamingBody, "read", cut)
    with pytest.raises(ServiceUnavailableError):
        list(archive.blocks(("users",), 100_000))


@pytest.mark.parametrize(("first", "last"), [(0, 1), (99_999, 100_003), (ROWS - 2, ROWS), (7, 7)])
def test_a_part_of_a_column_is_read_by_a_request_for_just_that(
    stage: Stage, first: int, last: int
) -> None:
    archive = stored(stage)
    for name, column in (("users", USERS), ("labels", LABELS), ("likes", LIKES)):
        np.testing.assert_array_equal(archive.part(name, first, last), column[first:last])
    stage.calls.clear()
    archive.part("labels", first, last)
    ranges = [call.parameters["Range"] for call in stage.calls if call.operation == "GetObject"]
    assert len(ranges) <= 3


def test_a_part_behind_the_end_of_a_column_is_refused(stage: Stage) -> None:
    with pytest.raises(DamagedArtifactError, match="300000 numbers"):
        stored(stage).part("users", 5, ROWS + 1)


@pytest.mark.parametrize("claimed", [ROWS + 1, 1 << 60])
def test_a_column_that_says_it_is_longer_than_its_bytes_is_refused_before_room_is_made(
    stage: Stage, claimed: int
) -> None:
    columns = [storage.Column("users", "<i4", claimed, [USERS])]
    storage.write_columns(stage.artifacts, "runs/a.npz", columns)
    archive = StoredArrays(stage.artifacts, "runs/a.npz")
    for act in (archive.size, lambda name: archive.part(name, 0, claimed)):
        with pytest.raises(DamagedArtifactError, match=f"says that it has {claimed} numbers"):
            act("users")


def test_numbers_of_a_gigabyte_each_are_none(stage: Stage) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("users.npy", "w") as file:
        header = {"descr": "<U250000000", "fortran_order": False, "shape": (1,)}
        np.lib.format.write_array_header_1_0(file, header)
    storage.write(stage.artifacts, "runs/a.npz", buffer.getvalue(), "application/octet-stream")
    with pytest.raises(DamagedArtifactError, match="no column of numbers"):
        StoredArrays(stage.artifacts, "runs/a.npz").size("users")


def test_a_header_that_is_none_is_refused(stage: Stage) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("users.npy", b"no header at all, but quite some bytes")
    storage.write(stage.artifacts, "runs/a.npz", buffer.getvalue(), "application/octet-stream")
    with pytest.raises(DamagedArtifactError, match="array users"):
        StoredArrays(stage.artifacts, "runs/a.npz").size("users")
