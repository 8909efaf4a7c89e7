"""Which object versions a run reads."""

import pytest
from recommender.catalog.config import CatalogConfig
from recommender.pipeline.snapshots import SnapshotFile
from recommender.steps import snapshots

from testbed.stage import Stage


def keys(stage: Stage, execution: str = "second", catalog: str = "films") -> list[str]:
    snapshot, _ = snapshots.take(stage.ratings, stage.artifacts, catalog, execution)
    return [file.key for file in snapshot.files]


def file_of(stage: Stage, key: str) -> SnapshotFile:
    snapshot, _ = snapshots.take(stage.ratings, stage.artifacts, "films", "look")
    (found,) = (file for file in snapshot.files if file.key == key)
    return found


def refuse(stage: Stage, key: str, execution: str = "first") -> None:
    file = file_of(stage, key)
    reading = CatalogConfig().reading()
    snapshots.refuse(stage.artifacts, "films", file, execution, "no ratings", reading)


@pytest.mark.parametrize(
    "key",
    [
        "ratings/films/u.data",
        "ratings/films/a+b%20c d.csv",
        "ratings/films/é/日本/test/x",
        "catalogs/films/config.json",
    ],
)
def test_a_file_is_known_by_key_version_content_and_size(stage: Stage, key: str) -> None:
    version = stage.upload(key, "12345")
    file = file_of(stage, key)
    head = stage.s3.head_object(Bucket=stage.ratings, Key=key)
    assert (file.key, file.version_id, file.size) == (key, version, 5)
    assert file.etag == head["ETag"].strip('"')
    assert file.last_modified == head["LastModified"].isoformat()


def test_the_latest_version_of_each_file_is_read(stage: Stage) -> None:
    stage.upload("ratings/films/a", "old")
    latest = stage.upload("ratings/films/a", "new")
    snapshot, _ = snapshots.take(stage.ratings, stage.artifacts, "films", "run")
    assert [file.version_id for file in snapshot.files] == [latest]


def test_deleted_files_folders_and_neighbours_are_left_out(stage: Stage) -> None:
    stage.upload("ratings/films/kept", "1")
    stage.upload("ratings/films/folder/", "")
    stage.upload("ratings/films2/other", "1")
    stage.upload("ratings/film", "1")
    stage.upload("catalogs/films-noir/config.json", "1")
    stage.upload("ratings/films/gone", "1")
    stage.s3.delete_object(Bucket=stage.ratings, Key="ratings/films/gone")
    assert keys(stage) == ["ratings/films/kept"]


def test_a_file_uploaded_again_after_its_deletion_is_read(stage: Stage) -> None:
    stage.upload("ratings/films/a", "1")
    stage.s3.delete_object(Bucket=stage.ratings, Key="ratings/films/a")
    stage.upload("ratings/films/a", "2")
    assert keys(stage) == ["ratings/films/a"]


def test_an_empty_bucket_is_an_empty_snapshot(stage: Stage) -> None:
    snapshot, refused = snapshots.take(stage.ratings, stage.artifacts, "films", "run")
    assert (snapshot.catalog, snapshot.files, refused) == ("films", (), [])


def test_more_files_than_one_listing_holds_are_all_found(stage: Stage) -> None:
    stage.page_size = 2
    names = {f"ratings/films/{number}" for number in range(5)}
    for name in names:
        stage.s3.put_object(Bucket=stage.ratings, Key=name, Body=b"1")
    assert set(keys(stage)) == names


def test_a_refused_version_is_left_out_of_later_runs_and_told_of(stage: Stage) -> None:
    stage.upload("ratings/films/good", "1")
    version = stage.upload("ratings/films/bad", "1")
    refuse(stage, "ratings/films/bad")
    snapshot, refused = snapshots.take(stage.ratings, stage.artifacts, "films", "second")
    assert [file.key for file in snapshot.files] == ["ratings/films/good"]
    assert refused == [
        {
            "key": "ratings/films/bad",
            "versionId": version,
            "execution": "first",
            "reason": "no ratings",
        }
    ]


def test_the_run_that_refused_a_version_keeps_seeing_it(stage: Stage) -> None:
    stage.upload("ratings/films/bad", "1")
    refuse(stage, "ratings/films/bad", execution="first")
    snapshot, refused = snapshots.take(stage.ratings, stage.artifacts, "films", "first")
    assert [file.key for file in snapshot.files] == ["ratings/films/bad"]
    assert refused == []


def test_a_new_version_of_a_refused_file_is_read(stage: Stage) -> None:
    stage.upload("ratings/films/bad", "1")
    refuse(stage, "ratings/films/bad")
    stage.upload("ratings/films/bad", "1")
    assert keys(stage) == ["ratings/films/bad"]


def test_a_refusal_in_one_catalog_is_none_in_another(stage: Stage) -> None:
    stage.upload("ratings/films/bad", "1")
    stage.upload("ratings/films-noir/bad", "1")
    refuse(stage, "ratings/films/bad")
    assert keys(stage, catalog="films-noir") == ["ratings/films-noir/bad"]


@pytest.mark.parametrize(
    "name",
    [
        *("_SUCCESS", "_committed_7", "_started_7", "_metadata", "_common_metadata", ".DS_Store"),
        *("part-0.csv.crc", ".part-0.csv.crc", "day_$folder$", "Thumbs.db", "manifest.json"),
        *("_delta_log/00.json", "_temporary/0/part-0.csv", "day=1/_SUCCESS", "a.csv.sha256"),
    ],
)
def test_by_products_are_passed_over_and_listed(stage: Stage, name: str) -> None:
    stage.upload("ratings/films/day=1/part-0.csv", "1")
    stage.upload(f"ratings/films/{name}", "1")
    snapshot, refused = snapshots.take(stage.ratings, stage.artifacts, "films", "run")
    assert [file.key for file in snapshot.files] == ["ratings/films/day=1/part-0.csv"]
    assert [one.key for one in snapshot.passed_over] == [f"ratings/films/{name}"]
    assert not refused


def test_an_empty_object_is_passed_over_and_a_partition_is_not(stage: Stage) -> None:
    stage.upload("ratings/films/empty.csv", "")
    stage.upload("ratings/films/_day=1/part-0.csv", "1")
    stage.upload("ratings/films/my_ratings.csv", "1")
    snapshot, _ = snapshots.take(stage.ratings, stage.artifacts, "films", "run")
    assert [one.reason for one in snapshot.passed_over] == ["is empty"]
    assert len(snapshot.files) == 2
