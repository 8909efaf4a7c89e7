"""A local SageMaker that is started again on its folder knows everything that it knew."""

import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from testbed.local_sagemaker.calls import (
    BUCKET,
    ENDLESS,
    bias_served,
    config,
    ended,
    model,
    put_model,
    settled,
    train,
    training_request,
    transform,
)
from testbed.local_sagemaker.server import Service, running, until

ENDINGS = pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
LISTS = {
    "list_models": "Models",
    "list_endpoint_configs": "EndpointConfigs",
    "list_training_jobs": "TrainingJobSummaries",
    "list_transform_jobs": "TransformJobSummaries",
}


def end(service: Service, how: signal.Signals) -> None:
    service.process.send_signal(how)
    service.process.wait(60)


def told(service: Service) -> dict[str, Any]:
    """What it says of everything that does not change by itself."""
    client = service.sagemaker
    found: dict[str, Any] = {
        name: getattr(client, name)(SortBy="Name")[member] for name, member in LISTS.items()
    }
    found["model"] = client.describe_model(ModelName="kept")
    found["config"] = client.describe_endpoint_config(EndpointConfigName="kept")
    found["training"] = client.describe_training_job(TrainingJobName="trained")
    found["transform"] = client.describe_transform_job(TransformJobName="answered")
    endpoint = client.describe_endpoint(EndpointName="kept")
    found["endpoint"] = {
        name: endpoint[name]
        for name in ("EndpointArn", "EndpointConfigName", "EndpointStatus", "CreationTime")
    }
    for name in ("training", "endpoint"):
        arn = found[name].get("TrainingJobArn") or found[name]["EndpointArn"]
        found[f"tags of {name}"] = client.list_tags(ResourceArn=arn)["Tags"]
    for answer in found.values():
        if isinstance(answer, dict):
            answer.pop("ResponseMetadata", None)
    return found


@ENDINGS
def test_everything_is_told_as_before_and_what_served_serves_again(
    emulator: str, service: Service, tmp_path: Path, how: signal.Signals
) -> None:
    with running(emulator, tmp_path) as before:
        train(before, "trained", Tags=[{"Key": "catalog", "Value": "films"}])
        model(before, "trained")
        model(before, "kept", put_model(before, "planted/kept.tar.gz", 2.0))
        config(before, "kept", {"AllTraffic": ("kept", 1)})
        before.sagemaker.create_endpoint(EndpointName="kept", EndpointConfigName="kept")
        transform(before, "answered", f"s3://{BUCKET}/data/test/")
        arn = settled(before, "kept")["EndpointArn"]
        before.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "late", "Value": "1"}])
        model(before, "gone", f"s3://{BUCKET}/planted/kept.tar.gz")
        before.sagemaker.delete_model(ModelName="gone")
        said = told(before)
        assert said["tags of endpoint"] == [{"Key": "late", "Value": "1"}]
        end(before, how)
    with running(emulator, tmp_path) as after:
        assert settled(after, "kept")["EndpointStatus"] == "InService"
        assert told(after) == said
        assert bias_served(after, "kept") == 2.0


@ENDINGS
def test_an_endpoint_goes_on_with_what_was_deleted_meanwhile(
    emulator: str, service: Service, tmp_path: Path, how: signal.Signals
) -> None:
    with running(emulator, tmp_path) as before:
        model(before, "short", put_model(before, "planted/short.tar.gz", 3.0))
        config(before, "short", {"AllTraffic": ("short", 1)})
        before.sagemaker.create_endpoint(EndpointName="short", EndpointConfigName="short")
        settled(before, "short")
        before.sagemaker.delete_model(ModelName="short")
        before.sagemaker.delete_endpoint_config(EndpointConfigName="short")
        end(before, how)
    with running(emulator, tmp_path) as after:
        assert settled(after, "short")["EndpointStatus"] == "InService"
        assert bias_served(after, "short") == 3.0


@ENDINGS
def test_jobs_at_work_have_failed_with_the_machine(
    emulator: str, service: Service, tmp_path: Path, how: signal.Signals
) -> None:
    with running(emulator, tmp_path) as before:
        request = training_request("endless", hyperparameters=ENDLESS)
        before.sagemaker.create_training_job(**request)
        log = tmp_path / "training" / "endless" / "training.log"
        until(lambda: log.exists() and "#progress_metric" in log.read_text())
        end(before, how)
    with running(emulator, tmp_path) as after:
        job = ended(after, "endless")
        assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
        assert job["FailureReason"] == "InternalServerError: the machine stopped"
        assert job["TrainingEndTime"] >= job["TrainingStartTime"]
        # What its container had on its disk is gone, what it said is not.
        assert [path.name for path in log.parent.iterdir()] == [log.name]


def test_changes_go_on_to_their_ends(emulator: str, service: Service, tmp_path: Path) -> None:
    for name, bias in (("first", 1.0), ("second", 2.0)):
        put_model(service, f"planted/{name}-of-two.tar.gz", bias)
    with running(emulator, tmp_path) as before:
        for name in ("first", "second"):
            model(before, name, f"s3://{BUCKET}/planted/{name}-of-two.tar.gz")
            config(before, name, {"AllTraffic": (name, 1)})
        for name in ("updated", "deleted"):
            before.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="first")
        for name in ("updated", "deleted"):
            settled(before, name)
        before.sagemaker.create_endpoint(EndpointName="new", EndpointConfigName="second")
        before.sagemaker.update_endpoint(EndpointName="updated", EndpointConfigName="second")
        before.sagemaker.delete_endpoint(EndpointName="deleted")
        end(before, signal.SIGKILL)
    with running(emulator, tmp_path) as after:
        updated = until(lambda: in_service_with(after, "updated", "second"))
        assert "PendingDeploymentSummary" not in updated
        assert until(lambda: in_service_with(after, "new", "second"))
        assert bias_served(after, "updated") == bias_served(after, "new") == 2.0
        names = [one["EndpointName"] for one in after.sagemaker.list_endpoints()["Endpoints"]]
        assert sorted(names) == ["new", "updated"]


def in_service_with(service: Service, name: str, config_name: str) -> dict[str, Any] | None:
    said: dict[str, Any] = service.sagemaker.describe_endpoint(EndpointName=name)
    assert said["EndpointStatus"] != "Failed", said
    there = (said["EndpointStatus"], said["EndpointConfigName"])
    return said if there == ("InService", config_name) else None


def test_an_endpoint_whose_model_is_gone_says_so_and_comes_back_with_it(
    emulator: str, service: Service, tmp_path: Path
) -> None:
    uri = put_model(service, "planted/lost.tar.gz", 4.0)
    with running(emulator, tmp_path) as before:
        model(before, "lost", uri)
        config(before, "lost", {"AllTraffic": ("lost", 1)})
        before.sagemaker.create_endpoint(EndpointName="lost", EndpointConfigName="lost")
        settled(before, "lost")
    service.s3.delete_object(Bucket=BUCKET, Key="planted/lost.tar.gz")
    with running(emulator, tmp_path) as without:
        failed = settled(without, "lost")
        assert failed["EndpointStatus"] == "Failed"
        assert uri in failed["FailureReason"]
    put_model(service, "planted/lost.tar.gz", 4.0)
    with running(emulator, tmp_path) as again:
        assert settled(again, "lost")["EndpointStatus"] == "InService"


@pytest.mark.parametrize("harm", ["damaged", "of another format"])
def test_a_file_that_cannot_be_read_is_put_aside(
    emulator: str, service: Service, tmp_path: Path, harm: str
) -> None:
    uri = put_model(service, "planted/aside.tar.gz", 1.0)
    with running(emulator, tmp_path) as before:
        model(before, "aside", uri)
    path = tmp_path / "registry.sqlite"
    if harm == "damaged":
        path.write_bytes(b"no database at all, whatever its name says" * 100)
    else:
        with sqlite3.connect(path) as file:
            file.execute("PRAGMA user_version = 99")
        file.close()
    copy = tmp_path / "copy"
    shutil.copy(path, copy)
    with running(emulator, tmp_path) as after:
        assert after.sagemaker.list_models()["Models"] == []
        model(after, "aside", uri)
    assert (tmp_path / "registry.sqlite.unread").read_bytes() == copy.read_bytes()
