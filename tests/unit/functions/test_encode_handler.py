"""The step that reads the bucket: what it writes, what it refuses, what it remembers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from recommender.errors import (
    InvalidConfigError,
    LeaseLostError,
    MalformedItemsError,
    MalformedRatingsError,
    MissingRatingsError,
    UnsuitableRatingsError,
)
from recommender.recordio.reading import read_rows

from functions.encode_ratings import app
from testbed import films, template
from testbed.runs import admit, upload_films
from testbed.stage import Stage

Labelled = dict[tuple[str, str], float]


def encode(stage: Stage, execution: str) -> dict[str, Any]:
    event = {"catalog": "films", "execution": execution}
    return stage.run("EncodeRatings", app.lambda_handler, event)


def next_execution(stage: Stage, execution: str) -> str:
    """Let an execution end without its last step, and the catalog's next one begin."""
    stage.end(execution, "ABORTED")
    return str(admit(stage)["execution"])


def plan_of(stage: Stage, answer: dict[str, Any]) -> dict[str, Any]:
    return stage.kept_json(f"runs/films/{answer['runId']}/plan.json")


def channel(stage: Stage, answer: dict[str, Any], name: str) -> Labelled:
    """Decode a channel by the run's vocabulary."""
    root = f"runs/films/{answer['runId']}/"
    names = stage.kept_json(root + "vocabulary/vocabulary.json")
    columns = names["users"] + names["items"]
    rows, labels = read_rows(stage.kept(f"{root}{name}/part-00000.pbr"))
    assert labels is not None
    found = rows.columns.reshape(-1, 2)
    return {
        (columns[user], columns[item]): float(label)
        for (user, item), label in zip(found, labels, strict=True)
    }


def test_the_channels_hold_every_rating_as_liked_or_not(stage: Stage) -> None:
    upload_films(stage)
    answer = encode(stage, admit(stage)["execution"])
    assert answer["outcome"] == "encoded"
    for name in ("train", "test"):
        expected = {pair: float(films.likes(*pair)) for pair in films.pairs(name)}
        assert channel(stage, answer, name) == expected


def test_a_regressor_learns_the_ratings_themselves(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", '{"predictor_type": "regressor"}')
    answer = encode(stage, admit(stage)["execution"])
    expected = {pair: 5.0 if films.likes(*pair) else 1.0 for pair in films.pairs("train")}
    assert channel(stage, answer, "train") == expected
    assert plan_of(stage, answer)["models"]["like"]["predictor_type"] == "regressor"


def test_the_plan_pins_the_versions_that_were_read(stage: Stage) -> None:
    versions = {
        films.TRAIN_KEY: stage.upload(films.TRAIN_KEY, films.ratings("train")),
        films.TEST_KEY: stage.upload(films.TEST_KEY, films.ratings("test")),
    }
    plan = plan_of(stage, encode(stage, admit(stage)["execution"]))
    assert {one["key"]: one["version_id"] for one in plan["snapshot"]} == versions
    assert plan["refusedFiles"] == []


def test_the_plan_says_how_to_train(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", '{"hyperparameters": {"epochs": 7}, "top_n": 3}')
    plan = plan_of(stage, encode(stage, admit(stage)["execution"]))
    hyperparameters = plan["models"]["like"]
    assert hyperparameters["epochs"] == "7"
    stack = json.loads(template.environment("EncodeRatings")["HYPERPARAMETERS"])
    assert hyperparameters["num_factors"] == stack["num_factors"]
    assert hyperparameters["feature_dim"] == str(len(films.USERS) + len(films.ITEMS))
    assert all(isinstance(value, str) for value in hyperparameters.values())
    assert plan["image"].endswith("/factorization-machines:1")
    assert plan["config"]["top_n"] == 3


def test_the_train_channel_lies_in_as_many_equal_files_as_asked_for(stage: Stage) -> None:
    upload_films(stage)
    whole = encode(stage, admit(stage)["execution"])["runId"]
    stage.upload("catalogs/films/config.json", '{"training": {"shards": 5}}')
    execution = next_execution(stage, str(stage.lease()["owner"]))
    root = f"runs/films/{encode(stage, execution)['runId']}/"
    parts = [f"{root}train/part-{number:05d}.pbr" for number in range(5)]
    assert stage.listing(root + "train/") == parts
    rows = [len(read_rows(stage.kept(part))[0]) for part in parts]
    assert max(rows) - min(rows) == 1  # 72 rows
    joined = b"".join(stage.kept(part) for part in parts)
    assert joined == stage.kept(f"runs/films/{whole}/train/part-00000.pbr")


def test_a_limit_on_what_the_model_will_not_have_ends_the_run_before_any_cost(
    stage: Stage,
) -> None:
    upload_films(stage)
    config = {"hyperparameters": {"solver": "adam"}, "gate": {"maximum": {"rmse": 0.9}}}
    stage.upload("catalogs/films/config.json", json.dumps(config))
    with pytest.raises(InvalidConfigError, match=r"\$\.gate\.maximum\.rmse: 0\.9 is not allowed"):
        encode(stage, admit(stage)["execution"])


def test_titles_and_rejects_are_kept(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,5\nanna,é,many\n")
    root = f"runs/films/{encode(stage, admit(stage)['execution'])['runId']}/"
    assert stage.kept_json(root + "vocabulary/titles.json")["é"] == "Film é"
    (reject,) = stage.kept(root + "rejects/rejects.jsonl").decode().splitlines()
    told = json.loads(reject)
    assert (told["key"], told["line"]) == ("ratings/films/more.csv", 3)
    assert "many" in told["text"]


def test_only_what_the_bucket_shows_now_is_read(stage: Stage) -> None:
    stage.upload(films.TRAIN_KEY, "user,item,rating\ngone,gone,5\n")
    upload_films(stage)
    stage.upload("ratings/films/", "")
    stage.upload("ratings/films/withdrawn.csv", "user,item,rating\nwithdrawn,242,5\n")
    stage.s3.delete_object(Bucket=stage.ratings, Key="ratings/films/withdrawn.csv")
    stage.upload("ratings/films2/other.csv", "user,item,rating\nneighbour,242,5\n")
    answer = encode(stage, admit(stage)["execution"])
    names = stage.kept_json(f"runs/films/{answer['runId']}/vocabulary/vocabulary.json")
    assert sorted(names["users"]) == sorted(films.USERS)
    assert plan_of(stage, answer)["counts"]["files"] == 2


@pytest.mark.parametrize("outcome", ["promoted", "rejected", "refused"])
def test_files_that_came_to_an_end_before_are_left_as_they_are(stage: Stage, outcome: str) -> None:
    upload_films(stage)
    execution = admit(stage)["execution"]
    run_id = encode(stage, execution)["runId"]
    stage.keep(f"runs/films/{run_id}/manifest.json", {"outcome": outcome})
    execution = next_execution(stage, execution)
    assert encode(stage, execution) == {"outcome": "unchanged", "runId": run_id}


def test_files_whose_run_failed_are_tried_again_under_a_new_name(stage: Stage) -> None:
    upload_films(stage)
    execution = admit(stage)["execution"]
    run_id = encode(stage, execution)["runId"]
    stage.keep(f"runs/films/{run_id}/manifest.json", {"outcome": "failed"})
    execution = next_execution(stage, execution)
    answer = encode(stage, execution)
    assert answer["outcome"] == "encoded"
    assert answer["runId"] == f"{run_id}-2"
    assert stage.kept_json(f"runs/films/{run_id}/manifest.json") == {"outcome": "failed"}


def test_another_upload_is_another_run(stage: Stage) -> None:
    upload_films(stage)
    execution = admit(stage)["execution"]
    first = encode(stage, execution)["runId"]
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    assert encode(stage, next_execution(stage, execution))["runId"] != first


def test_looking_at_the_bucket_answers_for_the_uploads_before(stage: Stage) -> None:
    upload_films(stage)
    execution = admit(stage)["execution"]
    admit(stage)
    assert stage.lease()["dirty"] is True
    run_id = encode(stage, execution)["runId"]
    lease = stage.lease()
    assert (lease["dirty"], lease["run_id"]) == (False, run_id)


def test_a_run_that_lost_its_lease_writes_nothing(stage: Stage) -> None:
    upload_films(stage)
    execution = admit(stage)["execution"]
    next_execution(stage, execution)
    with pytest.raises(LeaseLostError):
        encode(stage, execution)
    assert stage.listing() == []


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        ({}, MissingRatingsError, "no file under ratings/films/"),
        (
            {"ratings/films/a.csv": "u,1,5\n", "catalogs/films/config.json": '{"top_m": 3}'},
            InvalidConfigError,
            'catalogs/films/config.json, at \\$: unknown field "top_m"',
        ),
        (
            {"ratings/films/a.csv": "u,1,5\n", "catalogs/films/items.csv": "\x00\x01\x02\x03"},
            MalformedItemsError,
            "catalogs/films/items.csv, line 1: this is binary data",
        ),
        (
            {"ratings/films/a.csv": "user,item,rating\nu,1,many\n"},
            MalformedRatingsError,
            "ratings/films/a.csv, line 2",
        ),
        (
            {"ratings/films/a.csv": "user,item,rating\nu,1,5\nu,2,5\nv,1,5\nv,2,5\n"},
            UnsuitableRatingsError,
            "catalog films",
        ),
    ],
    ids=["nothing", "config", "items", "ratings", "one class"],
)
def test_input_that_cannot_be_used_is_refused_by_name(
    stage: Stage, files: dict[str, str], error: type[Exception], words: str
) -> None:
    for key, text in files.items():
        stage.upload(key, text)
    with pytest.raises(error, match=words):
        encode(stage, admit(stage, "ratings/films/a.csv")["execution"])


def test_a_run_refused_before_it_wrote_anything_is_known_to_the_lease(stage: Stage) -> None:
    stage.upload("ratings/films/a.csv", "user,item,rating\nu,1,many\n")
    execution = admit(stage)["execution"]
    with pytest.raises(MalformedRatingsError):
        encode(stage, execution)
    assert stage.lease()["run_id"].startswith("20")


def test_every_bad_file_is_named_at_once(stage: Stage) -> None:
    for name in "abcdefg":
        stage.upload(f"ratings/films/{name}.csv", "user,item,rating\nu,1,many\n")
    with pytest.raises(MalformedRatingsError) as caught:
        encode(stage, admit(stage)["execution"])
    words = str(caught.value)
    assert [f"ratings/films/{name}.csv" in words for name in "abcdefg"] == [True] * 4 + [False] * 3
    assert words.endswith("and 3 more files")


def bad_then(stage: Stage, act: Callable[[str], str]) -> dict[str, Any]:
    """Refuse one of three files, then encode again."""
    upload_films(stage)
    stage.upload("ratings/films/bad.csv", "user,item,rating\nu,1,many\n")
    execution = admit(stage)["execution"]
    with pytest.raises(MalformedRatingsError, match=r"bad\.csv"):
        encode(stage, execution)
    return encode(stage, act(execution))


def test_a_file_that_was_refused_does_not_stand_in_the_way_of_later_runs(stage: Stage) -> None:
    answer = bad_then(stage, lambda execution: next_execution(stage, execution))
    assert answer["outcome"] == "encoded"
    (left_out,) = plan_of(stage, answer)["refusedFiles"]
    assert left_out["key"] == "ratings/films/bad.csv"
    assert "line 2" in left_out["reason"]


def test_a_retry_of_the_run_that_refused_a_file_refuses_it_again(stage: Stage) -> None:
    with pytest.raises(MalformedRatingsError, match=r"bad\.csv"):
        bad_then(stage, lambda execution: execution)


def test_a_refused_file_that_was_mended_is_read(stage: Stage) -> None:
    def mend(execution: str) -> str:
        stage.upload("ratings/films/bad.csv", "user,item,rating\nnewcomer,242,5\n")
        return next_execution(stage, execution)

    answer = bad_then(stage, mend)
    assert ("newcomer", "242") in channel(stage, answer, "train")
    assert plan_of(stage, answer)["refusedFiles"] == []


def test_parts_without_rows_and_by_products_are_passed_over_and_listed(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("ratings/films/day=1/part-0.csv", "user,item,rating\n")
    stage.upload("ratings/films/day=1/_SUCCESS", "")
    answer = encode(stage, admit(stage)["execution"])
    plan = plan_of(stage, answer)
    assert {one["key"]: one["reason"] for one in plan["passedOver"]} == {
        "ratings/films/day=1/part-0.csv": "has no rows",
        "ratings/films/day=1/_SUCCESS": "is a by-product: '_SUCCESS' begins with '_'",
    }
    assert plan["refusedFiles"] == []


def test_nothing_but_parts_without_rows_is_refused_by_name(stage: Stage) -> None:
    stage.upload("ratings/films/part-0.csv", "user,item,rating\n")
    with pytest.raises(MalformedRatingsError, match=r"part-0\.csv.*no rows"):
        encode(stage, admit(stage)["execution"])
