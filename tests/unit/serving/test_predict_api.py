"""The HTTP API: its answers, and its refusals, which are problems and never accidents."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from recommender.pipeline.runs import CODE_VERSION

from functions.predict import app
from testbed import films
from testbed.events import api_call
from testbed.runs import ENDPOINT, Kept
from testbed.stage import Stage

PREDICTIONS = "/v1/catalogs/films/predictions"


@dataclass
class Answer:
    """What a caller gets."""

    status: int
    kind: str
    body: dict[str, Any]


@dataclass
class Api:
    """The API in front of a stage."""

    stage: Stage
    run_id: str

    def call(
        self,
        method: str,
        path: str,
        body: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        event = api_call(method, path, body=body, query=query)
        told = self.stage.run("Predict", app.lambda_handler, event)
        told["body"].encode()  # as Lambda will
        (kind,) = told["multiValueHeaders"]["Content-Type"]
        return Answer(told["statusCode"], kind, json.loads(told["body"]))

    def predict(self, *pairs: tuple[object, object], **more: object) -> Answer:
        asked = [{"user": user, "item": item} for user, item in pairs]
        return self.call("POST", PREDICTIONS, json.dumps({"pairs": asked, **more}))

    def recommend(self, user: str, **query: str) -> Answer:
        return self.call("GET", f"/v1/catalogs/films/users/{user}/recommendations", query=query)


@pytest.fixture
def api(stage: Stage, promoted_run: Kept) -> Api:
    promoted_run.put(stage)
    return Api(stage, promoted_run.run_id)


def check_problem(answer: Answer, status: int, kind: str) -> str:
    """See that an answer is a problem with a stable type, and hand out what it tells people."""
    assert (answer.status, answer.kind) == (status, "application/problem+json")
    assert set(answer.body) == {"type", "title", "status", "detail"}
    assert answer.body["type"] == f"urn:matinee:problem:{kind}"
    assert answer.body["status"] == status
    detail = answer.body["detail"]
    assert isinstance(detail, str)
    assert "Traceback" not in detail
    return detail


def test_pairs_are_scored_by_the_model_that_serves(api: Api) -> None:
    answer = api.predict(("anna", "a movie"), ("anna", "242"), ("josé", "z"))
    assert (answer.status, answer.kind) == (200, "application/json")
    assert answer.body["model_version"] == api.run_id
    scores = [one.pop("score") for one in answer.body["predictions"]]
    assert scores == pytest.approx([films.LIKED, films.DISLIKED, films.DISLIKED])
    known = {"user_known": True, "item_known": True}
    assert answer.body["predictions"] == [
        {"user": "anna", "item": "a movie", "title": "Film a movie", "liked": True, **known},
        {"user": "anna", "item": "242", "title": "Film 242", "liked": False, **known},
        {"user": "josé", "item": "z", "title": None, "liked": False, **known},
    ]


def test_every_pair_has_the_score_that_was_planted(api: Api) -> None:
    pairs = [(user, item) for user in films.USERS for item in films.ITEMS]
    found = api.predict(*pairs).body["predictions"]
    assert [(one["user"], one["item"]) for one in found] == pairs
    assert [one["liked"] for one in found] == [films.likes(*pair) for pair in pairs]


def test_ids_may_be_numbers(api: Api) -> None:
    (one,) = api.predict((196, 242)).body["predictions"]
    assert (one["user"], one["item"], one["user_known"]) == ("196", "242", True)
    assert one["score"] == pytest.approx(films.LIKED)


@pytest.mark.parametrize(("threshold", "liked"), [(0.01, True), (0.5, False), (0.99, False)])
def test_the_caller_says_from_where_on_a_pair_is_liked(
    api: Api, threshold: float, *, liked: bool
) -> None:
    (one,) = api.predict(("anna", "242"), threshold=threshold).body["predictions"]
    assert one["liked"] is liked


def test_what_is_unknown_contributes_nothing(api: Api) -> None:
    found = api.predict(("nobody", "242"), ("anna", "nothing"), ("nobody", "nothing")).body
    assert [
        (one["score"], one["user_known"], one["item_known"]) for one in found["predictions"]
    ] == [(0.5, False, True), (0.5, True, False), (0.5, False, False)]


def test_strangers_alone_do_not_trouble_the_endpoint(api: Api) -> None:
    api.stage.calls.clear()
    assert api.predict(("nobody", "nothing")).status == 200
    assert "InvokeEndpoint" not in [call.operation for call in api.stage.calls]


def test_a_thousand_pairs_are_one_call_of_the_endpoint(api: Api) -> None:
    found = api.predict(*[("anna", "242")] * 999, ("anna", "a movie")).body["predictions"]
    assert [call.operation for call in api.stage.calls].count("InvokeEndpoint") == 1
    assert len(found) == 1_000
    assert found[-1]["score"] == pytest.approx(films.LIKED)


def unseen(user: str) -> set[str]:
    return {item for item in films.ITEMS if films.side(user, item) == "none"}


@pytest.mark.parametrize("user", films.USERS)
def test_a_user_is_recommended_what_they_have_not_rated_best_first(api: Api, user: str) -> None:
    answer = api.recommend(user)
    assert answer.status == 200
    assert {name: answer.body[name] for name in ("user", "user_known", "basis")} == {
        "user": user,
        "user_known": True,
        "basis": "personal",
    }
    items = [one["item"] for one in answer.body["items"]]
    assert set(items) == unseen(user)
    assert [films.likes(user, item) for item in items] == [True, False]
    assert [one["score"] for one in answer.body["items"]] == [4.0, -4.0]
    chances = [one["like_probability"] for one in answer.body["items"]]
    assert chances == pytest.approx([films.LIKED, films.DISLIKED])


@pytest.mark.parametrize(
    ("path", "user"),
    [("f%20g", "f g"), ("jos%C3%A9", "josé"), ("h%26i", "h&i"), ("d%20e", "d%20e"), ("b+c", "b+c")],
)
def test_a_user_is_found_by_the_path_as_it_stands_or_decoded(
    api: Api, path: str, user: str
) -> None:
    assert api.recommend(path).body["user"] == user


def test_items_that_were_rated_can_be_asked_for(api: Api) -> None:
    items = api.recommend("anna", exclude_seen="false").body["items"]
    assert {one["item"] for one in items} == set(films.ITEMS)
    assert [films.likes("anna", one["item"]) for one in items] == [True] * 5 + [False] * 5


@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("7", 7), ("10", 10), ("100", 10)])
def test_at_most_so_many_items_are_named(api: Api, limit: str, count: int) -> None:
    items = api.recommend("anna", limit=limit, exclude_seen="false").body["items"]
    assert len(items) == count


def test_an_unknown_user_gets_what_most_people_like_and_is_told_so(api: Api) -> None:
    answer = api.recommend("nobody", limit="4").body
    assert {name: answer[name] for name in ("user", "user_known", "basis")} == {
        "user": "nobody",
        "user_known": False,
        "basis": "popular",
    }
    liked = dict.fromkeys(films.ITEMS, 0)
    for user, item in films.pairs("train"):
        liked[item] += films.likes(user, item)
    counts = [liked[one["item"]] for one in answer["items"]]
    assert counts == sorted(liked.values(), reverse=True)[:4]
    assert [one["score"] for one in answer["items"]] == counts
    assert {one["like_probability"] for one in answer["items"]} == {0.5}


def test_the_model_shows_its_manifest(api: Api) -> None:
    answer = api.call("GET", "/v1/catalogs/films/model")
    assert answer.status == 200
    kept = api.stage.kept_json(f"runs/films/{api.run_id}/manifest.json")
    assert answer.body == kept
    assert answer.body["outcome"] == "promoted"


def test_the_api_says_that_it_is_well(api: Api) -> None:
    answer = api.call("GET", "/v1/health")
    assert (answer.status, answer.body) == (200, {"status": "ok", "version": CODE_VERSION})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "body: is not JSON"),
        ("", "body: is not JSON"),
        ("{", "body: is not JSON"),
        ("[" * 100_000, "body: is not JSON"),
        ("[]", 'body: expected an object with "pairs"'),
        ("{}", "$.pairs: expected 1 to 1000 pairs, found null"),
        ('{"pairs": []}', "$.pairs: expected 1 to 1000 pairs, found 0 of them"),
        ('{"pairs": [7]}', "$.pairs[0]: expected"),
        ('{"pairs": [{"user": null, "item": "1"}]}', "$.pairs[0].user: expected an id"),
        ('{"pairs": [{"user": "1", "item": "1"}], "threshold": "x"}', "$.threshold: expected"),
        ('{"pairs": [], "\\ud800": 1}', "unknown field"),
    ],
    ids=lambda value: repr(value)[:25],
)
def test_a_bad_body_is_a_bad_request_in_words(api: Api, body: str | None, words: str) -> None:
    detail = check_problem(api.call("POST", PREDICTIONS, body), 400, "invalid-request")
    assert words in detail


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "many"}, {"exclude_seen": "perhaps"}], ids=str
)
def test_a_bad_query_is_a_bad_request_in_words(api: Api, query: dict[str, str]) -> None:
    (name,) = query
    detail = check_problem(api.recommend("anna", **query), 400, "invalid-request")
    assert detail.startswith(f"{name}: expected")


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\u0000", "\u2028", "<b>", '"'])
def test_any_text_that_json_can_hold_may_be_asked_and_is_answered(api: Api, text: str) -> None:
    (one,) = api.predict((text, text)).body["predictions"]
    assert (one["user"], one["item"], one["user_known"]) == (text, text, False)


CALLS = [
    ("POST", "/v1/catalogs/{}/predictions", '{"pairs": [{"user": "1", "item": "2"}]}'),
    ("GET", "/v1/catalogs/{}/users/anna/recommendations", None),
    ("GET", "/v1/catalogs/{}/model", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_catalog_that_serves_nothing_is_not_found(
    api: Api, method: str, path: str, body: str | None
) -> None:
    answer = api.call(method, path.format("books"), body)
    detail = check_problem(answer, 404, "unknown-catalog")
    assert detail == "catalog books has no serving model (yet)"


@pytest.mark.parametrize("name", ["Films", "-", "films-", "x" * 33, "..", "a%2Fb"])
@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_name_that_no_catalog_can_have_is_a_bad_request(
    api: Api, method: str, path: str, body: str | None, name: str
) -> None:
    answer = api.call(method, path.format(name), body)
    assert "is not a catalog name" in check_problem(answer, 400, "invalid-catalog-name")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v2/health"),
        ("GET", PREDICTIONS),
        ("DELETE", "/v1/catalogs/films/model"),
        ("GET", "/v1/catalogs/films/users//recommendations"),
        ("GET", "/v1/catalogs/films/nothing/é"),
    ],
)
def test_a_path_that_does_not_exist_is_not_found(api: Api, method: str, path: str) -> None:
    detail = check_problem(api.call(method, path), 404, "no-such-path")
    assert path in detail


def test_a_bad_request_is_not_counted_as_an_error_of_the_endpoint(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.call("POST", PREDICTIONS, "{")
    api.call("GET", "/v1/catalogs/books/model")
    assert "EndpointErrors" not in capsys.readouterr().out


def test_an_error_of_ours_shows_nothing_of_its_insides(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.stage.keep("current/films.json", "no object")
    detail = check_problem(api.predict(("anna", "242")), 500, "internal")
    assert detail == "An error of ours; it has been logged."
    assert "Traceback" in caplog.text


def copy_run(api: Api, name: str) -> None:
    """Make a run of another vocabulary: the same users in turned order, so columns mean others."""
    old, new = f"runs/films/{api.run_id}/", f"runs/films/{name}/"
    for key in api.stage.listing(old):
        api.stage.s3.put_object(
            Bucket=api.stage.artifacts, Key=key.replace(old, new), Body=api.stage.kept(key)
        )
    key = new + "vocabulary/vocabulary.json"
    names = api.stage.kept_json(key)
    names["users"].reverse()
    api.stage.keep(key, names)
    model = films.model(tuple(names["users"]), tuple(names["items"]))
    location = new + "model/model.tar.gz"
    api.stage.s3.put_object(Bucket=api.stage.artifacts, Key=location, Body=model)
    del api.stage.sagemaker.endpoints[ENDPOINT]
    api.stage.sagemaker.serve(ENDPOINT, name, f"s3://{api.stage.artifacts}/{location}")


def test_an_endpoint_that_moved_ahead_of_the_pointer_is_asked_in_its_own_words(api: Api) -> None:
    copy_run(api, "20261123t000000-newer")
    for _ in range(2):
        answer = api.predict(("anna", "a movie"), ("anna", "242")).body
        assert answer["model_version"] == "20261123t000000-newer"
        scores = [one["score"] for one in answer["predictions"]]
        assert scores == pytest.approx([films.LIKED, films.DISLIKED])
    operations = [call.operation for call in api.stage.calls]
    assert operations.count("DescribeEndpoint") == 1


def test_a_pointer_that_moved_is_followed_within_seconds(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert api.recommend("anna").body["model_version"] == api.run_id
    copy_run(api, "20261123t000000-newer")
    newer = dict.fromkeys(("like", "ranking"), "20261123t000000-newer")
    pointer = api.stage.kept_json("current/films.json")
    api.stage.keep("current/films.json", {**pointer, "models": newer})
    assert api.recommend("anna").body["model_version"] == api.run_id
    now[0] += 5.0
    assert api.recommend("anna").body["model_version"] == "20261123t000000-newer"


def test_a_model_is_loaded_once(api: Api) -> None:
    api.recommend("anna")
    api.stage.calls.clear()
    assert api.recommend("o").status == 200
    assert api.stage.calls == []


def test_the_planted_scores_are_what_the_tests_take_them_for() -> None:
    assert math.isclose(films.LIKED + films.DISLIKED, 1.0)
    assert films.LIKED > 0.98
