"""Lists of the ranking model: batch and API, known users and strangers, and what runs promote."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from recommender.dataset.vocabulary import Vocabulary
from recommender.model.artifact import write_artifact
from recommender.model.machine import FactorizationMachine
from recommender.model.objective import ImplicitObjective
from recommender.predictor_types import REGRESSOR
from recommender.serving import served_runs

from functions.predict import app
from testbed import films
from testbed.events import api_call
from testbed.machine import Execution, State
from testbed.runs import (
    Outside,
    admit,
    again,
    archive,
    manifest_of,
    pointer,
    promoted,
    run,
    upload_films,
)
from testbed.stage import Stage

OBJECTIVE = ImplicitObjective(0.1, 0.01, 1.0)


def ranking_archive(stage: Stage, run_id: str, sign: int = 1) -> bytes:
    """A model that ranks what is of a user's taste first, as `als` leaves one behind."""
    ids = Vocabulary.from_json(stage.kept(f"runs/films/{run_id}/vocabulary/vocabulary.json"))
    factors = [films.taste(user) * 0.9 for user in ids.users]
    factors += [sign * films.taste(item) for item in ids.items]
    machine = FactorizationMachine(
        0.0,
        np.zeros(len(factors), np.float32),
        np.array(factors, np.float32)[:, None],
        REGRESSOR,
        objective=OBJECTIVE,
    )
    return write_artifact(machine, {})


def training(stage: Stage, like: int = 1, ranking: int = 1) -> Outside:
    """Training whose models are right (1) or wrong (-1) about everything."""

    def train(data: State) -> None:
        is_like = data["model"] == "like"
        made = archive(stage, data["runId"], like) if is_like else None
        made = made or ranking_archive(stage, data["runId"], ranking)
        stage.sagemaker.complete(data["training"]["trainingJobName"], made)

    return Outside(stage, trains=train)


def first(stage: Stage, like: int = 1, ranking: int = 1) -> Execution:
    upload_films(stage)
    return run(stage, admit(stage)["execution"], training(stage, like, ranking))


def call(stage: Stage, method: str, path: str, body: object = None) -> Mapping[str, Any]:
    event = api_call(
        method, f"/v1/catalogs/films/{path}", body=None if body is None else json.dumps(body)
    )
    told = stage.run("Predict", app.lambda_handler, event)
    return {"status": told["statusCode"], **json.loads(told["body"])}


def batch(stage: Stage, run_id: str) -> dict[str, Any]:
    data = stage.kept(f"runs/films/{run_id}/recommendations/part-00000.jsonl")
    return {row["user"]: row for row in map(json.loads, data.decode().splitlines())}


def run_of(done: Execution) -> str:
    assert done.status == "SUCCEEDED", done.error
    return str(done.data["encoding"]["runId"])


def test_batch_and_api_name_the_same_items_with_the_chance_of_a_like(stage: Stage) -> None:
    lists = batch(stage, run_of(first(stage)))
    for user in films.USERS:
        asked = call(stage, "GET", f"users/{user.replace('%', '%25')}/recommendations")
        assert asked["items"] == lists[user]["items"]
        assert lists[user]["basis"] == asked["basis"] == "personal"
        for item in asked["items"]:
            likes = films.likes(user, item["item"])
            assert item["score"] == pytest.approx(0.9 if likes else -0.9)
            assert item["like_probability"] == pytest.approx(
                films.LIKED if likes else films.DISLIKED
            )


def test_a_worse_ranking_model_leaves_the_lists_and_the_like_model_serves(stage: Stage) -> None:
    before = run_of(first(stage))
    done = again(stage, training(stage, ranking=-1))
    run_id = run_of(done)
    assert pointer(stage)["models"] == {"like": run_id, "ranking": before}
    assert "Score users" not in done.visited
    manifest = manifest_of(stage, done)
    assert manifest["outcome"] == "promoted"
    assert manifest["serves"] == {"like": run_id, "ranking": before}
    assert manifest["evaluation"]["models"]["ranking"]["verdict"] == "rejected"
    summary = stage.notices()[-1].facts["summary"]
    assert "new model serving" in summary
    assert "the new ranking model was rejected: The new model's lists reach NDCG@10" in summary
    answer = call(stage, "GET", "users/anna/recommendations")
    assert answer["model_version"] == before


def test_a_worse_like_model_leaves_the_endpoint_and_new_lists_are_made(stage: Stage) -> None:
    before = run_of(first(stage))
    done = again(stage, training(stage, like=-1))
    run_id = run_of(done)
    assert pointer(stage)["models"] == {"like": before, "ranking": run_id}
    assert "Update endpoint" not in done.visited
    assert pointer(stage)["endpointConfigName"] == f"matinee-{before}"
    # The chances are the like model's that serves.
    (best, *_) = batch(stage, run_id)["josé"]["items"]
    assert best["like_probability"] == pytest.approx(films.LIKED)
    pairs = {"pairs": [{"user": "josé", "item": best["item"]}]}
    answer = call(stage, "POST", "predictions", pairs)
    assert answer["model_version"] == before
    assert answer["predictions"][0]["score"] == pytest.approx(films.LIKED)


def test_with_no_ranking_model_that_is_good_enough_lists_are_the_popular_items(
    stage: Stage,
) -> None:
    run_id = run_of(first(stage, ranking=-1))
    assert pointer(stage)["models"] == {"like": run_id, "ranking": None}
    assert {row["basis"] for row in batch(stage, run_id).values()} == {"popular"}
    answer = call(stage, "GET", "users/anna/recommendations")
    assert answer["basis"] == "popular"


def test_a_first_run_may_bring_lists_alone_and_predictions_say_whose_they_are(
    stage: Stage,
) -> None:
    run_id = run_of(first(stage, like=-1))
    assert pointer(stage)["models"] == {"like": None, "ranking": run_id}
    assert "matinee-films" not in stage.sagemaker.endpoints
    answer = call(stage, "POST", "predictions", {"pairs": [{"user": "anna", "item": "242"}]})
    assert (answer["status"], answer["scored_by"]) == (200, "ranking")
    assert answer["predictions"][0]["score"] == pytest.approx(-0.9)
    assert answer["predictions"][0]["liked"] is False


def test_a_catalog_may_ask_for_lists_alone(stage: Stage) -> None:
    stage.upload("catalogs/films/config.json", '{"models": ["ranking"]}')
    done = first(stage)
    files = {key.split("/")[3] for key in stage.listing(f"runs/films/{run_of(done)}/")}
    assert "ranking" in files
    assert not {"train", "test"} & files
    assert [one["model"] for one in done.data["trainings"]] == ["ranking"]


def test_a_catalog_may_ask_for_predictions_alone_and_lists_are_of_the_like_model(
    stage: Stage,
) -> None:
    stage.upload("catalogs/films/config.json", '{"models": ["like"]}')
    run_id = run_of(first(stage))
    assert pointer(stage)["models"] == {"like": run_id, "ranking": None}
    answer = call(stage, "GET", "users/anna/recommendations")
    assert answer["basis"] == "personal"
    assert answer["items"][0]["score"] == pytest.approx(films.LIKED)
    assert "ranking" not in stage.kept_json(f"runs/films/{run_id}/plan.json")["models"]


def test_limits_on_lists_reject_the_ranking_model_alone(stage: Stage) -> None:
    stage.upload("catalogs/films/config.json", '{"gate": {"minimum": {"coverage": 1}}, "top_n": 1}')
    manifest = manifest_of(stage, first(stage))
    models = manifest["evaluation"]["models"]
    assert models["like"]["verdict"] == "promoted"
    assert models["ranking"]["verdict"] == "rejected"
    assert "lists' coverage" in models["ranking"]["reasons"][0]


def test_lists_are_told_beside_other_ways_to_make_them(stage: Stage) -> None:
    lists = manifest_of(stage, first(stage))["evaluation"]["lists"]
    assert set(lists["methods"]) == {"ranking", "popularity", "like", "item-to-item"}
    for method in lists["methods"].values():
        assert {"ndcg@5", "recall@10", "map@25", "hit_rate@10", "novelty@10"} <= set(method)
        assert method["users"] == 12
    ranking, popular = (lists["methods"][name]["ndcg@10"] for name in ("ranking", "popularity"))
    assert ranking["mean"] > popular["mean"] + 2 * popular["standard_error"]
    assert lists["unseen"] is None  # nobody is kept out of so small a catalog


def test_a_stranger_is_recommended_what_goes_with_the_ratings_sent_along(stage: Stage) -> None:
    run_id = run_of(first(stage))
    body = {"ratings": [{"item": "242", "rating": 5}, {"item": "nothing"}], "explain": True}
    answer = call(stage, "POST", "recommendations", body)
    assert {name: answer[name] for name in ("status", "model_version", "basis", "items_known")} == {
        "status": 200,
        "model_version": run_id,
        "basis": "ratings",
        "items_known": 1,
    }
    items = [one["item"] for one in answer["items"]]
    assert "242" not in items
    assert [films.taste(item) for item in items] == [1] * 4 + [-1] * 5
    for one in answer["items"]:
        (why,) = one["because"]
        assert (why["item"], why["title"]) == ("242", "Film 242")
        assert why["share"] == pytest.approx(one["score"])


def test_a_stranger_of_whom_nothing_is_known_gets_popular_items(stage: Stage) -> None:
    first(stage)
    body = {"ratings": [{"item": "nothing"}], "limit": 3}
    answer = call(stage, "POST", "recommendations", body)
    assert (answer["basis"], answer["items_known"], len(answer["items"])) == ("popular", 0, 3)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "$.ratings"),
        ({"ratings": []}, "$.ratings"),
        ({"ratings": [{"item": "1"}] * 1001}, "$.ratings"),
        ({"ratings": [{"rating": 5}]}, "$.ratings[0]"),
        ({"ratings": [{"item": "1", "stars": 5}]}, "$.ratings[0]"),
        ({"ratings": [{"item": "1", "rating": "5"}]}, "$.ratings[0].rating"),
        ({"ratings": [{"item": "1", "rating": 1e10}]}, "$.ratings[0].rating"),
        ({"ratings": [{"item": ""}]}, "$.ratings[0].item"),
        ({"ratings": [{"item": "1"}], "limit": 0}, "$.limit"),
        ({"ratings": [{"item": "1"}], "limit": True}, "$.limit"),
        ({"ratings": [{"item": "1"}], "explain": 1}, "$.explain"),
        ({"ratings": [{"item": "1"}], "user": ""}, "$.user"),
        ({"ratings": [{"item": "1"}], "who": "x"}, "$.who"),
        ([], "body"),
    ],
)
def test_what_is_no_question_for_lists_is_named_by_its_place(
    stage: Stage, body: object, where: str
) -> None:
    answer = call(stage, "POST", "recommendations", body)
    assert answer["status"] == 400
    assert answer["detail"].startswith(f"{where}: ")


def test_lists_of_a_run_from_before_there_were_two_models_are_the_like_models(
    stage: Stage,
) -> None:
    run_id = run_of(promoted(stage))
    plan = stage.kept_json(f"runs/films/{run_id}/plan.json")
    del plan["models"], plan["scale"], plan["config"]["models"], plan["config"]["ranking"]
    stage.keep(f"runs/films/{run_id}/plan.json", plan)
    stage.s3.delete_object(Bucket=stage.artifacts, Key=f"runs/films/{run_id}/factors/ranking.npz")
    served_runs.load.cache_clear()  # as a container that starts then
    old = {name: value for name, value in pointer(stage).items() if name != "models"}
    stage.keep("current/films.json", old)
    answer = call(stage, "GET", "users/anna/recommendations")
    assert (answer["basis"], answer["model_version"]) == ("personal", run_id)
    assert answer["items"][0]["score"] == pytest.approx(films.LIKED)
    body = {"ratings": [{"item": "242"}]}
    assert call(stage, "POST", "recommendations", body)["basis"] == "popular"


def test_news_of_a_known_user_are_added_to_what_is_known(stage: Stage) -> None:
    first(stage)
    seen = {item for item in films.ITEMS if films.side("anna", item) != "none"}
    known = [item for item in films.ITEMS if films.side("anna", item) == "train"]
    (new, *_) = [item for item in films.ITEMS if item not in seen]
    body = {"user": "anna", "ratings": [{"item": new, "rating": 1}], "explain": True}
    answer = call(stage, "POST", "recommendations", body)
    assert (answer["basis"], answer["user"], answer["user_known"]) == ("ratings", "anna", True)
    items = {one["item"] for one in answer["items"]}
    assert items == set(films.ITEMS) - seen - {new}
    for one in answer["items"]:
        assert {why["item"] for why in one["because"]} == {*known, new}
        assert sum(why["share"] for why in one["because"]) == pytest.approx(one["score"])


def test_a_new_rating_of_an_item_takes_the_place_of_the_old_one(stage: Stage) -> None:
    first(stage)
    rated = next(item for item in films.ITEMS if films.side("anna", item) == "train")

    def score(rating: float) -> float:
        body = {"user": "anna", "ratings": [{"item": rated, "rating": rating}], "limit": 1}
        return float(call(stage, "POST", "recommendations", body)["items"][0]["score"])

    assert score(films.rating("anna", rated)) != pytest.approx(
        score(6 - films.rating("anna", rated)), rel=1e-4
    )


def test_a_user_of_whom_nothing_was_known_is_a_stranger_by_name(stage: Stage) -> None:
    first(stage)
    ratings = [{"item": "242"}]
    named = call(stage, "POST", "recommendations", {"user": "new", "ratings": ratings})
    nameless = call(stage, "POST", "recommendations", {"ratings": ratings})
    assert named["user_known"] is False
    assert named["items"] == nameless["items"]
