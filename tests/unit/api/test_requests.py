"""What API callers may ask."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.api.queries import MAX_EXCLUDED, MAX_ID_LENGTH, MAX_LIMIT, MAX_OFFSET
from recommender.api.requests import (
    MAX_CANDIDATES,
    MAX_PAIRS,
    PredictionRequest,
    RankRequest,
    parse_predictions,
    parse_rank,
    parse_session,
)
from recommender.errors import InvalidRequestError

PAIR = {"user": "196", "item": "242"}


def refusal(body: str | None) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        parse_predictions(body)
    return caught.value


def test_pairs_are_read_in_their_order() -> None:
    body = json.dumps({"pairs": [PAIR, {"user": "josé", "item": "a b"}], "threshold": 0.25})
    assert parse_predictions(body) == PredictionRequest((("196", "242"), ("josé", "a b")), 0.25)


@pytest.mark.parametrize("threshold", ["", ', "threshold": null'])
def test_without_a_threshold_the_model_decides(threshold: str) -> None:
    body = '{"pairs": [{"user": "1", "item": "2"}]' + threshold + "}"
    assert parse_predictions(body).threshold is None


@pytest.mark.parametrize(
    ("given_id", "read"),
    [("7", "7"), (7, "7"), (0, "0"), (-3, "-3"), (" 7 ", " 7 "), ("7.0", "7.0"), ("é", "é")],
)
def test_an_id_is_the_text_or_the_whole_number_that_it_is(given_id: object, read: str) -> None:
    body = json.dumps({"pairs": [{"user": given_id, "item": given_id}]})
    assert parse_predictions(body).pairs == ((read, read),)


@pytest.mark.parametrize("given_id", ["", None, True, 1.5, [], {}, "x" * (MAX_ID_LENGTH + 1)])
@pytest.mark.parametrize("side", ["user", "item"])
def test_what_is_no_id_is_named_by_its_place(side: str, given_id: object) -> None:
    error = refusal(json.dumps({"pairs": [PAIR, {**PAIR, side: given_id}]}))
    assert error.where == f"$.pairs[1].{side}"
    assert "expected an id" in error.reason


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        " ",
        "pairs",
        "{",
        '{"pairs": [}',
        "[" * 100_000,
        '{"pairs": ' + "[" * 100_000,
        '{"pairs": [{"user": ' + "9" * 5_000 + ', "item": "1"}]}',
        '{"pairs": [], "threshold": NaN}',
        '{"pairs": [], "threshold": -Infinity}',
        "\ufeff{}",
    ],
    ids=lambda body: repr(body)[:20],
)
def test_what_is_no_json_is_a_bad_body(body: str | None) -> None:
    error = refusal(body)
    assert error.where == "body"
    assert len(str(error)) < 300


def test_a_body_in_base64_is_read() -> None:
    body = base64.b64encode(json.dumps({"pairs": [PAIR]}).encode()).decode()
    assert parse_predictions(body, is_base64=True).pairs == (("196", "242"),)


@pytest.mark.parametrize("body", ["e", "{}", "é", base64.b64encode(b"\xff\xfe{}x").decode(), None])
def test_what_is_no_json_in_base64_is_a_bad_body(body: str | None) -> None:
    with pytest.raises(InvalidRequestError, match="body: is not JSON"):
        parse_predictions(body, is_base64=True)


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "7", "true"])
def test_what_is_no_object_is_a_bad_body(body: str) -> None:
    assert str(refusal(body)) == 'body: expected an object with "pairs"'


def test_an_unknown_field_is_named() -> None:
    error = refusal(json.dumps({"pairs": [PAIR], "treshold": 0.5}))
    assert str(error) == '$.treshold: unknown field; known: "pairs", "threshold"'


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ([], "0 of them"),
        ([PAIR] * (MAX_PAIRS + 1), f"{MAX_PAIRS + 1} of them"),
        (None, "null"),
        ("x" * 1_000, '"xxx'),
        ({"user": "1"}, '{"user": "1"}'),
        (7, "7"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_the_number_of_pairs_is_bounded(pairs: object, found: str) -> None:
    error = refusal(json.dumps({"pairs": pairs}))
    assert error.where == "$.pairs"
    assert error.reason.startswith(f"expected 1 to {MAX_PAIRS} pairs, found {found}")
    assert len(error.reason) < 200


def test_as_many_pairs_as_are_allowed_are_read() -> None:
    assert len(parse_predictions(json.dumps({"pairs": [PAIR] * MAX_PAIRS})).pairs) == MAX_PAIRS


@pytest.mark.parametrize(
    "pair", [None, "x", [], ["1", "2"], {}, {"user": "1"}, {**PAIR, "rating": 5}]
)
def test_what_is_no_pair_is_named_by_its_place(pair: object) -> None:
    error = refusal(json.dumps({"pairs": [PAIR, PAIR, pair]}))
    assert str(error) == '$.pairs[2]: expected {"user": ..., "item": ...}'


@pytest.mark.parametrize("threshold", ['"0.5"', "true", "[]", "{}", "1e10", "1e999", "-1e999"])
def test_what_is_no_sensible_threshold_is_refused(threshold: str) -> None:
    error = refusal('{"pairs": [{"user": "1", "item": "2"}], "threshold": ' + threshold + "}")
    assert error.where == "$.threshold"
    assert "expected a number" in error.reason


def test_a_long_threshold_is_not_quoted_at_length() -> None:
    error = refusal(json.dumps({"pairs": [PAIR], "threshold": "x" * 10_000}))
    assert len(str(error)) < 200


@given(
    st.text()
    | st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_any_body_is_read_or_refused(body: str) -> None:
    # Anything but InvalidRequestError would fail the test.
    with contextlib.suppress(InvalidRequestError):
        parse_predictions(body)


def test_candidates_are_read_with_who_they_are_for() -> None:
    body = json.dumps({"items": ["a", 7], "user": 5, "ratings": [{"item": "b", "rating": 2}]})
    assert parse_rank(body) == RankRequest(("a", "7"), (("b", 2.0),), "5")


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"user": "a"}, "$.items"),
        ({"user": "a", "items": []}, "$.items"),
        ({"user": "a", "items": "abc"}, "$.items"),
        ({"user": "a", "items": [str(at) for at in range(MAX_CANDIDATES + 1)]}, "$.items"),
        ({"user": "a", "items": ["b", "b"]}, "$.items"),
        ({"user": "a", "items": ["b", ""]}, "$.items[1]"),
        ({"items": ["b"]}, "$.ratings"),
        ({"items": ["b"], "user": []}, "$.user"),
        ({"items": ["b"], "user": "a", "limit": 3}, "$.limit"),
    ],
)
def test_candidates_that_are_none_are_refused(asked: dict[str, object], where: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_rank(json.dumps(asked))
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"limit": MAX_LIMIT + 1}, "$.limit"),
        ({"offset": -1}, "$.offset"),
        ({"offset": MAX_OFFSET + 1}, "$.offset"),
        ({"offset": True}, "$.offset"),
        ({"exclude": "b"}, "$.exclude"),
        ({"exclude": ["b", None]}, "$.exclude[1]"),
        ({"exclude": ["b"] * (MAX_EXCLUDED + 1)}, "$.exclude"),
    ],
)
def test_a_part_of_a_list_that_is_none_is_refused(more: dict[str, object], where: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_session(json.dumps({"user": "a", **more}))
    assert caught.value.where == where
