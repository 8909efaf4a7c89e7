"""What was refused is read again when it may be read otherwise; what waits for ratings waits."""

import json

import pytest

from testbed import films, runs
from testbed.machine import Execution
from testbed.runs import manifest_of, pointer, run
from testbed.stage import Stage

CONFIG = "catalogs/films/config.json"
HEADER, *ROWS = films.ratings("train").splitlines()
NAMED = "\n".join(["viewer,film,stars", *ROWS])


def upload(stage: Stage, key: str, text: str) -> Execution:
    stage.upload(key, text)
    return run(stage, runs.admit(stage, key)["execution"])


def rows_read(stage: Stage, done: Execution) -> dict[str, int]:
    return {one["key"]: one["rows"] for one in manifest_of(stage, done)["files"]}


def test_settings_that_were_wrong_and_are_corrected_read_the_files_again(stage: Stage) -> None:
    runs.upload_films(stage)
    wrong = upload(stage, CONFIG, '{"columns": {"user": "User"}}')
    assert wrong.status == "FAILED"
    assert "'User' for user" in manifest_of(stage, wrong)["error"]["message"]
    done = upload(stage, CONFIG, "{}")
    assert done.status == "SUCCEEDED", done.error
    assert rows_read(stage, done)[films.TRAIN_KEY] == len(ROWS)


def test_an_upload_after_a_mistake_in_the_settings_does_not_train_alone(stage: Stage) -> None:
    runs.upload_films(stage)
    upload(stage, CONFIG, '{"columns": {"user": "User"}}')
    stage.upload(CONFIG, '{"top_n": 5}')
    done = upload(stage, "ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    assert set(rows_read(stage, done)) == {
        *(films.TRAIN_KEY, films.TEST_KEY, "ratings/films/more.csv")
    }


def test_settings_that_name_the_columns_bring_a_refused_file_back(stage: Stage) -> None:
    stage.upload(films.TEST_KEY, films.ratings("test"))
    refused = upload(stage, films.TRAIN_KEY, NAMED)
    assert manifest_of(stage, refused)["outcome"] == "refused"
    columns = {"user": "viewer", "item": "film", "rating": "stars"}
    stage.upload(films.TEST_KEY, films.ratings("test").replace(HEADER, "viewer,film,stars"))
    done = upload(stage, CONFIG, json.dumps({"columns": columns}))
    assert done.status == "SUCCEEDED", done.error
    assert rows_read(stage, done)[films.TRAIN_KEY] == len(ROWS)


def test_settings_that_are_not_of_reading_read_nothing_again(stage: Stage) -> None:
    runs.upload_films(stage)
    upload(stage, "ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    done = upload(stage, CONFIG, '{"top_n": 5}')
    assert [one["key"] for one in manifest_of(stage, done)["refusedFiles"]] == [
        "ratings/films/bad.csv"
    ]


def test_a_bad_file_fails_one_run_however_often_its_neighbours_are_rewritten(
    stage: Stage,
) -> None:
    runs.upload_films(stage)
    upload(stage, "ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    runs.upload_films(stage)
    done = upload(stage, films.TRAIN_KEY, films.ratings("train"))
    assert done.data["finish"]["outcome"] in ("promoted", "rejected"), done.error


def test_another_version_of_the_code_reads_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.upload_films(stage)
    upload(stage, "ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    monkeypatch.setattr("recommender.pipeline.run_files.CODE_VERSION", "9")
    done = run(stage, runs.admit(stage)["execution"])
    assert "bad.csv" in manifest_of(stage, done)["error"]["message"]


def test_a_file_of_the_other_kind_is_read_again_once_the_deciding_one_is_gone(
    stage: Stage,
) -> None:
    stage.upload("ratings/films/a-clicks.csv", "user,item\nanna,242\nben,242\n")
    refused = upload(stage, films.TRAIN_KEY, films.ratings("train"))
    assert "holds none" in manifest_of(stage, refused)["error"]["message"]
    stage.s3.delete_object(Bucket=stage.ratings, Key="ratings/films/a-clicks.csv")
    done = upload(stage, films.TEST_KEY, films.ratings("test"))
    assert done.status == "SUCCEEDED", done.error
    assert rows_read(stage, done)[films.TRAIN_KEY] == len(ROWS)


def test_good_files_beside_a_bad_one_train_next_by_themselves(stage: Stage) -> None:
    runs.upload_films(stage)
    refused = upload(stage, "ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    assert refused.data["finish"]["outcome"] == "refused"
    following = refused.data["finish"]["next"]
    assert following is not None
    done = run(stage, following)
    assert done.status == "SUCCEEDED", done.error
    assert set(rows_read(stage, done)) == {films.TRAIN_KEY, films.TEST_KEY}
    assert done.data["finish"]["next"] is None


def test_a_bad_file_alone_starts_nothing_by_itself(stage: Stage) -> None:
    refused = upload(stage, "ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    assert refused.data["finish"]["next"] is None


def test_a_run_says_which_settings_changed(stage: Stage) -> None:
    runs.promoted(stage)
    done = upload(stage, CONFIG, '{"top_n": 5, "like_threshold": 3}')
    manifest = manifest_of(stage, done)
    assert manifest["changedSettings"] == {
        "top_n": {"before": 10, "now": 5},
        "like_threshold": {"before": 4.0, "now": 3.0},
    }
    report = stage.kept(f"runs/films/{manifest['runId']}/report.html").decode()
    assert "10 before, now 5" in report


@pytest.mark.parametrize(
    ("key", "text"), [(films.ITEMS_KEY, films.titles()), (CONFIG, '{"top_n": 5}')]
)
def test_what_comes_before_the_first_ratings_waits_for_them(
    stage: Stage, key: str, text: str
) -> None:
    waiting = upload(stage, key, text)
    assert (waiting.status, waiting.visited[-1]) == ("SUCCEEDED", "Wait for ratings")
    (notice,) = stage.notices()
    assert notice.facts["level"] == "information"
    assert "waiting for ratings" in notice.facts["summary"]
    assert "owner" not in stage.lease()
    done = runs.promoted(stage)
    assert pointer(stage)["runId"] == done.data["encoding"]["runId"]


def test_a_mistake_in_settings_that_wait_is_told_at_once(stage: Stage) -> None:
    refused = upload(stage, CONFIG, '{"top_m": 5}')
    assert refused.error["Error"] == "InvalidConfigError"
    (notice,) = stage.notices()
    assert "no model serves yet" in notice.facts["summary"]


def test_ratings_that_are_gone_beneath_a_model_that_serves_are_no_waiting(stage: Stage) -> None:
    runs.promoted(stage)
    for key in (films.TRAIN_KEY, films.TEST_KEY):
        stage.s3.delete_object(Bucket=stage.ratings, Key=key)
    done = run(stage, runs.admit(stage)["execution"])
    assert done.error["Error"] == "MissingRatingsError"
