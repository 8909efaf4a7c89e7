"""Pair lists, scored from upload to notice."""

import json
from typing import Any

import pytest
from recommender.recordio.reading import read_rows
from recommender.steps.scoring import encoding

from functions.admit_upload import app as admit_upload
from functions.predict import app as predict
from testbed import films
from testbed.events import api_call, object_created
from testbed.runs import admit as admit_ratings
from testbed.runs import promoted, run
from testbed.scoring import KEY, Scores, admit, score, scored
from testbed.stage import Stage

PAIRS = [
    *((user, item) for user in films.USERS for item in films.ITEMS),
    ("nobody", "242"),
    ("anna", "nothing"),
    ("nobody", "nothing"),
    ("anna", "242"),  # again
]


def listed(pairs: list[tuple[str, str]] = PAIRS) -> str:
    return "".join(f"{user},{item}\n" for user, item in [("user", "item"), *pairs])


def told_by_the_api(stage: Stage, pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    body = json.dumps({"pairs": [{"user": user, "item": item} for user, item in pairs]})
    event = api_call("POST", "/v1/catalogs/films/predictions", body=body)
    answer = stage.run("Predict", predict.lambda_handler, event)
    assert answer["statusCode"] == 200, answer
    found: list[dict[str, Any]] = json.loads(answer["body"])["predictions"]
    return found


def test_every_pair_has_the_apis_answer_in_the_order_of_the_list(stage: Stage) -> None:
    promoted(stage)
    found = scored(stage, listed())
    assert [row["line"] for row in found.rows] == list(range(2, 2 + len(PAIRS)))
    rows = [{name: row[name] for name in row if name != "line"} for row in found.rows]
    assert rows == told_by_the_api(stage, PAIRS)


def test_the_manifest_adds_up_and_says_who_scored(stage: Stage) -> None:
    done = promoted(stage)
    found = scored(stage, listed() + ",242\nanna\n")
    manifest = found.manifest
    assert manifest["counts"] == {
        "rows": len(PAIRS) + 2,
        "rejected": 2,
        "scored": len(PAIRS),
        "by_transform": len(PAIRS) - 1,
        "by_factors": 1,  # of two strangers
        "unknown_users": 2,
        "unknown_items": 2,
    }
    assert (manifest["outcome"], manifest["scored_by"]) == ("scored", "like")
    assert manifest["run"] == done.data["encoding"]["runId"]
    assert manifest["file"]["key"] == KEY
    assert manifest["settings"]["titles"] is True
    rejects = found.lines("rejects.jsonl")
    last = len(PAIRS) + 1
    assert [(one["key"], one["line"]) for one in rejects] == [(KEY, last + 1), (KEY, last + 2)]
    assert all(one["reason"] for one in rejects)
    (notice,) = stage.notices()
    assert f"{len(PAIRS)} pairs under {found.root}" in notice.facts["summary"]


def test_the_mark_of_success_is_written_last(stage: Stage) -> None:
    promoted(stage)
    scored(stage, listed())
    written = [
        one.parameters["Key"]
        for one in stage.calls
        if one.operation == "PutObject" and one.parameters["Bucket"] == stage.artifacts
    ]
    assert written[-1].endswith("/_SUCCESS")
    assert written[-2].endswith("/manifest.json")


def test_a_second_execution_of_the_same_file_leaves_the_same_objects(stage: Stage) -> None:
    promoted(stage)
    first = scored(stage, listed() + ",242\n")
    before = first.objects
    name = first.execution.name
    assert admit(stage)["execution"] == name  # the event again
    again = score(stage, name, works=lambda _: None)
    assert again.status == "SUCCEEDED"
    assert Scores(stage, again).objects == before


def test_a_new_version_of_the_file_is_another_scoring(stage: Stage) -> None:
    promoted(stage)
    first = scored(stage, listed())
    second = scored(stage, listed(PAIRS[:1]))
    assert first.root != second.root
    assert [len(one.rows) for one in (first, second)] == [len(PAIRS), 1]


def test_the_run_that_scores_is_decided_once(stage: Stage) -> None:
    """A new model comes to serve while the job of the old one works."""
    before = promoted(stage)
    stage.upload(KEY, listed())

    def another_run(job: str) -> None:
        stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
        run(stage, admit_ratings(stage)["execution"])
        stage.sagemaker.transform(job)

    told = told_by_the_api(stage, PAIRS)
    found = Scores(stage, score(stage, admit(stage)["execution"], works=another_run))
    assert found.manifest["run"] == before.data["encoding"]["runId"]
    assert stage.kept_json("current/films.json")["runId"] != found.manifest["run"]
    assert [row["score"] for row in found.rows] == [one["score"] for one in told]


def test_nothing_that_a_pair_list_does_starts_a_training_run(stage: Stage) -> None:
    promoted(stage)
    before = set(stage.executions())
    event = object_created(stage.ratings, KEY)
    told = stage.run("AdmitUpload", admit_upload.lambda_handler, event)
    assert "trains nothing" in told["ignored"]
    scored(stage, listed())
    assert set(stage.executions()) == before
    assert all(notice.facts["outcome"] == "scored" for notice in stage.notices())


def test_titles_are_left_out_if_the_settings_say_so(stage: Stage) -> None:
    stage.upload("catalogs/films/config.json", '{"scores": {"titles": false}}')
    promoted(stage)
    assert not any("title" in row for row in scored(stage, listed()).rows)


def test_without_a_like_model_the_ranking_model_scores_and_no_job_is_started(stage: Stage) -> None:
    stage.upload("catalogs/films/config.json", '{"models": ["ranking"]}')
    promoted(stage)
    found = scored(stage, listed())
    assert "Start transform" not in found.execution.visited
    assert stage.sagemaker.transforms == {}
    assert found.manifest["scored_by"] == "ranking"
    assert found.manifest["counts"]["by_factors"] == len(PAIRS)
    told = told_by_the_api(stage, PAIRS)
    assert [{n: v for n, v in row.items() if n != "line"} for row in found.rows] == told
    assert "ranking model's" in stage.notices()[-1].facts["summary"]


def test_who_is_withdrawn_is_a_stranger(stage: Stage) -> None:
    promoted(stage)
    stage.keep("withdrawn/films.json", {"users": ["anna"]})
    found = scored(stage, listed([("anna", "242"), ("k", "242")]))
    assert [row["user_known"] for row in found.rows] == [False, True]
    assert found.manifest["counts"]["unknown_users"] == 1


def test_parts_are_cut_so_that_each_fits_into_a_request(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(stage)
    whole = scored(stage, listed())
    monkeypatch.setattr(encoding, "_MOST_ROWS", 50)
    monkeypatch.setattr(encoding, "_MOST_BYTES", 1000)
    cut = scored(stage, listed(), "scoring/films/again.csv")
    assert cut.rows == whole.rows
    bodies = [data for key, data in cut.objects.items() if "/_work/rows/" in key]
    assert len(bodies) > len(PAIRS) // 50
    assert all(len(body) <= 1000 for body in bodies)
    assert sum(len(read_rows(body)[0]) for body in bodies) == len(PAIRS) - 1
    assert cut.manifest["parts"] == len(bodies)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda answer: answer.split(b"\n", 1)[1], "found 2"),
        (lambda answer: answer + answer.split(b"\n")[0], "found 4"),
        (lambda _: b"", "found 0"),
        (lambda answer: answer.replace(b"score", b"sorce"), "KeyError"),
        (lambda _: b'{"score": NaN}\n' * 3, "finite"),
    ],
)
def test_other_answers_than_were_asked_for_fail_loudly(
    stage: Stage, spoil: Any, found: str
) -> None:
    promoted(stage)
    stage.upload(KEY, listed(PAIRS[:3]))
    done = score(
        stage, admit(stage)["execution"], works=lambda job: stage.sagemaker.transform(job, spoil)
    )
    assert (done.status, done.error["Error"]) == ("FAILED", "MismatchedScoresError")
    assert found in done.error["Cause"]
    scores = Scores(stage, done)
    assert scores.manifest["outcome"] == "failed"
    assert scores.root + "_SUCCESS" not in scores.objects
    (notice,) = stage.notices()
    assert (notice.facts["level"], notice.facts["outcome"]) == ("error", "failed")
    assert "Upload it again" in notice.facts["summary"]
