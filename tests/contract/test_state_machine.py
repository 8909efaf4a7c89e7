"""``retrain.asl.json`` against the Amazon States Language, the template and the code it calls."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recommender import errors
from recommender.errors import InputError, RecommenderError, ServiceError
from recommender.pipeline import settings
from recommender.pipeline.training import QUEUE_SECONDS
from recommender.steps.reading import notes
from statelint.linter import Linter  # type: ignore[import-untyped]

from testbed import films, template
from testbed.machine import STEPS
from testbed.runs import ENDPOINT, Outside, admit, promoted, run, upload_films
from testbed.stage import Stage
from testbed.template import ROOT

TEXT = (ROOT / "statemachine" / "retrain.asl.json").read_text()
DEFINITION: dict[str, Any] = json.loads(TEXT)
STATES: dict[str, Any] = DEFINITION["States"]
CALLS = re.compile(r'"\$\{(\w+)\}"')

LEAVES = {
    name: one
    for name, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, RecommenderError) and not one.__subclasses__()
}
LAMBDA_TROUBLES = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Lambda.Unknown",
    "Lambda.ClientExecutionTimeoutException",
}

DEATHS = {
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Lambda.Unknown",
    "Lambda.ClientExecutionTimeoutException",
    "States.Timeout",
}
"""How a function ends that Lambda ended: out of time or out of memory."""


def every_state(states: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All states, those inside of a Map too."""
    for name, state in states.items():
        yield name, state
        if state["Type"] == "Map":
            yield from every_state(state["ItemProcessor"]["States"])


ALL = dict(every_state(STATES))
TASKS = {name: state for name, state in ALL.items() if state["Type"] == "Task"}
OUTER_TASKS = {name: state for name, state in TASKS.items() if name in STATES}


def function_of(state: dict[str, Any]) -> str:
    match = CALLS.fullmatch(json.dumps(state["Resource"]))
    assert match
    return match[1]


def finishes(name: str) -> bool:
    return ALL[name]["Type"] == "Task" and function_of(ALL[name]) == "FinishRun"


def followers(name: str) -> set[str]:
    """Where a state may go when nothing fails."""
    state = ALL[name]
    found = {choice["Next"] for choice in state.get("Choices", [])}
    return found | {state[key] for key in ("Next", "Default") if key in state}


def test_the_definition_names_functions_by_whole_strings_only() -> None:
    # So it is JSON before substitution and after, whatever is put in.
    assert TEXT.count("${") == len(CALLS.findall(TEXT))


def test_the_definition_is_completed_with_what_it_names() -> None:
    assert set(CALLS.findall(TEXT)) == set(template.substitutions())


def test_each_name_stands_for_the_function_of_that_name() -> None:
    for name, arn in template.substitutions().items():
        assert arn == template.resolve({"Fn::GetAtt": [name, "Arn"]})
        assert name in template.functions()


def test_the_machine_may_call_what_it_names_and_nothing_else() -> None:
    allowed = {
        resource
        for one in template.policy("RetrainMachine")
        if "lambda:InvokeFunction" in one.actions
        for resource in one.resources
    }
    assert allowed == set(template.substitutions().values())


def test_the_linter_of_the_language_finds_nothing() -> None:
    arns = template.substitutions()
    completed = CALLS.sub(lambda match: json.dumps(arns[match[1]]), TEXT)
    assert Linter.validate(json.loads(completed)) == []


def test_the_linter_would_find_something() -> None:
    assert Linter.validate({**DEFINITION, "StartAt": "Nowhere"}) != []


@pytest.mark.parametrize("name", ALL)
def test_a_state_says_why_it_is_there(name: str) -> None:
    assert len(ALL[name]["Comment"]) > 20


def test_states_are_named_in_spoken_english() -> None:
    for name in ALL:
        assert re.fullmatch(r"[A-Z][a-z ]+\??", name)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_given_more_time_than_its_function_takes(name: str) -> None:
    timeout = TASKS[name]["TimeoutSeconds"]
    assert timeout > template.functions()[function_of(TASKS[name])]["Timeout"]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_tried_again_after_the_troubles_that_pass(name: str) -> None:
    retried = {error for one in TASKS[name]["Retry"] for error in one["ErrorEquals"]}
    assert retried >= LAMBDA_TROUBLES | {"ServiceUnavailableError", "States.Timeout"}
    # What serves already must be written down, whatever goes wrong.
    assert ("States.ALL" in TASKS[name]["Retry"][-1]["ErrorEquals"]) == finishes(name)
    for one in TASKS[name]["Retry"]:
        assert 1 <= one["MaxAttempts"] <= 99
        assert one["IntervalSeconds"] >= 1


def test_reading_is_tried_again_often_enough_to_find_out_which_file_kills_the_reader() -> None:
    (retry,) = (
        one for one in STATES["Encode ratings"]["Retry"] if set(one["ErrorEquals"]) & DEATHS
    )
    assert set(retry["ErrorEquals"]) == DEATHS
    assert retry["MaxAttempts"] > notes.DEATHS


def test_every_trouble_that_passes_is_waited_for_somewhere() -> None:
    services = {name for name, one in LEAVES.items() if issubclass(one, ServiceError)}
    retried = {
        error for task in TASKS.values() for one in task["Retry"] for error in one["ErrorEquals"]
    }
    assert services <= retried


@pytest.mark.parametrize("name", ALL)
def test_errors_are_matched_by_names_that_step_functions_can_see(name: str) -> None:
    rules = ALL[name].get("Retry", []) + ALL[name].get("Catch", [])
    for error in (error for rule in rules for error in rule["ErrorEquals"]):
        # It sees a class's own name, never its bases.
        known = LEAVES.keys() | LAMBDA_TROUBLES | DEATHS
        assert error in known or error.startswith("States.")


def test_what_a_task_found_does_not_replace_what_others_found() -> None:
    paths = {name: state["ResultPath"] for name, state in STATES.items() if "ResultPath" in state}
    assert set(OUTER_TASKS) <= set(paths)
    assert all(re.fullmatch(r"\$\.[a-z]+", path) for path in paths.values())
    steps = [path for name, path in paths.items() if not finishes(name) or name == "Finish run"]
    assert len(set(steps)) == len(steps)


@pytest.mark.parametrize(
    "name", [name for name, state in STATES.items() if state["Type"] in ("Task", "Map")]
)
def test_whatever_fails_the_run_is_finished(name: str) -> None:
    state = STATES[name]
    if finishes(name) and state["Parameters"]["outcome"] in ("refused", "failed"):
        # The last resort itself: then the event of the execution's end frees the catalog.
        assert "Catch" not in state
        assert STATES[state["Next"]]["Type"] == "Fail"
        return
    *narrow, last = state["Catch"]
    assert last["ErrorEquals"] == ["States.ALL"]
    for catch in [*narrow, last]:
        assert catch["ResultPath"] == "$.error"
        assert finishes(catch["Next"])


def test_every_way_through_ends_in_a_finish() -> None:
    ends = {name for name, state in STATES.items() if state.get("End")}
    assert ends
    assert all(finishes(name) for name in ends)
    before_failing = {name for name in STATES if "Run failed" in followers(name)}
    assert all(finishes(name) for name in before_failing)
    assert {state["Type"] for name, state in STATES.items() if not followers(name)} == {
        "Task",
        "Fail",
    }


def test_each_outcome_has_a_finish_of_its_own() -> None:
    outcomes = [
        state["Parameters"]["outcome"] for name, state in OUTER_TASKS.items() if finishes(name)
    ]
    assert sorted(outcomes) == [
        *("failed", "promoted", "refused", "rejected", "unchanged", "waiting")
    ]


def test_a_failed_execution_shows_the_first_error() -> None:
    (fail,) = (state for state in STATES.values() if state["Type"] == "Fail")
    assert (fail["ErrorPath"], fail["CausePath"]) == ("$.error.Error", "$.error.Cause")


def loops(at: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if at in path:
        yield path[path.index(at) :]
        return
    for name in followers(at):
        yield from loops(name, (*path, at))


def test_every_loop_waits_and_has_a_deadline() -> None:
    machines = [DEFINITION, STATES["Train models"]["ItemProcessor"]]
    found = {frozenset(one) for machine in machines for one in loops(machine["StartAt"])}
    assert len(found) == 2
    for loop in found:
        assert "Wait" in {ALL[name]["Type"] for name in loop}
        (check,) = (name for name in loop if ALL[name]["Type"] == "Task")
        # It raises when its time is over: tests/unit has that of training and of hosting.
        known = vars(settings)[f"{function_of(ALL[check])}Settings"].__dataclass_fields__
        assert any(field.endswith("_max_seconds") for field in known)


def test_the_machine_outlives_the_longest_run_that_can_be_asked_for() -> None:
    parameters = template.load()["Parameters"]
    longest = parameters["TrainingMaxSeconds"]["MaxValue"] + QUEUE_SECONDS
    longest += parameters["SettleSeconds"]["MaxValue"]
    longest += int(parameters["EndpointMaxSeconds"]["Default"])
    tasks = sum(state["TimeoutSeconds"] for state in TASKS.values())
    assert DEFINITION["TimeoutSeconds"] > longest + 2 * tasks


def test_waiting_as_long_as_a_run_may_by_default_fits_into_its_history() -> None:
    parameters = template.load()["Parameters"]
    seconds = QUEUE_SECONDS + sum(
        parameters[name]["Default"] for name in ("TrainingMaxSeconds", "EndpointMaxSeconds")
    )
    events_of_a_look = 9  # Wait 2, Task 5, Choice 2
    looks = seconds / parameters["PollSeconds"]["Default"]
    assert looks * events_of_a_look < 25_000 / 2


def modules_of(path: Path, found: set[Path]) -> set[Path]:
    """Every module of ours that a file imports, directly or not."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        base = "recommender." if node.level else ""
        names = [base + node.module, *(f"{base}{node.module}.{one.name}" for one in node.names)]
        for name in names:
            module = ROOT / "layers" / "recommender" / (name.replace(".", "/") + ".py")
            if module.is_file() and module not in found:
                found.add(module)
                modules_of(module, found)
    return found


def test_input_that_encoding_refuses_is_caught_by_name() -> None:
    modules = modules_of(ROOT / "functions" / "encode_ratings" / "app.py", set())
    assert len(modules) > 15
    words = {
        word
        for module in modules
        if module.name != "errors.py"
        for word in re.findall(r"\w+Error", module.read_text())
    }
    refusals = {name for name in words if name in LEAVES and issubclass(LEAVES[name], InputError)}
    # The name of a catalog is checked before it has a run.
    refusals -= {"InvalidCatalogNameError"}
    (caught,) = (
        catch["ErrorEquals"]
        for catch in STATES["Encode ratings"]["Catch"]
        if catch["Next"] == "Refuse input"
    )
    assert set(caught) == refusals


def test_every_function_of_the_machine_can_be_walked_through() -> None:
    assert set(STEPS) == set(template.substitutions())


def test_every_state_is_reached_and_finds_what_it_looks_for(stage: Stage) -> None:
    stage.upload(films.ITEMS_KEY, films.titles())
    visited = set(run(stage, admit(stage)["execution"]).visited)  # waiting
    visited |= set(promoted(stage).visited)
    visited |= set(run(stage, admit(stage)["execution"]).visited)  # unchanged

    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    visited |= set(run(stage, admit(stage)["execution"], Outside(stage, sign=-1)).visited)

    stage.upload("ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    visited |= set(run(stage, admit(stage)["execution"]).visited)

    def break_off(data: dict[str, Any]) -> None:
        stage.sagemaker.break_off(ENDPOINT, "no capacity")

    upload_films(stage)
    failed = run(stage, admit(stage)["execution"], Outside(stage, deploys=break_off))
    assert visited | set(failed.visited) == set(ALL)
