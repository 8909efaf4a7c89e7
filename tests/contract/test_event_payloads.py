"""``tests/events/`` agrees with what calls each function: state machine, rule, API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.predict import app as predict
from testbed import template
from testbed.stage import Stage
from testbed.template import ROOT

EVENTS = ROOT / "tests" / "events"
"""One payload for each function, as a whole run on the local stack sent them."""


def load(name: str) -> dict[str, Any]:
    return dict(json.loads((EVENTS / f"{name}.json").read_text()))


def folder(function: str) -> str:
    return str(template.functions()[function]["CodeUri"]).removeprefix("functions/")


def tasks(states: dict[str, Any], given: dict[str, Any] | None = None) -> Iterator[Any]:
    """Every state that calls a function: its name, the function, the keys that it sends."""
    for name, state in states.items():
        if state["Type"] == "Map":
            yield from tasks(state["ItemProcessor"]["States"], state["ItemSelector"])
        if state["Type"] == "Task":
            sent = state.get("Parameters", given)
            yield pytest.param(state["Resource"].strip("${}"), sent, id=name)


DEFINITIONS = [
    json.loads(path.read_text()) for path in sorted((ROOT / "statemachine").glob("*.json"))
]
TASKS = [one for definition in DEFINITIONS for one in tasks(definition["States"])]


def test_every_function_has_a_payload() -> None:
    names = {path.stem for path in EVENTS.glob("*.json")}
    assert {folder(function) for function in template.functions()} <= names


@pytest.mark.parametrize(("function", "sent"), TASKS)
def test_a_steps_payload_has_the_keys_that_its_state_sends(
    function: str, sent: dict[str, Any]
) -> None:
    event = load(folder(function))
    assert event.keys() == {name.removesuffix(".$") for name in sent}


def test_every_function_that_no_state_calls_is_called_by_a_rule_or_the_api() -> None:
    called = {one.values[0] for one in TASKS}
    assert template.functions().keys() - called == {"AdmitPairs", "AdmitUpload", "Predict"}


def test_the_uploads_payload_matches_the_rule_that_sends_it() -> None:
    event = load("admit_upload")
    pattern = template.resources()["UploadRule"]["Properties"]["EventPattern"]
    assert event["source"] in pattern["source"]
    assert event["detail-type"] in pattern["detail-type"]
    assert event["detail"]["object"]["key"].startswith("ratings/")
    assert set(pattern["detail"]) == {"bucket"}  # whatever lies in it is looked at


def test_the_pair_lists_payload_matches_the_rule_that_sends_it() -> None:
    event = load("admit_pairs")
    pattern = template.resources()["PairListRule"]["Properties"]["EventPattern"]
    assert event["source"] in pattern["source"]
    assert event["detail-type"] in pattern["detail-type"]
    ((prefix,),) = (one.values() for one in pattern["detail"]["object"]["key"])
    assert event["detail"]["object"]["key"].startswith(prefix)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("predict*.json")), ids=lambda path: path.stem)
def test_an_api_payload_is_a_call_that_the_template_routes(path: Path) -> None:
    event = load(path.stem)
    routes = {
        (one["Properties"]["Method"], one["Properties"]["Path"])
        for one in template.functions()["Predict"]["Events"].values()
    }
    assert (event["httpMethod"], event["resource"]) in routes
    assert event["resource"].format(**event["pathParameters"] or {}) == event["path"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("predict", "unknown-catalog"),
        ("predict_recommendations", "unknown-catalog"),
        ("predict_session", "unknown-catalog"),
        ("predict_model", "unknown-catalog"),
        ("predict_health", None),
    ],
)
def test_an_api_payload_passes_the_functions_own_routes_and_checks(
    stage: Stage, name: str, kind: str | None
) -> None:
    answer = stage.run("Predict", predict.lambda_handler, load(name))
    # A path or body that the function cannot read would be refused before its catalog is sought.
    told = json.loads(answer["body"]).get("type")
    assert told == (kind and f"urn:matinee:problem:{kind}")
    assert answer["statusCode"] == (404 if kind else 200)
