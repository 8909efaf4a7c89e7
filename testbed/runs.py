"""Whole runs of the planted catalog, told what happens at each of its waits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recommender.dataset.vocabulary import Vocabulary

from functions.admit_upload import app as admit_upload
from functions.finish_run import app as finish_run
from testbed import films
from testbed.events import object_created
from testbed.machine import Execution, State
from testbed.stage import Stage

ENDPOINT = "matinee-films"


def upload_films(stage: Stage) -> None:
    """Put the planted catalog's files into the bucket."""
    stage.upload(films.TRAIN_KEY, films.ratings("train"))
    stage.upload(films.TEST_KEY, films.ratings("test"))
    stage.upload(films.ITEMS_KEY, films.titles())


def admit(stage: Stage, key: str = films.TRAIN_KEY) -> State:
    """Tell of an upload."""
    event = object_created(stage.ratings, key)
    return stage.run("AdmitUpload", admit_upload.lambda_handler, event)


def archive(stage: Stage, run_id: str, sign: int = 1) -> bytes:
    """The model that training would make of a run's vocabulary."""
    data = stage.kept(f"runs/films/{run_id}/vocabulary/vocabulary.json")
    vocabulary = Vocabulary.from_json(data)
    return films.model(vocabulary.users, vocabulary.items, sign=sign)


@dataclass
class Outside:
    """What SageMaker does while a run waits for it; as a rule all goes well at once.

    Attributes:
        settles: called with the execution's data before the bucket is looked at.
        trains: called with the execution's data at each wait for training.
        deploys: called with it at each wait for the endpoint.
    """

    stage: Stage
    sign: int = 1
    trains: Callable[[State], None] | None = None
    deploys: Callable[[State], None] | None = None
    settles: Callable[[State], None] | None = None

    def during(self) -> dict[str, Callable[[State], None]]:
        """By the names of the Wait states."""
        return {
            "Settle": self.settles or _nothing,
            "Wait for training": self.trains or self.train,
            "Wait for endpoint": self.deploys or self.deploy,
        }

    def train(self, data: State) -> None:
        """Let the run's training job end well, unless it was told to stop."""
        job = data["training"]["trainingJobName"]
        if self.stage.sagemaker.jobs[job]["TrainingJobStatus"] == "Stopping":
            self.stage.sagemaker.end(job, "Stopped", "Stopped")
        else:
            model = archive(self.stage, data["runId"], self.sign)
            self.stage.sagemaker.complete(job, model)

    def deploy(self, data: State) -> None:
        """Let the endpoint come into service with the run's model."""
        self.stage.sagemaker.settle(data["endpoint"]["endpointName"])


def _nothing(_: State) -> None:
    """As a rule, nothing happens while a run settles."""


def run(stage: Stage, name: str, outside: Outside | None = None) -> Execution:
    """Walk an execution that was started to its end."""
    _, given = stage.executions()[name]
    during = (outside or Outside(stage)).during()
    return Execution(stage, name, given, during).run()


@dataclass(frozen=True)
class Kept:
    """Everything that a promoted run left in the artifacts bucket, to be put there again."""

    run_id: str
    model_uri: str
    objects: dict[str, bytes]

    def put(self, stage: Stage) -> None:
        """Let the run serve."""
        for key, data in self.objects.items():
            stage.s3.put_object(Bucket=stage.artifacts, Key=key, Body=data)
        stage.sagemaker.serve(ENDPOINT, self.run_id, self.model_uri)


def kept(stage: Stage) -> Kept:
    """Run the planted catalog until its model serves, and take what it left."""
    done = promoted(stage)
    objects = {key: stage.kept(key) for key in stage.listing()}
    return Kept(done.data["encoding"]["runId"], done.data["evaluation"]["modelUri"], objects)


def promoted(stage: Stage) -> Execution:
    """Upload the planted catalog and run it until its model serves."""
    upload_films(stage)
    done = run(stage, admit(stage)["execution"])
    assert done.status == "SUCCEEDED", done.error
    stage.notices()
    stage.calls.clear()
    return done


def finish(stage: Stage, execution: str, outcome: str, state: State | None = None) -> State:
    """Call the last step of a run."""
    event = {
        "catalog": "films",
        "execution": execution,
        "stateMachineArn": stage.machine,
        "startedAt": "2026-11-22T10:00:00.000Z",
        "outcome": outcome,
        "state": {"catalog": "films", **(state or {})},
    }
    return stage.run("FinishRun", finish_run.lambda_handler, event)


def again(stage: Stage, outside: Outside | None = None) -> Execution:
    """One more upload, and its run to the end."""
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    return run(stage, admit(stage)["execution"], outside)


def manifest_of(stage: Stage, execution: Execution) -> dict[str, Any]:
    """Read what an execution left as its record."""
    return stage.kept_json(f"runs/films/{execution.data['finish']['runId']}/manifest.json")


def pointer(stage: Stage) -> dict[str, Any]:
    """Read which run serves."""
    return stage.kept_json("current/films.json")
