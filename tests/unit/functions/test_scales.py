"""Ratings that do not go from 1 to 5: from files to what people are told."""

import pytest

from testbed import films
from testbed.machine import STEPS
from testbed.runs import admit, manifest_of, run
from testbed.stage import Stage


def upload(stage: Stage, high: float, low: float) -> None:
    for key, which in ((films.TRAIN_KEY, "train"), (films.TEST_KEY, "test")):
        rows = [
            f"{user},{item},{high if films.likes(user, item) else low:g}"
            for user, item in films.pairs(which)
        ]
        stage.upload(key, "\n".join(["user,item,rating", *rows]))


@pytest.mark.parametrize(
    ("high", "low", "threshold"), [(9, 5, 7), (100, 35, 70), (1, 0, 1), (1, -1, 1)]
)
def test_a_like_is_found_out_and_told(
    stage: Stage, high: float, low: float, threshold: float
) -> None:
    upload(stage, high, low)
    manifest = manifest_of(stage, run(stage, admit(stage)["execution"]))
    assert manifest["outcome"] == "promoted"
    assert manifest["counts"]["train_positive_share"] == pytest.approx(0.5, abs=0.1)
    assert manifest["scale"]["likeThreshold"] == manifest["config"]["like_threshold"] == threshold
    (notice,) = stage.notices()
    assert f"Ratings of {threshold} and more are likes" in notice.facts["summary"]
    report = stage.kept(f"runs/films/{manifest['runId']}/report.html").decode()
    assert f"ratings of {threshold} and more" in report


def test_what_the_settings_say_holds_and_the_usual_is_not_talked_about(stage: Stage) -> None:
    upload(stage, 5, 1)
    run(stage, admit(stage)["execution"])
    assert "are likes" not in stage.notices()[-1].facts["summary"]
    stage.upload("catalogs/films/config.json", '{"like_threshold": 2}')
    manifest = manifest_of(stage, run(stage, admit(stage)["execution"]))
    assert manifest["scale"]["likeThreshold"] == 2
    assert manifest["scale"]["because"] == "config.json says so"
    assert "are likes" not in stage.notices()[-1].facts["summary"]


def test_ratings_beyond_the_scale_are_told_of(stage: Stage) -> None:
    upload(stage, 5, 1)
    rows = [f"u{n % 97},i{n % 31},{n % 5 + 1}" for n in range(3000)]
    many = "user,item,rating\n" + "\n".join([*rows, "u1,i0,55"])
    stage.upload("ratings/films/many.csv", many)
    event = {"catalog": "films", "execution": admit(stage)["execution"]}
    encoded = stage.run("EncodeRatings", STEPS["EncodeRatings"], event)
    plan = stage.kept_json(f"runs/films/{encoded['runId']}/plan.json")
    assert plan["scale"]["likeThreshold"] == 4
    assert any("1 rating lies beyond the scale" in one for one in plan["warnings"])


def test_one_class_is_refused_with_the_setting_and_the_range(stage: Stage) -> None:
    upload(stage, 9, 5)
    stage.upload("catalogs/films/config.json", '{"like_threshold": 95}')
    done = run(stage, admit(stage)["execution"])
    assert done.error["Error"] == "UnsuitableRatingsError"
    assert "from 5 to 9, are below like_threshold 95" in done.error["Cause"]


def test_a_model_that_says_yes_to_everything_does_not_pass_in_silence(stage: Stage) -> None:
    """Nearly everything is a like: the planted model is right, and no better than a yes."""
    for key, which in ((films.TRAIN_KEY, "train"), (films.TEST_KEY, "test")):
        rows = [
            f"{user},{item},{1 if which == 'train' and (user, item) in DISLIKED else 5}"
            for user, item in films.pairs(which)
        ]
        stage.upload(key, "\n".join(["user,item,rating", *rows]))
    stage.upload("catalogs/films/config.json", '{"gate": {"baseline_margin": 0}}')
    manifest = manifest_of(stage, run(stage, admit(stage)["execution"]))
    warnings = manifest["evaluation"]["warnings"]
    assert any("no better than calling every rating a like, 1.0000" in one for one in warnings)


DISLIKED = [pair for pair in films.pairs("train") if not films.likes(*pair)][:2]
