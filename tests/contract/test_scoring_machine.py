"""``score_pairs.asl.json`` against the language, the template and the code it calls."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from recommender.errors import InputError, ServiceError
from recommender.pipeline.training import QUEUE_SECONDS, poll_seconds
from recommender.steps.scoring import encoding
from statelint.linter import Linter  # type: ignore[import-untyped]

from testbed import template
from testbed.machine import SCORING_STEPS
from testbed.runs import promoted
from testbed.scoring import KEY, admit, score, scored
from testbed.stage import Stage
from testbed.template import ROOT
from tests.contract.test_state_machine import (
    CALLS,
    DEATHS,
    LAMBDA_TROUBLES,
    LEAVES,
    every_state,
    function_of,
    modules_of,
)

TEXT = (ROOT / "statemachine" / "score_pairs.asl.json").read_text()
DEFINITION: dict[str, Any] = json.loads(TEXT)
STATES: dict[str, Any] = DEFINITION["States"]
ALL = dict(every_state(STATES))
TASKS = {name: state for name, state in ALL.items() if state["Type"] == "Task"}
ARNS = template.substitutions("ScoringMachine")
OUTCOMES = {"Finish scoring": "scored", "Refuse pairs": "refused", "Give up": "failed"}


def test_the_definition_is_completed_with_what_it_names_and_can_be_walked_through() -> None:
    assert TEXT.count("${") == len(CALLS.findall(TEXT))
    assert set(CALLS.findall(TEXT)) == set(ARNS) == set(SCORING_STEPS)
    for name, arn in ARNS.items():
        assert arn == template.resolve({"Fn::GetAtt": [name, "Arn"]})


def test_the_machine_may_call_what_it_names_and_nothing_else() -> None:
    allowed = {
        resource
        for one in template.policy("ScoringMachine")
        if "lambda:InvokeFunction" in one.actions
        for resource in one.resources
    }
    assert allowed == set(ARNS.values())


def test_the_linter_of_the_language_finds_nothing() -> None:
    completed = CALLS.sub(lambda match: json.dumps(ARNS[match[1]]), TEXT)
    assert Linter.validate(json.loads(completed)) == []


@pytest.mark.parametrize("name", ALL)
def test_a_state_has_a_plain_name_and_says_why_it_is_there(name: str) -> None:
    assert re.fullmatch(r"[A-Z][a-z ]+\??", name)
    assert len(ALL[name]["Comment"]) > 20


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_more_time_than_its_function_and_is_tried_again(name: str) -> None:
    state = TASKS[name]
    assert state["TimeoutSeconds"] > template.functions()[function_of(state)]["Timeout"]
    retried = {error for one in state["Retry"] for error in one["ErrorEquals"]}
    services = {error for error, one in LEAVES.items() if issubclass(one, ServiceError)}
    assert retried >= LAMBDA_TROUBLES | {"ServiceUnavailableError", "States.Timeout"}
    assert (retried & services) == {"ServiceUnavailableError"}
    assert ("States.ALL" in state["Retry"][-1]["ErrorEquals"]) == (name in OUTCOMES)


@pytest.mark.parametrize("name", ALL)
def test_errors_are_matched_by_names_that_step_functions_can_see(name: str) -> None:
    rules = ALL[name].get("Retry", []) + ALL[name].get("Catch", [])
    for error in (error for rule in rules for error in rule["ErrorEquals"]):
        assert error in LEAVES.keys() | LAMBDA_TROUBLES | DEATHS or error == "States.ALL"


def test_whatever_fails_is_written_down_and_told() -> None:
    for name, state in STATES.items():
        if state["Type"] not in ("Task", "Map"):
            continue
        if name in ("Refuse pairs", "Give up"):
            assert "Catch" not in state
            assert STATES[state["Next"]]["Type"] == "Fail"
            continue
        assert state["Catch"][-1] == {
            "ErrorEquals": ["States.ALL"],
            "ResultPath": "$.error",
            "Next": "Give up",
        }
    assert {name for name, one in STATES.items() if one.get("End")} == {"Finish scoring"}
    assert {
        name: one["Parameters"]["outcome"]
        for name, one in TASKS.items()
        if function_of(one) == "FinishScoring"
    } == OUTCOMES


def test_what_a_task_found_does_not_replace_what_others_found() -> None:
    steps = [
        state["ResultPath"]
        for name, state in STATES.items()
        if "ResultPath" in state and name not in ("Refuse pairs", "Give up")
    ]
    assert len(set(steps)) == len(steps) == 5
    assert not set(steps) & {"$.catalog", "$.file", "$.pollSeconds", "$.error"}


def test_input_that_encoding_refuses_is_caught_by_name() -> None:
    modules = modules_of(ROOT / "functions" / "encode_pairs" / "app.py", set())
    words = {
        word
        for module in modules
        if module.name != "errors.py"
        for word in re.findall(r"\w+Error", module.read_text())
    }
    refusals = {name for name in words if name in LEAVES and issubclass(LEAVES[name], InputError)}
    # The others are of what a pair list has nothing to do with: side files, training, the API.
    others = {"InvalidCatalogNameError", "InvalidRequestError", "MalformedItemsError"}
    others |= {"InvalidHyperparametersError", "MissingRatingsError", "UnsuitableRatingsError"}
    (caught,) = (
        catch["ErrorEquals"]
        for catch in STATES["Encode pairs"]["Catch"]
        if catch["Next"] == "Refuse pairs"
    )
    assert set(caught) == refusals - others


def test_the_machine_outlives_the_longest_scoring_that_can_be_asked_for() -> None:
    longest = encoding._MOST_SECONDS_OF_WAITING + encoding._LONGEST_WAIT + QUEUE_SECONDS
    longest += template.load()["Parameters"]["TransformMaxSeconds"]["MaxValue"]
    # A transform's quota is waited for.
    longest += sum(
        one["MaxAttempts"] * one.get("MaxDelaySeconds", 5)
        for one in STATES["Start transform"]["Retry"]
    )
    assert longest < DEFINITION["TimeoutSeconds"] < 365 * 24 * 3600


def test_looks_at_the_longest_job_fit_into_the_history() -> None:
    limit = template.load()["Parameters"]["TransformMaxSeconds"]["MaxValue"]
    looks = (limit + QUEUE_SECONDS) / poll_seconds(1, limit)
    assert 9 * looks < 25_000


def walks(stage: Stage) -> Iterator[list[str]]:
    stage.upload(KEY, "user,item\nanna,242\n")
    execution = admit(stage)["execution"]
    looks: list[str] = []

    def work_at_the_second_look(job: str) -> None:
        looks.append(job)
        if len(looks) > 1:
            stage.sagemaker.transform(job)

    yield score(
        stage, execution, works=work_at_the_second_look, waits=lambda _: promoted_once(stage)
    ).visited
    yield scored(stage, "nothing").execution.visited
    stage.upload(KEY, "user,item\nanna,242\n")
    fail = {"TransformJobStatus": "Failed"}
    yield score(
        stage,
        admit(stage)["execution"],
        works=lambda job: stage.sagemaker.transforms[job].update(fail),
    ).visited


def promoted_once(stage: Stage) -> None:
    promoted(stage)


def test_every_state_is_reached(stage: Stage) -> None:
    assert set().union(*map(set, walks(stage))) == set(ALL)
