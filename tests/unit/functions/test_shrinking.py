"""A run that knows much less than the one that serves does not serve, unless somebody meant it."""

import json

import pytest

from testbed import films, runs
from testbed.machine import Execution
from testbed.runs import manifest_of, pointer, run
from testbed.stage import Stage

HEADER, *ROWS = films.ratings("train").splitlines()
MORE = "ratings/films/more.csv"


def upload(stage: Stage, key: str, text: str) -> Execution:
    stage.upload(key, text)
    return run(stage, runs.admit(stage, key)["execution"])


@pytest.fixture
def halves(stage: Stage) -> Stage:
    """A catalog of two files of train ratings, served."""
    stage.upload(MORE, "\n".join([HEADER, *ROWS[::2]]))
    stage.upload(films.TRAIN_KEY, "\n".join([HEADER, *ROWS[1::2]]))
    stage.upload(films.TEST_KEY, films.ratings("test"))
    done = run(stage, runs.admit(stage)["execution"])
    assert done.data["finish"]["outcome"] == "promoted", done.error
    stage.notices()
    return stage


def test_a_file_that_is_rewritten_with_less_is_news(halves: Stage) -> None:
    before = pointer(halves)
    done = upload(halves, MORE, "\n".join([HEADER, ROWS[0]]))
    manifest = manifest_of(halves, done)
    assert manifest["outcome"] == "rejected"
    assert pointer(halves) == before
    (notice,) = halves.notices()
    assert "a fall of more than gate.max_shrink, 30%" in notice.facts["summary"]
    assert notice.facts["summary"].index("The run has") < 80


def test_a_file_that_is_refused_and_missing_is_named(halves: Stage) -> None:
    refused = upload(halves, MORE, "user,item,rating\nanna,242,many\n")
    halves.notices()
    done = run(halves, refused.data["finish"]["next"])
    assert manifest_of(halves, done)["outcome"] == "rejected"
    (notice,) = halves.notices()
    assert f"refused and left out: {MORE}" in notice.facts["summary"]


def test_a_file_that_was_deleted_explains_it(halves: Stage) -> None:
    halves.s3.delete_object(Bucket=halves.ratings, Key=MORE)
    done = upload(halves, "ratings/films/few.csv", "\n".join([HEADER, ROWS[0]]))
    assert "max_shrink" not in json.dumps(manifest_of(halves, done)["evaluation"])


def test_settings_of_reading_explain_it(halves: Stage) -> None:
    done = upload(halves, "catalogs/films/config.json", '{"missing": [1], "like_threshold": 5}')
    evaluation = manifest_of(halves, done).get("evaluation", {})
    assert "max_shrink" not in json.dumps(evaluation)


def test_the_share_is_a_setting(halves: Stage) -> None:
    halves.upload("catalogs/films/config.json", '{"gate": {"max_shrink": 1}}')
    done = upload(halves, MORE, "\n".join([HEADER, ROWS[0]]))
    assert "max_shrink" not in json.dumps(manifest_of(halves, done)["evaluation"])


def test_files_that_a_run_leaves_out_are_in_its_sentence(stage: Stage) -> None:
    runs.upload_films(stage)
    refused = upload(stage, "ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    stage.notices()
    run(stage, refused.data["finish"]["next"])
    (notice,) = stage.notices()
    assert (
        "Left out, for they were refused before: ratings/films/bad.csv" in notice.facts["summary"]
    )
