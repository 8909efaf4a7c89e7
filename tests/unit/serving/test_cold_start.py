"""Items and users without ratings of whom a side file tells something: from file to answers."""

import json
from typing import Any

import numpy as np
import pytest
from recommender.dataset.vocabulary import Vocabulary
from recommender.model.artifact import write_artifact
from recommender.model.machine import FactorizationMachine
from recommender.predictor_types import BINARY_CLASSIFIER
from recommender.recordio.reading import read_rows

from testbed import films
from testbed.machine import Execution, State
from testbed.runs import Outside, admit, manifest_of, run, upload_films
from testbed.scoring import scored
from testbed.stage import Stage
from tests.unit.serving.test_lists import batch, call, ranking_archive, run_of

CONFIG = {"features": {"items": {"mood": {}}, "users": {"mood": {}}}, "top_n": 12}
NEW_ITEMS = {"new/dark?": -1, "new light": 1}
NEW_USERS = {"nora #1": 1}
MOODS = {1: "light", -1: "dark"}


def upload(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", json.dumps(CONFIG))
    items = {**{item: films.taste(item) for item in films.ITEMS}, **NEW_ITEMS}
    rows = [f"{item},Film {item},{MOODS[taste]}" for item, taste in items.items()]
    stage.upload(films.ITEMS_KEY, "\n".join(["item,title,mood", *rows]))
    users = {**{user: films.taste(user) for user in films.USERS}, **NEW_USERS}
    rows = [f"{user},{MOODS[taste]}" for user, taste in users.items()]
    stage.upload("catalogs/films/users.csv", "\n".join(["user_id,mood", *rows]))


def like_archive(stage: Stage, run_id: str) -> bytes:
    """A model that has learned everything of moods, and nothing of anybody."""
    data = stage.kept(f"runs/films/{run_id}/vocabulary/vocabulary.json")
    vocabulary = Vocabulary.from_json(data)
    factors = np.zeros((vocabulary.dimension, 1), np.float32)
    for at, name in enumerate(vocabulary.features, len(vocabulary.users) + len(vocabulary.items)):
        factors[at] = 2.0 if name.endswith("light") else -2.0
    linear = np.zeros(vocabulary.dimension, np.float32)
    return write_artifact(FactorizationMachine(0.0, linear, factors, BINARY_CLASSIFIER), {})


def test_pair_lists_tell_of_them_what_the_api_tells(stage: Stage, done: Execution) -> None:
    users, items = [*films.USERS, *NEW_USERS, "nobody"], [*films.ITEMS, *NEW_ITEMS, "nothing"]
    pairs = [(user, item) for user in users for item in items]
    lines = [json.dumps({"user": user, "item": item}) for user, item in pairs]
    found = scored(stage, "\n".join(lines), "scoring/films/pairs.jsonl")
    body = {"pairs": [{"user": user, "item": item} for user, item in pairs]}
    told = call(stage, "POST", "predictions", body)["predictions"]
    assert [{"line": line, **one} for line, one in enumerate(told, 1)] == found.rows
    rated = len(films.USERS) * len(films.ITEMS) + len(films.USERS) + len(films.ITEMS)
    assert found.manifest["counts"]["by_transform"] == rated
    assert any("item_by_features" in row for row in found.rows)


@pytest.fixture
def done(stage: Stage) -> Execution:
    def train(data: State) -> None:
        run_id = data["runId"]
        made = (
            like_archive(stage, run_id)
            if data["model"] == "like"
            else ranking_archive(stage, run_id)
        )
        stage.sagemaker.complete(data["training"]["trainingJobName"], made)

    upload(stage)
    return run(stage, admit(stage)["execution"], Outside(stage, trains=train))


def listed(items: list[dict[str, Any]], item: str) -> dict[str, Any]:
    return next(one for one in items if one["item"] == item)


def test_new_items_are_in_lists_by_their_features_and_marked(done: Execution, stage: Stage) -> None:
    lists = batch(stage, run_of(done))
    for user in films.USERS:
        answer = call(stage, "GET", f"users/{user.replace('%', '%25')}/recommendations")
        for new, taste in NEW_ITEMS.items():
            told = listed(answer["items"], new)
            assert told["item_by_features"] is True
            assert told["title"] == f"Film {new}"
            assert (told["score"] > 0) == (taste == films.taste(user))
            assert (told["like_probability"] > 0.5) == (taste == films.taste(user))
        marked = {one["item"] for one in answer["items"] if "item_by_features" in one}
        assert marked == {*NEW_ITEMS}
        assert lists[user]["items"][:10] == answer["items"]


def test_a_new_user_with_features_gets_a_list_of_their_own(done: Execution, stage: Stage) -> None:
    answer = call(stage, "GET", "users/nora%20%231/recommendations")
    assert (answer["user"], answer["user_known"], answer["basis"]) == (
        "nora #1",
        False,
        "features",
    )
    listed = batch(stage, run_of(done))["nora #1"]
    assert (listed["basis"], listed["items"][:10]) == ("features", answer["items"])
    scores = {one["item"]: one["score"] for one in listed["items"]}
    assert set(scores) == {*films.ITEMS, *NEW_ITEMS}
    light = min(scores[item] for item in films.ITEMS[0::2])
    assert light > max(scores[item] for item in films.ITEMS[1::2])
    body = {"user": "nora #1", "ratings": [{"item": "nothing"}]}
    session = call(stage, "POST", "recommendations", body)
    assert (session["basis"], session["items_known"]) == ("features", 0)
    assert session["items"] == answer["items"][: len(session["items"])]


def test_predictions_of_new_ones_follow_from_features_and_are_marked(
    done: Execution, stage: Stage
) -> None:
    pairs = [{"user": "nora #1", "item": "new light"}, {"user": "anna", "item": "new/dark?"}]
    pairs += [{"user": "nora #1", "item": "new/dark?"}, {"user": "196", "item": "242"}]
    stage.calls.clear()
    answer = call(stage, "POST", "predictions", {"pairs": pairs})
    both, one, unlike, old = answer["predictions"]
    assert both["score"] > 0.9
    assert one["score"] > 0.9  # anna's taste is dark
    assert unlike["score"] < 0.1
    for told in (both, one, unlike):
        assert told["item_by_features"] is True
        assert told["item_known"] is False
    assert (both["user_by_features"], both["user_known"]) == (True, False)
    assert ("user_by_features" in one, one["user_known"]) == (False, True)
    # The endpoint is asked of those alone who have columns of their own in its model.
    (asked,) = (call for call in stage.calls if call.operation == "InvokeEndpoint")
    assert len(read_rows(asked.parameters["Body"])[0]) == 1
    assert old["score"] == pytest.approx(films.LIKED)


def test_the_run_says_how_many_there_are_and_what_features_are_worth(
    done: Execution, stage: Stage
) -> None:
    manifest = manifest_of(stage, done)
    assert manifest["counts"]["cold_items"] == 2
    assert manifest["counts"]["cold_users"] == 1
    assert (manifest["counts"]["users"], manifest["counts"]["items"]) == (12, 10)
    told = manifest["evaluation"]["lists"]["coldStart"]
    assert told["item"]["count"] == 2
    assert told["item"]["explained"] > 0.9


def test_a_file_that_spells_ids_otherwise_brings_no_strangers(stage: Stage) -> None:
    upload(stage)
    rows = [f"tt{at},Film {item},light" for at, item in enumerate(films.ITEMS)]
    stage.upload(films.ITEMS_KEY, "\n".join(["item,title,mood", *rows]))
    stage.upload("catalogs/films/config.json", "{}")
    done = run(stage, admit(stage)["execution"])
    manifest = manifest_of(stage, done)
    assert manifest["counts"]["cold_items"] == 0
    assert any("knows 0 of the 10 items" in one for one in manifest["warnings"])
