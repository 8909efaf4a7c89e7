"""What breaks in the middle ends cleanly, with its reason, and the next run works."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator.stack import Stack
from testbed.catalogs import Catalog, planted

Notices = Callable[[str | None], list[dict[str, Any]]]
ENDLESS = {"epochs": "10000", "num_factors": "64", "mini_batch_size": "10"}


@pytest.fixture
def serving(new_catalog: Callable[..., Catalog], request: pytest.FixtureRequest) -> Catalog:
    """A catalog with a good model in service."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:32].strip("-")
    catalog = new_catalog(name)
    catalog.configure()
    catalog.put("ratings.tsv", planted())
    catalog.settle(1)
    assert catalog.manifests()[-1]["outcome"] == "promoted"
    return catalog


def ends_cleanly(
    catalog: Catalog, before: dict[str, Any], notices: Notices, kind: str
) -> dict[str, Any]:
    """Check everything that holds of every failed run; give its manifest."""
    execution = catalog.settle(2)[-1]
    assert execution["status"] == "FAILED"
    assert catalog.error(execution)[0] == kind
    manifest = catalog.manifests()[-1]
    assert (manifest["outcome"], manifest["error"]["type"]) == ("failed", kind)
    assert manifest["error"]["message"]
    assert notices(catalog.name)[-1]["outcome"] == "failed"
    assert manifest["error"]["message"] in notices(catalog.name)[-1]["summary"]
    assert "owner" not in catalog.lease()
    assert catalog.pointer() == before
    assert catalog.endpoint()["EndpointStatus"] == "InService"
    status, answer = catalog.predict(("1", "2"))
    assert (status, answer["model_version"]) == (200, before["runId"])
    return manifest


def the_next_run_works(catalog: Catalog) -> None:
    runs = len(catalog.executions())
    catalog.configure(top_n=5)
    assert catalog.settle(runs + 1)[-1]["status"] == "SUCCEEDED"
    last = catalog.manifests()[-1]
    assert last["outcome"] == "promoted"
    assert catalog.pointer()["runId"] == last["runId"]


def test_a_worse_challenger_is_rejected(serving: Catalog, notices: Notices) -> None:
    before, config = serving.pointer(), serving.endpoint()["EndpointConfigName"]
    # The same pairs, every rating turned over but those that the champion is tested on.
    rows = [line.split("\t") for line in planted().decode().splitlines()]
    shuffled = [row[2] for row in rows]
    shuffled = shuffled[len(shuffled) // 3 :] + shuffled[: len(shuffled) // 3]
    body = "".join(
        f"{user}\t{item}\t{rating}\t{int(at) + 10_000_000}\n"
        for (user, item, _, at), rating in zip(rows, shuffled, strict=True)
    )
    serving.put("shuffled.tsv", body.encode())
    execution = serving.settle(2)[-1]
    assert execution["status"] == "SUCCEEDED"
    manifest = serving.manifests()[-1]
    assert manifest["evaluation"]["models"]["like"]["verdict"] == "rejected"
    assert manifest["evaluation"]["models"]["like"]["reasons"]
    assert serving.endpoint()["EndpointConfigName"] == config
    # Who rated what is as it was: the ranking model is as good, and judged by itself.
    assert serving.pointer()["models"]["like"] == before["models"]["like"]
    assert notices(serving.name)[-1]["outcome"] == manifest["outcome"]


def test_failed_training(serving: Catalog, notices: Notices) -> None:
    before = serving.pointer()
    serving.configure(hyperparameters=ENDLESS)
    kill_container(running_job(serving))
    manifest = ends_cleanly(serving, before, notices, "TrainingFailedError")
    assert "AlgorithmError" in manifest["error"]["message"]
    assert "retry_at" in serving.lease()  # it may go better later
    the_next_run_works(serving)
    assert "retry_at" not in serving.lease()


def test_hyperparameters_that_no_job_would_take(serving: Catalog, notices: Notices) -> None:
    before = serving.pointer()
    jobs = names_of_jobs(serving)
    serving.configure(hyperparameters={"epochs": "many"})
    execution = serving.settle(2)[-1]
    assert serving.error(execution)[0] == "InvalidConfigError"
    summary = notices(serving.name)[-1]["summary"]
    assert "$.hyperparameters.epochs: is 'many', expected an integer" in summary
    assert (names_of_jobs(serving), serving.pointer()) == (jobs, before)
    the_next_run_works(serving)


def names_of_jobs(catalog: Catalog) -> set[str]:
    found = catalog.stack.client("sagemaker").list_training_jobs(MaxResults=100)
    return {one["TrainingJobName"] for one in found["TrainingJobSummaries"]}


def kill_container(job: str) -> None:
    """End a job's container as a machine does that runs out of memory."""
    listed = subprocess.run(
        ["ps", "-axeww", "-o", "pid=,command="], capture_output=True, text=True, check=True
    )
    pids = [
        int(line.split()[0])
        for line in listed.stdout.splitlines()
        if f"/{job}" in line and "factorization_machines" in line and "OPT_ML" in line
    ]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_stopped_training(serving: Catalog, notices: Notices) -> None:
    before = serving.pointer()
    serving.configure(hyperparameters=ENDLESS)
    job = running_job(serving)
    serving.stack.client("sagemaker").stop_training_job(TrainingJobName=job)
    ends_cleanly(serving, before, notices, "TrainingStoppedError")
    the_next_run_works(serving)


def test_overdue_training(serving: Catalog, notices: Notices) -> None:
    before = serving.pointer()
    serving.configure(hyperparameters=ENDLESS, training={"max_seconds": 2})
    ends_cleanly(serving, before, notices, "TrainingOverdueError")
    assert status_of(serving, newest_job(serving)) == "Stopped"
    the_next_run_works(serving)


def test_failed_endpoint_update(serving: Catalog, notices: Notices) -> None:
    before = serving.pointer()
    with the_model_spoiled_once_judged(serving):
        serving.configure(top_n=7)
        manifest = ends_cleanly(serving, before, notices, "EndpointFailedError")
    assert manifest["evaluation"]["verdict"] == "promoted"
    the_next_run_works(serving)


def test_aborted_run(serving: Catalog) -> None:
    serving.configure(hyperparameters=ENDLESS)
    job = running_job(serving)
    arn = serving.executions()[-1]["executionArn"]
    serving.stack.client("stepfunctions").stop_execution(executionArn=arn)
    # Nothing freed the catalog, and the job still trains: the next upload must do both.
    the_next_run_works(serving)
    deadline = time.monotonic() + 60
    while status_of(serving, job) == "Stopping" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status_of(serving, job) == "Stopped"


@pytest.mark.parametrize("state", ["Encode ratings", "Evaluate model", "Wait for endpoint"])
def test_aborted_anywhere(new_catalog: Callable[..., Catalog], state: str) -> None:
    """The smaller, live part of the campaign of ``tests/chaos``."""
    catalog = new_catalog("aborted-" + state.split()[-1])
    catalog.configure()
    catalog.put("ratings.tsv", planted())
    catalog.settle(1)
    catalog.configure(top_n=7)
    arn = catalog.wait_for_state(state, run=2)
    catalog.stack.client("stepfunctions").stop_execution(executionArn=arn)
    the_next_run_works(catalog)
    status, model = catalog.call("model")
    run_id = catalog.pointer()["runId"]
    assert (status, model["runId"]) == (200, run_id)
    assert catalog.predict(("1", "2"))[1]["model_version"] == run_id
    variants = catalog.endpoint()["ProductionVariants"]
    assert [one["VariantName"] for one in variants] == [run_id]
    assert "owner" not in catalog.lease()


def test_mistaken_config(serving: Catalog, notices: Notices) -> None:
    before = serving.pointer()
    serving.put("config.json", b'{"top_n": "many"}', folder="catalogs")
    execution = serving.settle(2)[-1]
    assert (execution["status"], serving.error(execution)[0]) == ("FAILED", "InvalidConfigError")
    manifest = serving.manifests()[-1]
    assert manifest["outcome"] == "refused"
    assert "top_n" in manifest["error"]["message"]
    assert "trainings" not in manifest
    assert serving.pointer() == before
    the_next_run_works(serving)


def newest_job(catalog: Catalog) -> str:
    """The like model's job that began last; the ranking model's bears that name and one more."""
    jobs = catalog.stack.client("sagemaker").list_training_jobs(
        SortBy="CreationTime", SortOrder="Descending", MaxResults=10
    )["TrainingJobSummaries"]
    names = [str(one["TrainingJobName"]) for one in jobs]
    return next(name for name in names if not name.endswith("-ranking"))


def running_job(catalog: Catalog) -> str:
    """Wait until the second run's like model trains."""
    catalog.wait_for_state("Train models", run=2)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = newest_job(catalog)
        if status_of(catalog, job) == "InProgress":
            return job
        time.sleep(0.1)
    raise AssertionError(f"{catalog.name}: no like model trains")


def status_of(catalog: Catalog, job: str) -> str:
    client = catalog.stack.client("sagemaker")
    return str(client.describe_training_job(TrainingJobName=job)["TrainingJobStatus"])


@contextlib.contextmanager
def the_model_spoiled_once_judged(catalog: Catalog) -> Iterator[None]:
    """Put into the state machine, between verdict and endpoint, a state that damages the archive.

    A run of the session's other catalogs is left alone: the state is for this catalog's runs.
    """
    client, outputs = catalog.stack.client("stepfunctions"), catalog.stack.outputs
    arn, bucket = outputs["StateMachineArn"], outputs["ArtifactsBucketName"]
    catalog.stack.client("s3").put_object(
        Bucket=bucket, Key=f"not-an-archive/{catalog.name}", Body=b"not an archive"
    )
    definition = client.describe_state_machine(stateMachineArn=arn)["definition"]
    changed = json.loads(definition)
    archive = f"runs/{catalog.name}/{{}}/model/matinee-{{}}/output/model.tar.gz"
    changed["States"]["Is it this catalog?"] = {
        "Type": "Choice",
        "Choices": [
            {
                "Variable": "$.catalog",
                "StringEquals": catalog.name,
                "Next": "Spoil the model",
            }
        ],
        "Default": "Update endpoint",
    }
    changed["States"]["Spoil the model"] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:copyObject",
        "Parameters": {
            "Bucket": bucket,
            "CopySource": f"{bucket}/not-an-archive/{catalog.name}",
            "Key.$": f"States.Format('{archive}', $.encoding.runId, $.encoding.runId)",
        },
        "ResultPath": None,
        "Next": "Update endpoint",
    }
    choice = changed["States"]["Is there a new like model?"]["Choices"][0]
    assert choice["Next"] == "Update endpoint"
    choice["Next"] = "Is it this catalog?"
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(changed))
    try:
        yield
    finally:
        client.update_state_machine(stateMachineArn=arn, definition=definition)


def test_an_error_keeps_its_class_name_on_its_way(stack: Stack) -> None:
    answer = stack.client("lambda").invoke(
        FunctionName="matinee-encode-ratings",
        Payload=json.dumps({"catalog": "never-was", "execution": "nobody"}).encode(),
    )
    assert json.loads(answer["Payload"].read())["errorType"] == "LeaseLostError"


def test_what_does_not_exist_is_refused_by_the_local_sagemaker(stack: Stack) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        stack.client("sagemaker").describe_endpoint(EndpointName="matinee-never-was")
