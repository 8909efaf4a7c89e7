"""Runs disturbed at one call of AWS, brought to rest, and compared with an undisturbed one."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from recommender.aws import leases
from recommender.serving import scoring, served_runs

from functions.admit_upload import app as admit_upload
from functions.predict import app as predict
from testbed import films
from testbed.events import api_call, execution_ended, object_created
from testbed.machine import KilledError
from testbed.runs import ENDPOINT, Kept, Outside, run, upload_films
from testbed.stage import Stage

MORE = "ratings/films/more.csv"
_MOST_RUNS = 8


class AbortedError(BaseException):
    """What ends a whole execution, as somebody who aborts it does."""


@dataclass
class Disturbance:
    """Ends a function, or the execution, at one call of AWS.

    Attributes:
        at: at which call, counted from 0.
        when: "before" it takes effect, or "after".
        aborts: ends the execution, not the function alone.
        seen: how many calls there were.
    """

    at: int
    when: str = "before"
    aborts: bool = False
    seen: int = field(default=0, init=False)

    def __call__(self, when: str) -> None:
        """Look at a call."""
        if when != self.when:
            return
        self.seen += 1
        if self.seen == self.at + 1:
            raise AbortedError if self.aborts else KilledError


def count_calls(stage: Stage, kept: Kept) -> int:
    """How many calls an undisturbed second run makes."""
    counter = Disturbance(-1)
    disturbed_run(stage, kept, counter)
    return counter.seen


def disturbed_run(
    stage: Stage, kept: Kept, disturbance: Disturbance, later: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """Upload something beside a run that serves, disturb the run of it, and let all come to rest.

    Args:
        stage: an empty one.
        kept: the run that serves.
        disturbance: of the run.
        later: sets the clock so many seconds on.

    Returns:
        What is left, so that it can be compared.
    """
    upload_films(stage)
    kept.put(stage)
    _served_by_an_earlier_owner(stage, kept)
    stage.upload(MORE, "user,item,rating\nanna,242,1\nk,242,5\n")
    execution = _admitted(stage)
    stage.disturb = disturbance
    try:
        run(stage, execution)
    except AbortedError:
        stage.end(execution, "ABORTED")
        stage.disturb = None
        event = execution_ended(stage.machine, execution, "films", "ABORTED")
        stage.run("AdmitUpload", admit_upload.lambda_handler, event)
    stage.disturb = None
    come_to_rest(stage, later)
    return state_of(stage)


def _served_by_an_earlier_owner(stage: Stage, kept: Kept) -> None:
    """Let the endpoint's config and the catalog's fence be what that run would have left."""
    config = f"matinee-{kept.run_id}"
    stage.sagemaker.configs[config] = stage.sagemaker.configs.pop(kept.run_id)
    stage.sagemaker.endpoints[ENDPOINT]["EndpointConfigName"] = config
    item = {"catalog": {"S": "films"}, "record": {"S": "lease"}, "fence": {"N": "1"}}
    stage.dynamodb.put_item(TableName=stage.table, Item=item)


def _admitted(stage: Stage) -> str:
    event = object_created(stage.ratings, MORE)
    return str(stage.run("AdmitUpload", admit_upload.lambda_handler, event)["execution"])


def come_to_rest(stage: Stage, later: Callable[[float], None] | None = None) -> None:
    """Let every execution end, and time pass, until nothing is left to do."""
    for _ in range(_MOST_RUNS):
        if stage.sagemaker.endpoints.get(ENDPOINT, {}).get("EndpointStatus") == "Updating":
            stage.sagemaker.settle(ENDPOINT)
        waiting = [name for name, (status, _) in stage.executions().items() if status == "RUNNING"]
        for name in waiting:
            run(stage, name, Outside(stage))
        if not waiting:
            if later is None or "retry_at" not in stage.lease():
                return
            later(max(leases.RETRY_PAUSES) + 1)
            event = {"source": "aws.events", "detail": {}}
            stage.run("AdmitUpload", admit_upload.lambda_handler, event)
    raise AssertionError("the catalog does not come to rest")


def state_of(stage: Stage) -> dict[str, Any]:
    """What serves, in every way that one can see it; names of attempts left out."""
    served_runs.load.cache_clear()
    served_runs._without.cache_clear()
    served_runs._pointers.clear()
    served_runs._withdrawn.clear()
    scoring._variants.clear()
    pointer = stage.kept_json("current/films.json")
    run_id = pointer["runId"]
    manifest = stage.kept_json(f"runs/films/{run_id}/manifest.json")
    endpoint = stage.sagemaker.endpoints[ENDPOINT]
    root = f"runs/films/{run_id}/"
    listed = _ask(stage, "GET", "users/anna/recommendations")
    pairs = json.dumps({"pairs": [{"user": "anna", "item": "242"}]})
    predicted = _ask(stage, "POST", "predictions", pairs)
    return {
        "one run": {
            run_id,
            pointer["models"]["like"],
            pointer["models"]["ranking"],
            listed["model_version"],
            predicted["model_version"],
            _ask(stage, "GET", "model")["runId"],
            endpoint["ProductionVariants"][0]["VariantName"],
            pointer["endpointConfigName"].removeprefix("matinee-"),
        }
        == {run_id},
        "snapshot": manifest["snapshot"],
        "outcome": manifest["outcome"],
        "serves": manifest["serves"] == pointer["models"],
        "endpoint": endpoint["EndpointStatus"],
        "vocabulary": stage.kept(f"{root}vocabulary/vocabulary.json"),
        "factors": stage.kept(f"{root}factors/factors.npz"),
        "lists": stage.kept(f"{root}recommendations/part-00000.jsonl"),
        "recommended": listed["items"],
        "predicted": predicted["predictions"],
        "lease": {name for name in stage.lease() if name in ("owner", "retry_at", "failures")},
        "training": [
            name
            for name, job in stage.sagemaker.jobs.items()
            if job["TrainingJobStatus"] == "InProgress"
        ],
        "told": any(
            run_id in (notice.facts.get("runId"), notice.facts.get("run"))
            and notice.facts["outcome"] in ("promoted", "abandoned")
            for notice in stage.notices()
        ),
    }


def _ask(stage: Stage, method: str, path: str, body: str | None = None) -> dict[str, Any]:
    event = api_call(method, f"/v1/catalogs/{films_catalog()}/{path}", body=body)
    told = stage.run("Predict", predict.lambda_handler, event)
    assert told["statusCode"] == 200, told
    return dict(json.loads(told["body"]))


def films_catalog() -> str:
    """The planted catalog's name."""
    return films.TRAIN_KEY.split("/")[1]
