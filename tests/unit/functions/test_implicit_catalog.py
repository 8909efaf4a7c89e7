"""A catalog without ratings, from its files to the answers of the API."""

import json
from typing import Any

import numpy as np
import pytest
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import InvalidConfigError, MalformedRatingsError, UnsuitableRatingsError
from recommender.model.artifact import write_artifact
from recommender.model.machine import FactorizationMachine
from recommender.model.objective import ImplicitObjective
from recommender.predictor_types import REGRESSOR
from recommender.recordio.reading import read_rows

from functions.encode_ratings import app as encode_ratings
from functions.predict import app as predict
from testbed import films
from testbed.events import api_call
from testbed.machine import State
from testbed.runs import Outside, admit, manifest_of, pointer, run
from testbed.stage import Stage

CONFIG_KEY = "catalogs/films/config.json"
EVENTS = {"events": {"buy": 3, "look": 1, "pass by": 0}}


def interactions(which: str) -> str:
    """What users did: bought what they like, and looked at it twice before."""
    lines = ["who,item,event,times"]
    for user, item in films.pairs(which):
        if films.likes(user, item):
            lines += [f"{user},{item},look,2", f"{user},{item},buy,1"]
        else:
            lines.append(f"{user},{item},pass by,1")
    return "\n".join(lines) + "\n"


def upload(stage: Stage, **settings: object) -> None:
    columns = {"user": "who", "count": "times"}
    stage.upload(CONFIG_KEY, json.dumps({**EVENTS, "columns": columns, **settings}))
    stage.upload(films.TRAIN_KEY, interactions("train"))
    stage.upload(films.TEST_KEY, interactions("test"))
    stage.upload(films.ITEMS_KEY, films.titles())


def encode(stage: Stage, key: str = films.TRAIN_KEY) -> State:
    event = {"catalog": "films", "execution": admit(stage, key)["execution"]}
    return stage.run("EncodeRatings", encode_ratings.lambda_handler, event)


def planted(ids: Vocabulary) -> bytes:
    """Two tastes, as the ranking solver would find them."""
    tastes = np.array([films.taste(name) for name in (*ids.users, *ids.items)], np.float32)
    factors = np.column_stack((tastes > 0, tastes < 0)).astype(np.float32)
    machine = FactorizationMachine(
        0.0,
        np.zeros(tastes.size, np.float32),
        factors,
        REGRESSOR,
        objective=ImplicitObjective(0.1, 0.01, 0.5),
    )
    return write_artifact(machine, {})


class Trained(Outside):
    """Trains a model of the two tastes."""

    def train(self, data: State) -> None:
        data_of_ids = self.stage.kept(f"runs/films/{data['runId']}/vocabulary/vocabulary.json")
        model = planted(Vocabulary.from_json(data_of_ids))
        self.stage.sagemaker.complete(data["training"]["trainingJobName"], model)


def call(stage: Stage, method: str, path: str, body: object = None) -> dict[str, Any]:
    text = None if body is None else json.dumps(body)
    event = api_call(method, f"/v1/catalogs/films/{path}", body=text)
    told = stage.run("Predict", predict.lambda_handler, event)
    assert told["statusCode"] == 200, told
    return dict(json.loads(told["body"]))


def test_there_is_one_channel_with_a_row_for_each_pair(stage: Stage) -> None:
    upload(stage, ranking={"hyperparameters": {"solver": "als"}})
    answer = encode(stage)
    root = f"runs/films/{answer['runId']}/"
    hyperparameters = stage.kept_json(f"{root}plan.json")["models"]["ranking"]
    assert hyperparameters["hit_threshold"] == "0"  # every pair is a like
    assert answer["models"] == ["ranking"]
    assert stage.listing(f"{root}train/") == stage.listing(f"{root}test/") == []
    _, weights = read_rows(stage.kept(f"{root}ranking/part-00000.pbr"))
    assert weights is not None
    liked = [pair for pair in films.pairs("train") if films.likes(*pair)]
    assert weights.tolist() == pytest.approx([np.log2(6)] * len(liked))
    counts = answer["counts"]
    assert counts["train_bytes"] == counts["test_bytes"] == 0
    assert counts["train_positive_share"] == 1
    assert counts["duplicates_replaced"] == counts["train_rows"] + counts["test_rows"]
    assert counts["weightless"] > 0


@pytest.mark.parametrize(
    ("settings", "text", "feedback", "because"),
    [
        ({"feedback": "implicit"}, interactions("train"), "implicit", "config.json"),
        ({"columns": {"user": "who"}}, interactions("train"), "implicit", "no column of ratings"),
        ({"columns": {}, "events": None}, films.ratings("train"), "explicit", films.TRAIN_KEY),
    ],
)
def test_the_plan_says_what_kind_it_is_and_how_that_is_known(
    stage: Stage, settings: dict[str, Any], text: str, feedback: str, because: str
) -> None:
    settings = {**EVENTS, "columns": {"user": "who", "count": "times"}, **settings}
    told = {name: value for name, value in settings.items() if value}
    stage.upload(CONFIG_KEY, json.dumps(told))
    stage.upload(films.TRAIN_KEY, text)
    answer = encode(stage)
    plan = stage.kept_json(f"runs/films/{answer['runId']}/plan.json")
    assert plan["feedback"] == plan["config"]["feedback"] == feedback
    assert because in plan["feedbackBecause"]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("user,item\na,x\nb,y\n", "user,item,rating\na,y,5\n", "holds ratings"),
        ("user,item,rating\na,x,5\nb,y,1\n", "user,item\na,y\n", "no rating"),
        ("user,item,rating\na,x,5\nb,y,1\n", '{"user": "a", "item": "y"}\n', "no row has a rating"),
    ],
)
def test_a_later_file_of_the_other_kind_is_refused(
    stage: Stage, first: str, second: str, words: str
) -> None:
    stage.upload("ratings/films/1", first)
    stage.upload("ratings/films/2", second)
    with pytest.raises(MalformedRatingsError, match=words) as caught:
        encode(stage, "ratings/films/1")
    assert caught.value.key == "ratings/films/2"
    (refused,) = stage.listing("refused/")
    assert words in stage.kept_json(refused)["reason"]


@pytest.mark.parametrize(
    ("settings", "text", "path"),
    [
        ({"models": ["like"]}, "user,item\na,x\n", "$.models"),
        ({"ranking": {"weights": {"5": 1}}}, "user,item\na,x\n", "$.ranking.weights"),
        ({"gate": {"minimum": {"auc": 0.5}}}, "user,item\na,x\n", "$.gate.minimum.auc"),
        (EVENTS, "user,item,rating\na,x,1\n", "$.events"),
        ({"half_life_days": 3}, "user,item,rating\na,x,1\n", "$.half_life_days"),
    ],
)
def test_settings_of_the_other_kind_are_refused_once_the_files_say_which_it_is(
    stage: Stage, settings: dict[str, Any], text: str, path: str
) -> None:
    stage.upload(CONFIG_KEY, json.dumps(settings))
    stage.upload(films.TRAIN_KEY, text)
    with pytest.raises(InvalidConfigError) as caught:
        encode(stage)
    assert caught.value.path == path


def test_a_catalog_of_one_item_is_refused(stage: Stage) -> None:
    stage.upload(films.TRAIN_KEY, "user,item\na,x\nb,x\n")
    stage.upload(films.TEST_KEY, "user,item\nc,x\n")
    with pytest.raises(UnsuitableRatingsError, match="a single item"):
        encode(stage)


def test_a_whole_run_makes_lists_and_no_endpoint(stage: Stage) -> None:
    upload(stage)
    done = run(stage, admit(stage)["execution"], Trained(stage))
    assert done.status == "SUCCEEDED", done.error
    run_id = done.data["encoding"]["runId"]
    assert pointer(stage)["models"] == {"like": None, "ranking": run_id}
    assert stage.sagemaker.endpoints == {}
    manifest = manifest_of(stage, done)
    assert (manifest["outcome"], manifest["feedback"]) == ("promoted", "implicit")
    assert manifest["evaluation"]["models"].keys() == {"ranking"}
    assert manifest["evaluation"]["ranking"]["ndcg"] > 0.9
    report = stage.kept(f"runs/films/{run_id}/report.html").decode()
    assert "implicit" in report
    assert "config.json says so" in report
    (notice,) = stage.notices()
    assert notice.subject.startswith("films: new lists (ndcg ")


def test_the_api_answers_with_the_ranking_model(stage: Stage) -> None:
    upload(stage)
    run(stage, admit(stage)["execution"], Trained(stage))
    stage.calls.clear()
    asked = [{"user": "anna", "item": item} for item in ("242", "a movie", "no such item")]
    told = call(stage, "POST", "predictions", {"pairs": asked})
    assert told["scored_by"] == "ranking"
    assert [one["score"] for one in told["predictions"]] == [0.0, 1.0, 0.0]
    assert [one["liked"] for one in told["predictions"]] == [False, True, False]
    assert [one["item_known"] for one in told["predictions"]] == [True, True, False]
    assert not [one for one in stage.calls if one.operation == "InvokeEndpoint"]
    personal = call(stage, "GET", "users/anna/recommendations")
    assert personal["basis"] == "personal"
    best = [one for one in personal["items"] if one["score"] > 0.5]
    assert {films.taste(one["item"]) for one in best} == {films.taste("anna")}
    assert "like_probability" not in personal["items"][0]
    popular = call(stage, "GET", "users/nobody/recommendations")
    assert popular["basis"] == "popular"


def test_a_session_of_counts_is_answered(stage: Stage) -> None:
    upload(stage)
    run(stage, admit(stage)["execution"], Trained(stage))

    def session(*ratings: dict[str, object]) -> list[dict[str, Any]]:
        told = call(stage, "POST", "recommendations", {"ratings": ratings})
        assert told["basis"] == "ratings"
        return list(told["items"])

    once = session({"item": "a movie"})
    assert films.taste(once[0]["item"]) == films.taste("a movie")
    assert session({"item": "a movie", "rating": 1}) == once
    often = session({"item": "a movie", "rating": 100})
    assert often[0]["score"] > once[0]["score"]


def test_fresh_counts_of_a_known_user_are_added_to_the_known_ones(stage: Stage) -> None:
    upload(stage)
    run(stage, admit(stage)["execution"], Trained(stage))
    user, item = next(pair for pair in films.pairs("train") if films.likes(*pair))

    def best(rated: str, count: float) -> float:
        ratings = [{"item": rated, "rating": count}]
        told = call(stage, "POST", "recommendations", {"user": user, "ratings": ratings})
        assert told["user_known"] is True
        assert told["basis"] == "ratings"
        return float(told["items"][0]["score"])

    known = best("no such item", 1)
    assert best(item, 0) == known
    assert known < best(item, 1) < best(item, 10)
