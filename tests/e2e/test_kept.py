"""A stack that is stopped and started again on its data goes on as if nothing had been."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.emulator.processes import choose_port
from local.emulator.stack import Stack, build
from testbed.catalogs import Catalog, planted
from testbed.local_sagemaker.server import until

ENDLESS = {"epochs": "10000", "num_factors": "64", "mini_batch_size": "10"}
ODD = "odd \x01\n+%é.tsv"


@dataclass
class Restart:
    """A stack after its restart, and what was told before."""

    stack: Stack
    told: dict[str, Any]
    outputs: dict[str, str]
    left: list[str]


def new_stack(folder: Path) -> Stack:
    return Stack(
        folder=folder / "local",
        data=folder / "data",
        settle_seconds=1,
        poll_seconds=1,
        emulator_port=choose_port(0),
        sagemaker_port=choose_port(0),
    )


def told(catalog: Catalog) -> dict[str, Any]:
    """What people and programs are told of a catalog that is at rest."""
    s3, sagemaker = catalog.stack.client("s3"), catalog.stack.client("sagemaker")
    buckets = (catalog.stack.outputs[f"{kind}BucketName"] for kind in ("Ratings", "Artifacts"))
    arn = catalog.endpoint()["EndpointArn"]
    return {
        "objects": [
            (one["Key"], one["VersionId"], one["ETag"])
            for bucket in buckets
            for one in s3.list_object_versions(Bucket=bucket).get("Versions", [])
            if f"/{catalog.name}" in one["Key"]
        ],
        "manifests": catalog.manifests(),
        "pointer": catalog.pointer(),
        "lease": catalog.lease(),
        "executions": [(one["name"], one["status"]) for one in catalog.executions()],
        "endpoint": catalog.endpoint()["EndpointConfigName"],
        "tags": sagemaker.list_tags(ResourceArn=arn)["Tags"],
        "jobs": [
            sagemaker.describe_training_job(TrainingJobName=one["trainingJobName"])[
                "ModelArtifacts"
            ]
            for manifest in catalog.manifests()
            for one in manifest["trainings"].values()
        ],
        "predictions": catalog.predict(("1", "2"), ("1", "3"), ("7", "2")),
        "list": catalog.call("users/1/recommendations?limit=5"),
    }


@pytest.fixture(scope="module")
def restart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restart]:
    build()
    folder = tmp_path_factory.mktemp("kept")
    with new_stack(folder) as stack:
        films, halted = Catalog(stack, "films"), Catalog(stack, "halted")
        films.configure()
        films.put(ODD, planted())
        films.settle(1)
        halted.configure(hyperparameters=ENDLESS)
        halted.put("ratings.tsv", planted())
        halted.wait_for_state("Train models", 1)
        halted.configure()
        Catalog(stack, "late").put("ratings.tsv", planted())
        said, outputs = told(films), dict(stack.outputs)
    left = sorted(path.name for path in stack.folder.iterdir())
    with new_stack(folder) as again:
        yield Restart(again, said, outputs, left)


def test_everything_is_told_as_before(restart: Restart) -> None:
    films = Catalog(restart.stack, "films")
    assert restart.told["predictions"][0] == restart.told["list"][0] == 200
    assert films.endpoint()["EndpointStatus"] == "InService"
    assert told(films) == restart.told
    assert films.manifests()[-1]["files"][0]["key"] == f"ratings/films/{ODD}"


def test_names_stay_and_places_follow(restart: Restart) -> None:
    now, before = dict(restart.stack.outputs), dict(restart.outputs)
    url = urlsplit(now.pop("DeadLettersUrl"))
    assert urlsplit(before.pop("DeadLettersUrl")).path == url.path
    assert now == before
    assert url.port == restart.stack.emulator_port


def test_only_logs_are_left_in_the_folder_of_a_stack_that_was_stopped(restart: Restart) -> None:
    assert [name for name in restart.left if not name.endswith((".log", ".json"))] == []
    assert "stack.json" not in restart.left


@pytest.mark.parametrize("name", ["halted", "late"])
def test_a_run_that_was_interrupted_is_run_again(restart: Restart, name: str) -> None:
    catalog = Catalog(restart.stack, name)
    last = until(lambda: succeeded(catalog), 120)
    assert catalog.settle(1)[-1] == last
    assert catalog.manifests()[-1]["outcome"] == "promoted"
    assert catalog.predict(("1", "2"))[0] == 200


def succeeded(catalog: Catalog) -> dict[str, Any] | None:
    """The catalog's last run, if it succeeded; the one that was interrupted does not count."""
    found = [one for one in catalog.executions() if one["status"] == "SUCCEEDED"]
    return found[-1] if found else None


def test_a_run_after_the_restart_serves(restart: Restart) -> None:
    films = Catalog(restart.stack, "films")
    before = films.pointer()
    films.put("more.tsv", b"61\t1\t5\t890000000\n61\t2\t1\t890000001\n")
    assert films.settle(2)[-1]["status"] == "SUCCEEDED"
    assert films.pointer()["runId"] != before["runId"]
    assert films.predict(("61", "3"))[1]["predictions"][0]["user_known"] is True
