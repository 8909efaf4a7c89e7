"""Ids are any text, in every call: in a path as the gateway reads it, in a query, in a body."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import pytest
from recommender.dataset.vocabulary import Vocabulary
from recommender.serving import served_runs

from functions.predict import app
from testbed import films
from testbed.events import api_call
from testbed.runs import Kept
from testbed.stage import Stage

ODD = (
    *("a/b", "a#b?c&d=e", 'say "so"', "100%", "d%2Fe", "two  spaces", " x", "a+b", "..", "{user}"),
    *(
        "\N{PILE OF POO}\N{VARIATION SELECTOR-16}",
        "e\N{COMBINING ACUTE ACCENT}",
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
    ),
    *("\\", "<b>", "%", "\t", "日本語", "x" * 256),
)
USERS = "/v1/catalogs/{catalog}/users/{user}/recommendations"
LISTS = "/v1/catalogs/{catalog}/recommendations"


@pytest.fixture
def odd(stage: Stage, promoted_run: Kept) -> Stage:
    """The planted catalog, its first users and items called otherwise."""
    promoted_run.put(stage)
    key = f"runs/films/{promoted_run.run_id}/vocabulary/vocabulary.json"
    known = Vocabulary.from_json(stage.kept(key))
    names = (*ODD[:10], *known.users[10:]), (*ODD[:9], *known.items[9:])
    renamed = Vocabulary(*names)
    stage.s3.put_object(Bucket=stage.artifacts, Key=key, Body=renamed.to_json())
    served_runs.load.cache_clear()
    return stage


def ask(stage: Stage, event: dict[str, Any]) -> Mapping[str, Any]:
    told = stage.run("Predict", app.lambda_handler, event)
    return {"status": told["statusCode"], **json.loads(told["body"])}


def by_path(user: str, *, decoded_path: bool) -> dict[str, Any]:
    """As API Gateway hands it over: parameters decoded; the path as it came, or decoded too."""
    path = USERS.replace("{catalog}", "films").replace("{user}", quote(user, safe=""))
    event = api_call("GET", unquote(path) if decoded_path else path)
    return event | {"resource": USERS, "pathParameters": {"catalog": "films", "user": user}}


@pytest.mark.parametrize("user", ODD)
@pytest.mark.parametrize("decoded_path", [False, True])
def test_a_user_of_any_name_is_asked_for_by_path(
    odd: Stage, user: str, *, decoded_path: bool
) -> None:
    answer = ask(odd, by_path(user, decoded_path=decoded_path))
    known = user in ODD[:10]
    assert (answer["status"], answer["user"], answer["user_known"]) == (200, user, known)


@pytest.mark.parametrize("user", ODD)
def test_and_by_query_and_body_alike(odd: Stage, user: str) -> None:
    event = api_call("GET", "/v1/catalogs/films/recommendations", query={"user": user})
    parameters = {"resource": LISTS, "pathParameters": {"catalog": "films"}}
    by_query = ask(odd, event | parameters)
    assert by_query == ask(odd, by_path(user, decoded_path=True))
    body = json.dumps({"user": user})
    event = api_call("POST", "/v1/catalogs/films/recommendations", body=body)
    by_body = ask(odd, event | parameters)
    assert (by_body["status"], by_body["user"]) == (200, user)
    assert by_body["user_known"] == by_query["user_known"]


@pytest.mark.parametrize("item", ODD)
def test_an_item_of_any_name_is_scored_and_named(odd: Stage, item: str) -> None:
    pairs = json.dumps({"pairs": [{"user": ODD[0], "item": item}]})
    (told,) = ask(odd, api_call("POST", "/v1/catalogs/films/predictions", body=pairs))[
        "predictions"
    ]
    is_known = item in {*ODD[:9], films.ITEMS[-2]}
    assert (told["item"], told["item_known"]) == (item, is_known)


def test_two_spellings_of_an_accent_are_two_ids(odd: Stage) -> None:
    """Unicode is not normalised: an id is what the files say, code point by code point."""
    names = {"e\N{COMBINING ACUTE ACCENT}", "\N{LATIN SMALL LETTER E WITH ACUTE}"}
    pairs = [{"user": name, "item": ODD[0]} for name in sorted(names)]
    body = json.dumps({"pairs": pairs})
    told = ask(odd, api_call("POST", "/v1/catalogs/films/predictions", body=body))["predictions"]
    assert {one["user"] for one in told} == names


@pytest.mark.parametrize("query", [{}, {"user": ""}, {"user": "x" * 257}])
def test_a_query_without_a_user_is_refused_in_words(odd: Stage, query: dict[str, str]) -> None:
    answer = ask(odd, api_call("GET", "/v1/catalogs/films/recommendations", query=query))
    assert answer["status"] == 400
    assert "user" in answer["detail"]
