"""Pair lists of the planted catalog, scored to the end."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from recommender.serving import served_runs

from functions.admit_pairs import app as admit_pairs
from testbed.events import object_created, scoring_ended
from testbed.machine import SCORE_PAIRS, SCORING_STEPS, Execution, State
from testbed.stage import Stage

KEY = "scoring/films/pairs.csv"


def admit(stage: Stage, key: str = KEY) -> State:
    """Tell of an upload."""
    return stage.run("AdmitPairs", admit_pairs.lambda_handler, object_created(stage.ratings, key))


def score(
    stage: Stage,
    execution: str,
    works: Callable[[str], None] | None = None,
    waits: Callable[[State], None] | None = None,
) -> Execution:
    """Walk an execution that was started to its end.

    Args:
        works: called with the transform job's name at each wait for it; as a rule it ends well.
        waits: called at each wait for a model.
    """
    _, given = stage.executions(stage.scoring_machine)[execution]
    work = works or stage.sagemaker.transform
    during = {"Wait for transform": lambda data: work(data["transform"]["transformJobName"])}
    if waits:
        during["Wait for model"] = waits
    return Execution(stage, execution, given, during, machine=SCORE_PAIRS).run()


def scored(stage: Stage, data: bytes | str, key: str = KEY) -> "Scores":
    """Upload a pair list and score it."""
    stage.upload(key, data)
    return Scores(stage, score(stage, admit(stage, key)["execution"]))


@dataclass(frozen=True)
class Scores:
    """What an execution left."""

    stage: Stage
    execution: Execution

    @property
    def root(self) -> str:
        """Where it lies."""
        return f"scores/films/{self.execution.data['finish']['name']}/"

    @property
    def manifest(self) -> dict[str, Any]:
        """Its record."""
        return self.stage.kept_json(self.root + "manifest.json")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The scores, part after part."""
        keys = [key for key in self.stage.listing(self.root) if key.startswith(self.root + "part-")]
        return [row for key in sorted(keys) for row in self.lines(key.removeprefix(self.root))]

    @property
    def objects(self) -> dict[str, bytes]:
        """Everything, by key."""
        return {key: self.stage.kept(key) for key in self.stage.listing(self.root)}

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Read JSON Lines."""
        return [json.loads(line) for line in self.stage.kept(self.root + name).splitlines()]


def all_kinds(stage: Stage) -> None:
    """Score pair lists in every way that asks something of its own of AWS.

    Without a model; twice; overdue; with answers missing; broken off. A run of films serves.
    """
    pairs = "user,item\nanna,242\n"
    stage.upload("catalogs/films/config.json", "{}")
    stage.upload("scoring/books/pairs.csv", pairs)
    admit(stage, "scoring/books/pairs.csv")
    served_runs.load.cache_clear()
    served_runs._without.cache_clear()
    served_runs._withdrawn.clear()
    done = scored(stage, pairs).execution
    late = {**done.data, "execution": done.name, "runId": done.data["encoding"]["runId"]}
    stage.run("StartTransform", SCORING_STEPS["StartTransform"], late)
    part = {**done.data, "part": done.data["encoding"]["parts"][0]}
    served_runs.load.cache_clear()
    stage.run("JoinScores", SCORING_STEPS["JoinScores"], part)

    def dawdle(job: str) -> None:
        stage.sagemaker.transforms[job]["CreationTime"] -= timedelta(days=9)

    def lose(job: str) -> None:
        stage.sagemaker.transforms[job]["TransformJobStatus"] = "Completed"

    for works in (dawdle, lose):
        stage.upload(KEY, pairs)
        name = admit(stage)["execution"]
        score(stage, name, works)
    ended = scoring_ended(stage.scoring_machine, name, done.data, "ABORTED")
    stage.run("AdmitPairs", admit_pairs.lambda_handler, ended)
