"""Parts of lists, similar items, searches, ranks: all as a full sort has them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recommender.api.answers import ServedRun
from recommender.dataset.vocabulary import Vocabulary
from recommender.model.artifact import write_artifact
from recommender.model.machine import FactorizationMachine
from recommender.model.objective import ImplicitObjective
from recommender.predictor_types import REGRESSOR
from recommender.serving import served_runs

from functions.predict import app
from testbed import films
from testbed.events import api_call
from testbed.machine import State
from testbed.runs import Outside, admit, archive, run, upload_films
from testbed.stage import Stage

ANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PAGES = st.tuples(
    st.integers(1, 12), st.integers(0, 12), st.lists(st.sampled_from([*films.ITEMS, "none"]))
)


@dataclass(repr=False)
class Api:
    """The API in front of a stage, and the run that it answers of."""

    stage: Stage
    run: ServedRun

    def __repr__(self) -> str:  # a failed example shows it
        return f"Api({self.run.run_id})"

    def get(self, path: str, **query: str | Sequence[str]) -> Mapping[str, Any]:
        return self._call(api_call("GET", f"/v1/catalogs/films/{path}", query=query))

    def post(self, path: str, **body: object) -> Mapping[str, Any]:
        return self._call(api_call("POST", f"/v1/catalogs/films/{path}", body=json.dumps(body)))

    def _call(self, event: dict[str, Any]) -> Mapping[str, Any]:
        told = self.stage.run("Predict", app.lambda_handler, event)
        return {"status": told["statusCode"], **json.loads(told["body"])}


def ranking_archive(stage: Stage, run_id: str) -> bytes:
    """A model without ties: factors by chance, of which one item has none."""
    ids = Vocabulary.from_json(stage.kept(f"runs/films/{run_id}/vocabulary/vocabulary.json"))
    rng = np.random.default_rng(4)
    factors = np.array([[films.taste(name)] * 3 for name in (*ids.users, *ids.items)], np.float32)
    factors += rng.normal(0, 0.2, factors.shape).astype(np.float32)
    factors[len(ids.users) + 3] = 0
    objective = ImplicitObjective(0.1, 0.01, 1.0)
    zeros = np.zeros(len(factors), np.float32)
    machine = FactorizationMachine(0.0, zeros, factors, REGRESSOR, objective=objective)
    return write_artifact(machine, {})


@pytest.fixture
def api(stage: Stage) -> Api:
    def train(data: State) -> None:
        is_like = data["model"] == "like"
        made = archive(stage, data["runId"], 1) if is_like else None
        made = made or ranking_archive(stage, data["runId"])
        stage.sagemaker.complete(data["training"]["trainingJobName"], made)

    upload_films(stage)
    done = run(stage, admit(stage)["execution"], Outside(stage, trains=train))
    served = served_runs.served(stage.artifacts, "films", done.data["encoding"]["runId"])
    assert served.ranking is not None
    return Api(stage, served)


def names(answer: Mapping[str, Any]) -> list[str]:
    assert answer["status"] == 200, answer
    return [one["item"] for one in answer["items"]]


def sorted_by(api: Api, scores: np.ndarray, without: Sequence[str]) -> list[str]:
    """All items of a run from the best down, but for some."""
    items = api.run.vocabulary.items
    order = sorted(range(len(items)), key=lambda at: (-scores[at], at))
    return [items[at] for at in order if items[at] not in without]


def scores_of(api: Api, user: str) -> np.ndarray:
    model = api.run.ranking
    assert model is not None
    own = model.user_factors[api.run.number_of(user)].astype(np.float64)
    return np.asarray(model.item_factors.astype(np.float64) @ own)


def rated(user: str) -> list[str]:
    return [item for item in films.ITEMS if films.side(user, item) != "none"]


@ANY
@given(PAGES, st.sampled_from(["anna", "k", "o"]), st.booleans())
def test_any_part_of_a_list_is_that_of_a_full_sort(
    api: Api,
    page: tuple[int, int, list[str]],
    user: str,
    seen: bool,  # noqa: FBT001
) -> None:
    limit, offset, exclude = page
    query = {"limit": str(limit), "offset": str(offset), "exclude_seen": str(seen)}
    answer = api.get(f"users/{user}/recommendations", **query, exclude=exclude)
    without = [*exclude, *(rated(user) if seen else [])]
    assert names(answer) == sorted_by(api, scores_of(api, user), without)[offset:][:limit]


@ANY
@given(PAGES)
def test_the_popular_items_are_those_with_most_likes(
    api: Api, page: tuple[int, int, list[str]]
) -> None:
    limit, offset, exclude = page
    likes = dict.fromkeys(api.run.vocabulary.items, 0)
    for user, item in films.pairs("train"):
        likes[item] += films.likes(user, item)
    whole = sorted_by(api, np.array([*likes.values()]), exclude)
    part = {"limit": str(limit), "offset": str(offset)}
    answer = api.get("popular", **part, exclude=exclude)
    assert names(answer) == whole[offset:][:limit]
    assert [one["score"] for one in answer["items"]] == [likes[one] for one in names(answer)]
    stranger = api.get("users/nobody/recommendations", **part, exclude=exclude)
    assert names(stranger) == names(answer)


@ANY
@given(PAGES, st.sampled_from(films.ITEMS))
def test_similar_items_are_those_of_the_largest_cosine(
    api: Api, page: tuple[int, int, list[str]], item: str
) -> None:
    limit, offset, exclude = page
    assert api.run.ranking is not None
    factors = api.run.ranking.item_factors.astype(np.float64)
    own = factors[api.run.vocabulary.item_numbers[item]]
    lengths = np.linalg.norm(factors, axis=1) * np.linalg.norm(own)
    cosines = np.array([a @ own / b if b else 0.0 for a, b in zip(factors, lengths, strict=True)])
    query = {"item": item, "limit": str(limit), "offset": str(offset)}
    answer = api.get("similar", **query, exclude=exclude)
    assert names(answer) == sorted_by(api, cosines, [*exclude, item])[offset:][:limit]
    assert (answer["item"], answer["basis"]) == (item, "factors")
    by_name = dict(zip(api.run.vocabulary.items, cosines, strict=True))
    told = {one["item"]: one["score"] for one in answer["items"]}
    assert told == pytest.approx({name: by_name[name] for name in told})


def test_similar_items_are_found_by_path_too(api: Api) -> None:
    assert api.get("items/242/similar") == api.get("similar", item="242")
    assert api.get("items/a%20movie/similar") == api.get("similar", item="a movie")


@ANY
@given(PAGES, st.sampled_from([None, "anna", "nobody"]))
def test_a_part_of_a_session_is_a_part_of_its_whole(
    api: Api, page: tuple[int, int, list[str]], user: str | None
) -> None:
    limit, offset, exclude = page
    asked: dict[str, Any] = {"ratings": [{"item": "242", "rating": 5}, {"item": "g", "rating": 1}]}
    if user:
        asked["user"] = user
    whole = names(api.post("recommendations", **asked, limit=500))
    part = api.post("recommendations", **asked, limit=limit, offset=offset, exclude=exclude)
    assert names(part) == [one for one in whole if one not in exclude][offset:][:limit]


@ANY
@given(
    st.lists(st.sampled_from([*films.ITEMS, "x", "y"]), min_size=1, unique=True),
    st.sampled_from([{"user": "anna"}, {"ratings": [{"item": "é"}]}, {"user": "nobody"}]),
)
def test_candidates_come_in_the_order_of_the_list(
    api: Api, items: list[str], who: dict[str, Any]
) -> None:
    answer = api.post("rank", items=items, **who)
    strangers = [item for item in items if item in {"x", "y"}]
    known = [item for item in names(answer) if item not in strangers]
    assert names(answer) == known + strangers
    assert sorted(names(answer)) == sorted(items)
    listed = [
        one["item"]
        for one in api.post("recommendations", **who, limit=500)["items"]
        if one["item"] in known
    ]
    assert [item for item in known if item in listed] == listed
    scores = [one["score"] for one in answer["items"] if one["item_known"]]
    assert scores == sorted(scores, reverse=True)
    assert all("score" not in one for one in answer["items"] if not one["item_known"])
    assert answer["basis"] == ("popular" if who == {"user": "nobody"} else "ratings")


def test_an_item_is_told_with_its_title_and_likes(api: Api) -> None:
    answer = api.get("items/242")
    assert answer["item"] == "242"
    assert answer["title"] == api.run.titles["242"]
    assert answer["likes"] == sum(
        films.likes(user, item) for user, item in films.pairs("train") if item == "242"
    )
    assert answer["item_known"] is True
    assert api.get("items", item="242") == answer


@pytest.mark.parametrize("path", ["items/none", "items/none/similar"])
def test_an_item_that_nobody_knows_is_not_found(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer["status"], answer["type"]) == (404, "urn:matinee:problem:unknown-item")
    assert "none" in answer["detail"]


def test_items_are_found_by_the_beginnings_of_words_of_their_titles(api: Api) -> None:
    titles = {
        "242": "The Wall, Pink",
        "a movie": "wallflower",
        "é": "Amélie",
        "d": "Stone wall",
        "z": "Wall",
    }
    api.run.titles.clear()
    api.run.titles.update(titles)
    found = names(api.get("items", query="WALL"))
    assert set(found) == {"242", "a movie", "d", "z"}
    assert set(found[:2]) == {"a movie", "z"}, "titles that begin with it come first"
    assert names(api.get("items", query="pink wall")) == ["242"]
    assert names(api.get("items", query="amel")) == ["é"]
    assert names(api.get("items", query="melie")) == []
    assert names(api.get("items", query="c%63")) == ["c%63"], "an item without a title by its id"
    assert names(api.get("items", query="?!")) == []
    pages = [names(api.get("items", query="wall", limit="1", offset=str(at))) for at in range(5)]
    assert [one for page in pages for one in page] == found
    assert api.get("items", query="wall", limit="1")["found"] == 4
    assert api.get("items")["status"] == 400


@pytest.mark.parametrize("user", films.USERS)
def test_what_a_user_rated_is_told_with_how_much_it_counts(api: Api, user: str) -> None:
    answer = api.get("users", user=user, limit="500")
    assert (answer["user"], answer["user_known"]) == (user, True)
    assert sorted(names(answer)) == sorted(rated(user))
    assert answer["found"] == len(rated(user))
    told = {one["item"]: one["weight"] for one in answer["items"]}
    train = [item for one, item in films.pairs("train") if one == user]
    assert told == pytest.approx(
        {item: (1.0 if films.likes(user, item) else 0.2) if item in train else 0 for item in told}
    )
    assert [*told.values()] == sorted(told.values(), reverse=True)
    pages = [
        names(api.get("users", user=user, limit="3", offset=str(at), exclude=names(answer)[:1]))
        for at in range(0, 12, 3)
    ]
    assert [one for page in pages for one in page] == names(answer)[1:]


def test_of_a_stranger_nothing_is_told(api: Api) -> None:
    answer = api.get("users/nobody")
    assert (answer["user_known"], answer["found"], names(answer)) == (False, 0, [])
    assert api.get("users")["status"] == 400
    assert api.get("users/anna") == api.get("users", user="anna")


@pytest.mark.parametrize("user", ["anna", "k"])
@pytest.mark.parametrize("seen", [True, False])
def test_a_list_is_explained_by_what_the_user_rated(api: Api, user: str, *, seen: bool) -> None:
    query = {"exclude_seen": str(seen), "limit": "4", "offset": "1" * (not seen) or "0"}
    plain = api.get(f"users/{user}/recommendations", **query)
    told = api.get(f"users/{user}/recommendations", **query, explain="true")
    assert {**told, "items": ()} == {**plain, "items": ()}
    train = {item for one, item in films.pairs("train") if one == user}
    assert told["items"]
    assert seen is not bool({*names(told)} & train)
    for one in told["items"]:
        assert {reason["item"] for reason in one["because"]} <= train
        assert sum(reason["share"] for reason in one["because"]) == pytest.approx(one["score"])
    asked = {"user": user, "explain": True, "limit": 4, "exclude_seen": seen}
    whole = api.post("recommendations", **asked, offset=int(query["offset"]))
    assert whole["items"] == told["items"]


def test_a_stranger_gets_no_reasons(api: Api) -> None:
    stranger = api.get("users/nobody/recommendations", explain="true")
    assert (stranger["status"], stranger["basis"]) == (200, "popular")
    assert all("because" not in one for one in stranger["items"])
    assert api.get("users/anna/recommendations", explain="1")["status"] == 400
    assert api.post("recommendations", user="anna", exclude_seen="no")["status"] == 400
