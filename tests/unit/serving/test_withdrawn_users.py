"""A person whose rows are gone is a stranger at once, whatever becomes of the new model."""

import json

import pytest
from recommender.serving import served_runs

from testbed import films
from testbed.machine import Execution
from testbed.runs import Outside, admit, manifest_of, pointer, promoted, run
from testbed.stage import Stage
from tests.unit.serving.test_lists import batch, call

GONE = "anna"


def without(user: str, which: str) -> str:
    lines = films.ratings(which).splitlines()
    return "\n".join(line for line in lines if not line.startswith(f"{user},"))


def delete_rows(stage: Stage, sign: int = -1, key: str = films.TRAIN_KEY) -> Execution:
    """Rewrite the files without one person's rows; the new model is bad unless told otherwise."""
    stage.upload(key, without(GONE, "train"))
    stage.upload(films.TEST_KEY, without(GONE, "test"))
    done = run(stage, admit(stage)["execution"], Outside(stage, sign=sign))
    look_again()
    return done


def look_again() -> None:
    """A few seconds pass."""
    served_runs._pointers.clear()
    served_runs._withdrawn.clear()


def known(stage: Stage, user: str) -> bool:
    pairs = {"pairs": [{"user": user, "item": "242"}]}
    told = call(stage, "POST", "predictions", pairs)["predictions"][0]["user_known"]
    listed = call(stage, "GET", f"users/{user}/recommendations")
    assert listed["user_known"] is told
    assert listed["basis"] == ("personal" if told else "popular")
    return bool(told)


def test_the_old_models_do_not_answer_for_whose_rows_are_gone(stage: Stage) -> None:
    promoted(stage)
    assert known(stage, GONE)
    before = pointer(stage)
    done = delete_rows(stage)
    assert manifest_of(stage, done)["outcome"] == "rejected"
    assert pointer(stage) == before
    assert not known(stage, GONE)
    assert known(stage, "k")
    body = {"user": GONE, "ratings": [{"item": "nothing"}]}
    assert call(stage, "POST", "recommendations", body)["user_known"] is False
    lists = batch(stage, before["runId"])
    assert set(lists) == set(films.USERS) - {GONE}
    manifest = manifest_of(stage, done)
    assert manifest["withdrawnUsers"] == 1
    summary = stage.notices()[-1].facts["summary"]
    assert "1 user whose ratings are gone is not served any more" in summary
    # Who they are is nobody's business.
    assert GONE not in summary
    assert GONE not in json.dumps(manifest)


def test_a_run_that_fails_afterwards_has_taken_them_out_all_the_same(stage: Stage) -> None:
    promoted(stage)

    def fail(data: dict[str, object]) -> None:
        for name, job in stage.sagemaker.jobs.items():
            if job["TrainingJobStatus"] == "InProgress":
                stage.sagemaker.end(name, "Failed", "Failed", "bad luck")

    stage.upload(films.TRAIN_KEY, without(GONE, "train"))
    stage.upload(films.TEST_KEY, without(GONE, "test"))
    done = run(stage, admit(stage)["execution"], Outside(stage, trains=fail))
    assert done.status == "FAILED"
    look_again()
    assert not known(stage, GONE)


def test_whoever_has_ratings_again_is_served_again(stage: Stage) -> None:
    promoted(stage)
    delete_rows(stage)
    stage.upload("ratings/films/back.csv", f"user,item,rating\n{GONE},242,1\n")
    run(stage, admit(stage)["execution"], Outside(stage, sign=-1))
    look_again()
    assert known(stage, GONE)


def test_a_promoted_run_knows_them_no_more_and_the_list_does_no_harm(stage: Stage) -> None:
    promoted(stage)
    delete_rows(stage, sign=1)
    assert not known(stage, GONE)
    stage.upload("ratings/films/back.csv", f"user,item,rating\n{GONE},242,1\n")
    run(stage, admit(stage)["execution"])
    look_again()
    assert known(stage, GONE)


def test_with_every_rating_deleted_nobody_is_served(stage: Stage) -> None:
    promoted(stage)
    for key in (films.TRAIN_KEY, films.TEST_KEY):
        stage.s3.delete_object(Bucket=stage.ratings, Key=key)
    done = run(stage, admit(stage)["execution"])
    assert done.error["Error"] == "MissingRatingsError"
    look_again()
    assert not any(known(stage, user) for user in ("anna", "k", "l"))


@pytest.mark.parametrize("config", ['{"columns": {"user": "item", "item": "user"}}'])
def test_other_settings_of_reading_take_nobody_out(stage: Stage, config: str) -> None:
    """Under these the users are other ids: a mistake, as a rule."""
    promoted(stage)
    stage.upload("catalogs/films/config.json", config)
    run(stage, admit(stage)["execution"], Outside(stage, sign=-1))
    look_again()
    assert known(stage, GONE)


def test_a_file_that_was_refused_takes_nobody_out(stage: Stage) -> None:
    promoted(stage)
    stage.upload(films.TRAIN_KEY, "user,item,rating\nanna,242,many\n")
    for _ in range(2):  # refused, then left out
        run(stage, admit(stage)["execution"], Outside(stage, sign=-1))
        stage.upload("ratings/films/more.csv", "user,item,rating\nk,242,1\n")
    look_again()
    assert known(stage, GONE)
