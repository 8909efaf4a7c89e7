"""A disk or a memory that is too small for a catalog: named, with the parameter that makes room."""

import errno
import json
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from recommender.dataset import deduplication, encoding, spool
from recommender.dataset.encoding import RunRows
from recommender.errors import NoRoomError, OversizedFileError
from recommender.pipeline.manifests import RunError
from recommender.ratings import parquet as rating_parquet
from recommender.ratings.reading import read_ratings

from functions.encode_ratings import app
from testbed import template
from testbed.runs import admit, run, upload_films
from testbed.stage import Stage

ROW_BYTES = 16


def full_disk(**_: object) -> BinaryIO:
    """A file on a disk that has no byte left."""
    return Path("/dev/full").open("wb", buffering=0)


def read(rows: int) -> RunRows:
    into = RunRows()
    lines = b"".join(b"%d,%d,4,1\n" % (n, n % 7) for n in range(rows))
    read_ratings(iter([lines]), into.builder("ratings/films/a.csv", is_test=False), 0.0)
    into.spool.close()
    return into


def test_a_full_disk_is_named_with_the_rows_and_bytes_that_found_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spool, "_ROWS_OF_A_BLOCK", 1)
    monkeypatch.setattr(spool, "_MOST_IN_MEMORY", 5 * ROW_BYTES)
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", full_disk)
    rows = RunRows()
    for _ in range(5):
        more = np.zeros(1, np.int32)
        into = rows.builder("ratings/films/a.csv", is_test=False)
        numbers = (more, more, more.astype("f4"), more.astype("i8"), more.astype("i8"))
        into.add_rows(spool.RatingRows(*numbers))
    with pytest.raises(NoRoomError) as caught, rows.spool.within_room():
        into.add_rows(spool.RatingRows(*numbers))
    assert (caught.value.what, caught.value.rows, caught.value.taken) == ("disk", 6, 5 * ROW_BYTES)
    assert "after 6 rows, of which 80 bytes are spooled" in str(caught.value)


def test_what_each_user_rated_may_find_no_room_either(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read(100)
    monkeypatch.setattr(spool, "_MOST_IN_MEMORY", 100)
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", full_disk)
    with pytest.raises(NoRoomError, match="disk is full"), rows.spool.within_room():
        encoding.Dataset("films", rows, encoding.CatalogConfig())


def test_a_parquet_file_may_find_no_room_before_its_first_row(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rating_parquet.tempfile, "TemporaryFile", full_disk)
    stage.upload("ratings/films/a.parquet", b"PAR1" + bytes(1000))
    event = {"catalog": "films", "execution": admit(stage)["execution"]}
    with pytest.raises(OversizedFileError, match=r"a\.parquet: .*disk is full after 0 rows"):
        stage.run("EncodeRatings", app.lambda_handler, event)


def test_a_disk_that_is_broken_and_not_full_is_no_lack_of_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(**_: object) -> BinaryIO:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(spool, "_MOST_IN_MEMORY", 0)
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", broken)
    rows = RunRows()
    with pytest.raises(OSError, match="Input/output error"), rows.spool.within_room():
        read(3)


@pytest.mark.parametrize("parameter", ["EncodeDiskMB", "EncodeMemoryMB"])
def test_a_run_without_room_fails_with_the_parameter_to_raise_and_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, parameter: str
) -> None:
    upload_films(stage)

    def too_much(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        if parameter == "EncodeDiskMB":
            patched.setattr(spool, "_MOST_IN_MEMORY", 0)
            patched.setattr(spool.tempfile, "TemporaryFile", full_disk)
        else:
            patched.setattr(deduplication, "_sorted_with_places", too_much)
        failed = run(stage, admit(stage)["execution"])
    assert failed.error["Error"] == "NoRoomError"
    (manifest,) = (key for key in stage.listing("runs/") if key.endswith("/manifest.json"))
    record = stage.kept_json(manifest)
    assert record["outcome"] == "failed"
    assert f"raise the stack's parameter {parameter}" in record["error"]["message"]
    assert parameter in template.load()["Parameters"]
    assert not [key for key in stage.listing("runs/") if key.endswith(".pbr")]
    # The files are not to blame: with more room they are read.
    assert run(stage, admit(stage)["execution"]).status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("error", "message", "is_told"),
    [
        (
            "Runtime.ExitError",
            "RequestId: 1 Error: Runtime exited with error: signal: killed",
            True,
        ),
        (
            "Runtime.ExitError",
            "RequestId: 1 Error: Runtime exited with error: exit status 1",
            False,
        ),
        ("ShapeMismatchError", "signal: killed", False),
    ],
)
def test_a_function_that_was_killed_ran_out_of_memory(
    error: str, message: str, *, is_told: bool
) -> None:
    cause = json.dumps({"errorMessage": message, "errorType": error})
    found = RunError.from_state({"Error": error, "Cause": cause})
    assert found is not None
    assert found.message.startswith(message)
    assert ("EncodeMemoryMB" in found.message) is is_told


def test_the_function_has_the_room_that_the_parameters_say() -> None:
    function = template.functions()["EncodeRatings"]
    assert function["MemorySize"] == {"Ref": "EncodeMemoryMB"}
    assert function["EphemeralStorage"] == {"Size": {"Ref": "EncodeDiskMB"}}
