"""One local SageMaker with real training and serving processes, asked by boto3 over HTTP."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.local_sagemaker.calls import BUCKET, config, model, rows, settled, train
from testbed.local_sagemaker.server import (
    EMULATOR_PYTHON,
    REGION,
    Service,
    aws_environment,
    running,
    until,
)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not EMULATOR_PYTHON.exists():
        pytest.skip("needs the emulator's environment, .venvs/emulator")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("emulator")
    environment = {
        **aws_environment(""),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "false",
    }
    del environment["AWS_ENDPOINT_URL"]
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [EMULATOR_PYTHON, "-m", "ministack.app"],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        until(answers)
        yield url
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def service(emulator: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(emulator, tmp_path_factory.mktemp("sagemaker")) as service:
        service.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        service.s3.put_object(Bucket=BUCKET, Key="data/train/part-0", Body=rows(0, 1_500))
        service.s3.put_object(Bucket=BUCKET, Key="data/train/part-1", Body=rows(1_500, 2_000))
        service.s3.put_object(Bucket=BUCKET, Key="data/test/part-0", Body=rows(2_000, 2_400))
        yield service


@pytest.fixture(scope="session")
def trained(service: Service) -> dict[str, Any]:
    job = train(service, "trained", Tags=[{"Key": "catalog", "Value": "movielens"}])
    assert job["TrainingJobStatus"] == "Completed", job
    return job


@pytest.fixture(scope="session")
def endpoint(service: Service, trained: dict[str, Any]) -> str:
    model(service, "trained")
    config(service, "trained", {"AllTraffic": ("trained", 1)})
    service.sagemaker.create_endpoint(EndpointName="trained", EndpointConfigName="trained")
    assert settled(service, "trained")["EndpointStatus"] == "InService"
    return "trained"
