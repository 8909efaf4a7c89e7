"""A catalog of ratings whose model knows how they become likes, from training to the API."""

import json
import math
from dataclasses import dataclass
from typing import Any

import pytest
from recommender.dataset.vocabulary import Vocabulary
from recommender.model import factors
from recommender.model.artifact import read_artifact
from recommender.model.machine import LikeLink
from recommender.model.pair_model import split_machine
from recommender.pipeline.run_files import RunFiles
from recommender.predictor_types import REGRESSOR

from functions.predict import app
from testbed import films
from testbed.events import api_call
from testbed.machine import State
from testbed.runs import Outside, admit, run, upload_films
from testbed.stage import Stage

LINK = LikeLink(1.5, -5.0)


def chance(rating: float) -> float:
    return 1 / (1 + math.exp(5.0 - 1.5 * rating))


@dataclass
class Served:
    """A run of regressors that serves."""

    stage: Stage
    run_id: str

    def predict(self, *pairs: tuple[str, str], **more: object) -> dict[str, Any]:
        asked = [{"user": user, "item": item} for user, item in pairs]
        body = json.dumps({"pairs": asked, **more})
        event = api_call("POST", "/v1/catalogs/films/predictions", body=body)
        told = self.stage.run("Predict", app.lambda_handler, event)
        return {"status": told["statusCode"], **json.loads(told["body"])}

    def judged(self) -> dict[str, Any]:
        return self.stage.kept_json(f"runs/films/{self.run_id}/metrics.json")


def serve(stage: Stage, link: LikeLink | None, **settings: object) -> Served:
    """Run the planted catalog with a model that says 5 or 1 stars, as the ratings are."""

    def train(data: State) -> None:
        data_of_ids = stage.kept(f"runs/films/{data['runId']}/vocabulary/vocabulary.json")
        ids = Vocabulary.from_json(data_of_ids)
        model = films.model(
            ids.users, ids.items, strength=1.0, predictor_type=REGRESSOR, like_link=link
        )
        stage.sagemaker.complete(data["training"]["trainingJobName"], model)

    stage.upload(
        "catalogs/films/config.json", json.dumps({"predictor_type": REGRESSOR, **settings})
    )
    upload_films(stage)
    done = run(stage, admit(stage)["execution"], Outside(stage, trains=train))
    assert done.status == "SUCCEEDED", done.error
    return Served(stage, done.data["encoding"]["runId"])


def test_a_pair_is_liked_by_the_probability_of_a_like(stage: Stage) -> None:
    served = serve(stage, LINK)
    pairs = [("anna", "a movie"), ("anna", "242"), ("nobody", "nothing")]
    found = served.predict(*pairs)["predictions"]
    assert [one["score"] for one in found] == pytest.approx([5, 1, 3], abs=1e-6)
    expected = [chance(5), chance(1), chance(3)]
    assert [one["like_probability"] for one in found] == pytest.approx(expected)
    assert [one["liked"] for one in found] == [True, False, False]


@pytest.mark.parametrize(
    ("threshold", "liked"), [(0.9, [True, False]), (0.95, [False, False]), (0.02, [True, True])]
)
def test_a_threshold_of_the_caller_is_a_probability(
    stage: Stage, threshold: float, liked: list[bool]
) -> None:
    # Rated 5 and 1, both above each of these thresholds; liked with 0.924 and 0.029.
    found = serve(stage, LINK).predict(("anna", "a movie"), ("anna", "242"), threshold=threshold)
    assert [one["liked"] for one in found["predictions"]] == liked


@pytest.mark.parametrize("threshold", [4, -0.1])
def test_a_threshold_that_is_no_probability_is_refused(stage: Stage, threshold: float) -> None:
    answer = serve(stage, LINK).predict(("anna", "242"), threshold=threshold)
    assert answer["status"] == 400
    assert answer["detail"] == (
        f"$.threshold: expected a probability of a like, 0 to 1, found {threshold:g}"
    )


def told_of(part: bytes, user: str) -> list[dict[str, Any]]:
    rows = map(json.loads, part.splitlines())
    return next(list(row["items"]) for row in rows if row["user"] == user)


@pytest.mark.parametrize("link", [LINK, None])
def test_recommendations_tell_probabilities_as_predictions_do(
    stage: Stage, link: LikeLink | None
) -> None:
    served = serve(stage, link)
    part = stage.kept(RunFiles("films", served.run_id).recommendations(0))
    event = api_call("GET", "/v1/catalogs/films/users/anna/recommendations")
    told = stage.run("Predict", app.lambda_handler, event)
    items = json.loads(told["body"])["items"]
    assert items == told_of(part, "anna")
    names = ["item", "title", "score"] + ["like_probability"] * (link is not None)
    assert [list(item) for item in items] == [names] * len(items)
    assert items
    for item in items if link else ():
        assert item["like_probability"] == pytest.approx(chance(item["score"]))


def test_without_a_link_a_pair_is_liked_by_its_rating(stage: Stage) -> None:
    served = serve(stage, None)
    pairs = [("anna", "a movie"), ("anna", "242")]
    found = served.predict(*pairs)["predictions"]
    assert [one["liked"] for one in found] == [True, False]  # 4 is the usual threshold
    assert not any("like_probability" in one for one in found)
    found = served.predict(*pairs, threshold=5.5)["predictions"]
    assert [one["liked"] for one in found] == [False, False]


def test_a_regressor_with_a_link_is_judged_by_its_ratings_and_its_likes_are_told(
    stage: Stage,
) -> None:
    judged = serve(stage, LINK).judged()
    found = judged["challenger"]
    losses = [
        -math.log(chance(5) if films.likes(*pair) else 1 - chance(1))
        for pair in films.pairs("test")
    ]
    assert found["rmse"] == pytest.approx(0, abs=1e-6)
    assert found["cross_entropy"] == pytest.approx(sum(losses) / len(losses))
    assert (found["accuracy"], found["f1"], found["auc"]) == (1, 1, 1)
    assert judged["verdict"] == "promoted"
    assert "RMSE" in judged["reasons"][0]


def test_a_regressor_with_a_link_may_be_limited_by_its_likes(stage: Stage) -> None:
    judged = serve(
        stage,
        LINK,
        hyperparameters={"solver": "gibbs"},
        gate={"minimum": {"auc": 0.99}, "maximum": {"cross_entropy": 0.01}},
    ).judged()
    assert judged["models"]["like"]["verdict"] == "rejected"
    (reason,) = judged["models"]["like"]["reasons"]
    assert "cross_entropy 0.0543 is above gate.maximum" in reason


def test_a_regressor_without_a_link_has_no_figures_of_likes(stage: Stage) -> None:
    assert set(serve(stage, None).judged()["challenger"]) == {"rmse", "mae"}


@pytest.mark.parametrize("link", [LINK, None])
def test_the_link_is_kept_with_the_factors(link: LikeLink | None) -> None:
    model = films.model(films.USERS, films.ITEMS, predictor_type=REGRESSOR, like_link=link)
    machine = read_artifact(model, "here")
    model_of_pairs = split_machine(machine, len(films.USERS), len(films.ITEMS))
    assert factors.from_arrays(factors.to_arrays(model_of_pairs)).like_link == link
