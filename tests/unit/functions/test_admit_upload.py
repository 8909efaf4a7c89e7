"""The function that EventBridge calls: uploads, and runs that ended without their last step."""

import time
from typing import Any

import pytest

from functions.admit_upload import app
from testbed.events import execution_ended, object_created, object_deleted
from testbed.stage import Stage


def tell(stage: Stage, key: str) -> dict[str, Any]:
    return stage.run("AdmitUpload", app.lambda_handler, object_created(stage.ratings, key))


def tell_of_end(stage: Stage, execution: str, status: str = "ABORTED") -> dict[str, Any]:
    event = execution_ended(stage.machine, execution, "films", status)
    return stage.run("AdmitUpload", app.lambda_handler, event)


@pytest.mark.parametrize(
    "key",
    [
        "ratings/films/u.data",
        "ratings/films/a+b.csv",
        "ratings/films/100%.csv",
        "ratings/films/%20.csv",
        "ratings/films/with space.csv",
        "ratings/films/é/日本.csv",
        "ratings/films/deep/er/test/ua.test",
        "catalogs/films/config.json",
    ],
)
def test_an_upload_starts_a_run_of_the_catalog_that_its_key_names(stage: Stage, key: str) -> None:
    answer = tell(stage, key)
    assert answer == {"catalog": "films", "execution": answer["execution"], "started": True}
    assert stage.executions() == {
        answer["execution"]: (
            "RUNNING",
            {"catalog": "films", "settleSeconds": 20, "pollSeconds": 30},
        )
    }
    assert stage.notices() == []


def test_a_deletion_starts_a_run_as_an_upload_does(stage: Stage) -> None:
    event = object_deleted(stage.ratings, "ratings/films/u.data")
    answer = stage.run("AdmitUpload", app.lambda_handler, event)
    assert list(stage.executions()) == [answer["execution"]]


def test_the_end_of_a_replaced_version_starts_nothing(stage: Stage) -> None:
    event = object_deleted(stage.ratings, "ratings/films/u.data", "Permanently Deleted")
    assert "ignored" in stage.run("AdmitUpload", app.lambda_handler, event)
    assert stage.executions() == {}


def test_the_same_event_five_times_is_one_run_and_one_more_look(stage: Stage) -> None:
    answers = [tell(stage, "ratings/films/u.data") for _ in range(5)]
    assert [answer["started"] for answer in answers] == [True, False, False, False, False]
    assert list(stage.executions()) == [answers[0]["execution"]]
    assert stage.lease()["dirty"] is True


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("ratings/Films/u.data", "'Films'"),
        ("ratings/films%20noir/u.data", "'films%20noir'"),
        ("ratings/films+noir/u.data", "'films+noir'"),
        ("ratings/films noir/u.data", "'films noir'"),
        ("ratings/é/u.data", "'é'"),
        ("ratings/u.data", "'ratings/u.data'"),
        ("ratings//u.data", "''"),
    ],
)
def test_an_upload_that_names_no_catalog_starts_nothing_and_is_told_of(
    stage: Stage, key: str, named: str
) -> None:
    answer = tell(stage, key)
    assert answer["ignored"].startswith(f"{named} is not a catalog name")
    assert stage.executions() == {}
    assert stage.lease() == {}
    (notice,) = stage.notices()
    assert notice.facts == {
        "summary": f"Upload ignored: {key}. {notice.facts['expected']}",
        "outcome": "ignored",
        "level": "warning",
        "key": key,
        "reason": answer["ignored"],
        "expected": notice.facts["expected"],
    }


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("u.data", "ratings/<catalog>/"),
        ("data/films/u.data", "ratings/<catalog>/"),
        ("ratings/u.data", "ratings/<catalog>/"),
        ("Ratings/films/u.data", "upload it as ratings/films/u.data"),
        ("catalogs/My Films/config.json", "such as 'my-films'"),
        ("Scoring/films/pairs.csv", "upload it as scoring/films/pairs.csv"),
        ("scoring/My Films/pairs.csv", "such as 'my-films'"),
        ("scoring/pairs.csv", "scoring/<catalog>/"),
    ],
)
def test_a_stray_is_told_where_it_should_lie(stage: Stage, key: str, words: str) -> None:
    tell(stage, key)
    (notice,) = stage.notices()
    assert words in notice.facts["summary"]


def test_strays_that_lie_together_are_told_of_once_an_hour(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    for n in range(20):
        tell(stage, f"Ratings/films/{n}.csv")
        tell(stage, f"{n}.csv")
    assert len(stage.notices()) == 2
    now[0] += 3601
    tell(stage, "Ratings/films/0.csv")
    assert len(stage.notices()) == 1


@pytest.mark.parametrize("deleted", [False, True])
def test_a_pair_list_is_no_stray_and_trains_nothing(stage: Stage, *, deleted: bool) -> None:
    key = "scoring/films/pairs.csv"
    event = (object_deleted if deleted else object_created)(stage.ratings, key)
    assert "trains nothing" in stage.run("AdmitUpload", app.lambda_handler, event)["ignored"]
    assert (stage.executions(), stage.notices(), stage.lease()) == ({}, [], {})


def test_a_stray_that_is_deleted_is_no_news(stage: Stage) -> None:
    event = object_deleted(stage.ratings, "u.data")
    stage.run("AdmitUpload", app.lambda_handler, event)
    assert stage.notices() == []


@pytest.mark.parametrize("key", ["ratings/films/", "ratings/", "ratings/Films/"])
def test_a_folder_made_in_the_console_is_no_upload(stage: Stage, key: str) -> None:
    assert tell(stage, key) == {"ignored": "a folder"}
    assert stage.executions() == {}
    assert stage.notices() == []


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_a_run_that_ended_without_its_last_step_frees_its_catalog(
    stage: Stage, status: str
) -> None:
    execution = tell(stage, "ratings/films/u.data")["execution"]
    stage.end(execution, status)
    assert tell_of_end(stage, execution, status) == {"catalog": "films", "freed": True}
    assert "owner" not in stage.lease()
    assert [notice.facts["outcome"] for notice in stage.notices()] == ["abandoned"]


def test_what_arrived_during_an_aborted_run_is_run_at_once(stage: Stage) -> None:
    execution = tell(stage, "ratings/films/u.data")["execution"]
    tell(stage, "ratings/films/more.csv")
    stage.end(execution, "ABORTED")
    tell_of_end(stage, execution)
    following = stage.lease()["owner"]
    assert following != execution
    assert stage.executions()[following][0] == "RUNNING"


def test_without_the_event_of_its_end_an_aborted_run_is_followed_by_the_next_upload(
    stage: Stage,
) -> None:
    execution = tell(stage, "ratings/films/u.data")["execution"]
    stage.end(execution, "ABORTED")
    answer = tell(stage, "ratings/films/more.csv")
    assert answer["started"] is True
    assert stage.lease()["owner"] == answer["execution"] != execution


def test_the_end_of_a_run_that_finished_itself_changes_nothing(stage: Stage) -> None:
    tell(stage, "ratings/films/u.data")
    before = stage.lease()
    assert tell_of_end(stage, "films-000000-of-old", "FAILED") == {
        "catalog": "films",
        "freed": False,
    }
    assert stage.lease() == before
    assert stage.notices() == []


def test_runs_started_and_uploads_queued_are_counted(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        tell(stage, "ratings/films/u.data")
    out = capsys.readouterr().out
    assert out.count('"RunsStarted":[1.0]') == 1
    assert out.count('"UploadsQueued":[1.0]') == 2
