"""The state machines' own definitions, walked through in memory over the real handlers.

Knows the part of the Amazon States Language that the definition uses, and nothing of Matinee.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from functions.check_endpoint import app as check_endpoint
from functions.check_training import app as check_training
from functions.check_transform import app as check_transform
from functions.encode_pairs import app as encode_pairs
from functions.encode_ratings import app as encode_ratings
from functions.evaluate_model import app as evaluate_model
from functions.finish_run import app as finish_run
from functions.finish_scoring import app as finish_scoring
from functions.join_scores import app as join_scores
from functions.score_users import app as score_users
from functions.start_training import app as start_training
from functions.start_transform import app as start_transform
from functions.update_endpoint import app as update_endpoint
from testbed.stage import Handler, Stage
from testbed.template import ROOT

STEPS: dict[str, Handler] = {
    "EncodeRatings": encode_ratings.lambda_handler,
    "StartTraining": start_training.lambda_handler,
    "CheckTraining": check_training.lambda_handler,
    "EvaluateModel": evaluate_model.lambda_handler,
    "UpdateEndpoint": update_endpoint.lambda_handler,
    "CheckEndpoint": check_endpoint.lambda_handler,
    "ScoreUsers": score_users.lambda_handler,
    "FinishRun": finish_run.lambda_handler,
}
SCORING_STEPS: dict[str, Handler] = {
    "EncodePairs": encode_pairs.lambda_handler,
    "StartTransform": start_transform.lambda_handler,
    "CheckTransform": check_transform.lambda_handler,
    "JoinScores": join_scores.lambda_handler,
    "FinishScoring": finish_scoring.lambda_handler,
}
RETRAIN, SCORE_PAIRS = "retrain", "score_pairs"
_HANDLERS = {**STEPS, **SCORING_STEPS}


class KilledError(BaseException):
    """What ends a function in the middle: no handler of errors sees it, Step Functions does."""


State = dict[str, Any]
"""What an execution passes from state to state, or a state as its definition has it."""


@dataclass
class Execution:
    """One walk through the definition.

    Attributes:
        during: what happens outside while a Wait state waits, by its name.
        visited: names of the states entered, in order.
        machine: which definition.
    """

    stage: Stage
    name: str
    data: State
    during: Mapping[str, Callable[[State], None]] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)
    machine: str = RETRAIN
    status: str = "RUNNING"
    error: State = field(default_factory=dict)

    def run(self) -> "Execution":
        """Walk to the end, and let Step Functions show how it ended."""
        definition = definition_of_machine(self.machine)
        self._walk(definition["States"], definition["StartAt"])
        if self.name in self.stage.executions(self._arn):
            self.stage.end(self.name, self.status)
        return self

    @property
    def _arn(self) -> str:
        return self.stage.machine if self.machine == RETRAIN else self.stage.scoring_machine

    def _walk(self, states: State, at: str | None) -> None:
        while at is not None:
            self.visited.append(at)
            at = self._enter(at, states[at])
        if self.status == "RUNNING":
            self.status = "SUCCEEDED"

    def _enter(self, name: str, state: State) -> str | None:
        kind = state["Type"]
        if kind == "Wait":
            self._at(state["SecondsPath"])
            if name in self.during:
                self.during[name](self.data)
            return cast("str", state["Next"])
        if kind == "Choice":
            return self._choose(state)
        if kind == "Pass":
            self.data = self._fill(state["Parameters"])
            return cast("str | None", state.get("Next"))
        if kind == "Fail":
            self.status = "FAILED"
            self.error = {
                "Error": self._at(state["ErrorPath"]),
                "Cause": self._at(state["CausePath"]),
            }
            return None
        try:
            result = self._map(state) if kind == "Map" else self._task(state, self.data)
        except _TaskFailedError as failure:
            return self._catch(state, failure)
        self._put(state.get("ResultPath", "$"), result)
        return cast("str | None", state.get("Next"))

    def _choose(self, state: State) -> str:
        for choice in state["Choices"]:
            if self._at(choice["Variable"]) == choice["StringEquals"]:
                return cast("str", choice["Next"])
        return cast("str", state["Default"])

    def _map(self, state: State) -> list[State]:
        results = []
        for item in self._at(state["ItemsPath"]):
            selected = self._fill(state["ItemSelector"], {"Map": {"Item": {"Value": item}}})
            inner = state["ItemProcessor"]
            branch = Execution(
                self.stage, self.name, selected, self.during, self.visited, self.machine
            )
            branch._walk(inner["States"], inner["StartAt"])
            if branch.status == "FAILED":
                raise _TaskFailedError.told_by(branch.error)
            results.append(branch.data)
        return results

    def _task(self, state: State, data: State) -> State:
        function = state["Resource"].removeprefix("${").removesuffix("}")
        event = self._fill(state["Parameters"]) if "Parameters" in state else data
        attempts = dict.fromkeys(range(len(state["Retry"])), 0)
        while True:
            try:
                return self.stage.run(function, _HANDLERS[function], event)
            except Exception as error:  # Step Functions sees every one
                failure = _TaskFailedError(error)
            except KilledError:
                failure = _TaskFailedError.killed()
            for at, retry in enumerate(state["Retry"]):
                named = {failure.name, "States.ALL"} & set(retry["ErrorEquals"])
                if named and attempts[at] < retry["MaxAttempts"]:
                    attempts[at] += 1
                    break
            else:
                raise failure

    def _catch(self, state: State, failure: "_TaskFailedError") -> str | None:
        for catch in state.get("Catch", []):
            if catch["ErrorEquals"] == ["States.ALL"] or failure.name in catch["ErrorEquals"]:
                self._put(catch["ResultPath"], failure.told)
                return cast("str", catch["Next"])
        self.status, self.error = "FAILED", failure.told
        return None

    def _fill(self, template: State, context: State | None = None) -> State:
        whole = {
            "Execution": {"Name": self.name, "StartTime": "2026-11-22T10:00:00.000Z"},
            "StateMachine": {"Id": self._arn},
            **(context or {}),
        }
        return {
            name.removesuffix(".$"): self._at(value, whole) if name.endswith(".$") else value
            for name, value in template.items()
        }

    def _at(self, path: str, context: State | None = None) -> Any:  # any JSON
        found: Any = context if path.startswith("$$") else self.data
        for part in path.split(".")[1:]:
            found = found[part]
        return found

    def _put(self, path: str, value: object) -> None:
        if path == "$":
            self.data = cast("State", value)
            return
        assert path.count(".") == 1, path
        self.data = {**self.data, path.removeprefix("$."): value}


@cache
def definition_of_machine(name: str = RETRAIN) -> State:
    """Read a definition as it is stored: before substitution, and never changed."""
    return cast("State", json.loads((ROOT / "statemachine" / f"{name}.asl.json").read_text()))


class _TaskFailedError(Exception):
    """What Step Functions learns of an exception: its class's own name, and words."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.name = type(error).__name__
        cause = {"errorMessage": str(error), "errorType": self.name, "stackTrace": []}
        self.told = {"Error": self.name, "Cause": json.dumps(cause)}

    @classmethod
    def killed(cls) -> "_TaskFailedError":
        """The failure of a function that said nothing itself."""
        failure = cls(Exception("RequestId: 1 Error: Runtime exited with error: signal: killed"))
        failure.name = "Runtime.ExitError"
        failure.told = {**failure.told, "Error": failure.name}
        return failure

    @classmethod
    def told_by(cls, told: State) -> "_TaskFailedError":
        """The failure of a branch of a Map, which the Map hands on as it is."""
        failure = cls(Exception(told["Cause"]))
        failure.name, failure.told = told["Error"], told
        return failure
