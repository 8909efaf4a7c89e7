"""A folder that a job deletes and writes anew each night: each night's rows, and no others."""

import pytest

from testbed import films, runs
from testbed.machine import State
from testbed.runs import Outside, manifest_of
from testbed.stage import Stage

FOLDER = "ratings/films/dt=2024-01-31"
PARTS = ("part-00000.csv", "part-00001.csv")


def clear(stage: Stage) -> None:
    for page in stage.s3.get_paginator("list_objects_v2").paginate(
        Bucket=stage.ratings, Prefix=f"{FOLDER}/"
    ):
        for one in page.get("Contents", []):
            stage.s3.delete_object(Bucket=stage.ratings, Key=one["Key"])


def write(stage: Stage, night: int) -> list[str]:
    """What Spark writes: parts, of which the last of the first night has no rows, and a marker."""
    header, *rows = films.ratings("train").splitlines()
    stage.upload(f"{FOLDER}/{PARTS[0]}", "\n".join([header, *rows[2 * night :]]))
    stage.upload(f"{FOLDER}/{PARTS[1]}", "\n".join([header, *rows[:night]]))
    stage.upload(f"{FOLDER}/_SUCCESS", "")
    return [f"{FOLDER}/{name}" for name in (*PARTS, "_SUCCESS")]


def rows_read(manifest: State) -> dict[str, int]:
    return {one["key"]: one["rows"] for one in manifest["files"]}


def rows_of(night: int) -> dict[str, int]:
    rows = len(films.ratings("train").splitlines()) - 1
    tested = len(films.ratings("test").splitlines()) - 1
    parts = {f"{FOLDER}/{PARTS[0]}": rows - 2 * night, f"{FOLDER}/{PARTS[1]}": night}
    return {**parts, films.TEST_KEY: tested}


def test_a_nightly_overwrite_trains_each_night(stage: Stage) -> None:
    stage.upload(films.TEST_KEY, films.ratings("test"))
    seen = set()
    for night in range(3):
        clear(stage)
        for key in write(stage, night):
            admitted = runs.admit(stage, key)
        manifest = manifest_of(stage, runs.run(stage, admitted["execution"]))
        assert manifest["outcome"] in ("promoted", "rejected"), manifest.get("error")
        assert rows_read(manifest) == rows_of(night)
        passed_over = [one["key"] for one in manifest["passedOver"]]
        empty = [] if night else [f"{FOLDER}/{PARTS[1]}"]
        assert passed_over == [f"{FOLDER}/_SUCCESS", *empty]
        seen.add(manifest["runId"])
    assert len(seen) == 3


@pytest.mark.parametrize("at", range(3))
def test_an_overwrite_while_a_run_settles_is_read_whole(stage: Stage, at: int) -> None:
    stage.upload(films.TEST_KEY, films.ratings("test"))
    keys = write(stage, 1)

    def overwrite(_: State) -> None:
        clear(stage)
        write(stage, 2)

    execution = runs.admit(stage, keys[at])["execution"]
    manifest = manifest_of(stage, runs.run(stage, execution, Outside(stage, settles=overwrite)))
    assert rows_read(manifest) == rows_of(2)
