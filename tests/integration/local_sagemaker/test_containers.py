"""Containers of the local SageMaker: which image is ours, and that no process is left."""

import signal
from pathlib import Path

import pytest

from local.sagemaker.containers.images import repository_of
from testbed.local_sagemaker.calls import (
    BUCKET,
    ENDLESS,
    IMAGE,
    config,
    model,
    put_model,
    settled,
    training_request,
)
from testbed.local_sagemaker.server import Service, process_table, running, until


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        (IMAGE, "factorization-machines"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com/matinee/factorization-machines:v3", None),
        ("localhost:5000/factorization-machines@sha256:00", None),
        ("factorization-machines", None),
        ("1.dkr.ecr.eu-west-1.amazonaws.com/factorization-machines/xgboost:1", "xgboost"),
    ],
)
def test_the_repository_is_the_last_part_of_an_image_s_path(
    image: str, repository: str | None
) -> None:
    assert repository_of(image) == (repository or "factorization-machines")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_leaves_no_process(
    emulator: str, service: Service, tmp_path: Path, how: signal.Signals
) -> None:
    put_model(service, "planted/ending.tar.gz", 1.0)
    with running(emulator, tmp_path) as ending:
        model(ending, "ending", f"s3://{BUCKET}/planted/ending.tar.gz")
        config(ending, "ending", {"AllTraffic": ("ending", 1)})
        ending.sagemaker.create_endpoint(EndpointName="ending", EndpointConfigName="ending")
        ending.sagemaker.create_training_job(**training_request("ending", hyperparameters=ENDLESS))
        assert settled(ending, "ending")["EndpointStatus"] == "InService"
        log = tmp_path / "training" / "ending" / "training.log"
        until(lambda: log.exists() and "#progress_metric" in log.read_text())
        children = set(ending.children())
        assert len(children) >= 3  # the guardian, a training job, a model server
        ending.process.send_signal(how)
        code = ending.process.wait(60)
        until(lambda: children.isdisjoint(row.pid for row in process_table()))
        assert code == (-how if how == signal.SIGKILL else 0)
