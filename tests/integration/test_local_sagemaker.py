"""The local SageMaker, asked by boto3 over HTTP, with real training and serving processes."""

import contextlib
import http.client
import io
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from recommender.features import FeatureRows
from recommender.model.artifact import read_artifact, write_artifact
from recommender.model.machine import FactorizationMachine, predict
from recommender.recordio.rows import read_predictions, write_pairs

from local.sagemaker.containers.images import repository_of
from local.sagemaker.faults import JobError
from local.sagemaker.service.validation import service_model
from local.sagemaker.storage.archives import DamagedArchiveError, pack, unpack
from local.sagemaker.storage.s3 import name_below
from local.sagemaker.training.metrics import final_metrics
from local.sagemaker.transforms.splitting import payloads

ROOT = Path(__file__).parents[2]
EMULATOR_PYTHON = ROOT / ".venvs" / "emulator" / "bin" / "python"
REGION = "eu-central-1"
ACCOUNT = "000000000000"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/matinee-training"
IMAGE = "813361260812.dkr.ecr.eu-central-1.amazonaws.com/factorization-machines:1"
BUCKET = "matinee-artifacts"
USERS, ITEMS = 40, 60
DIMENSION = USERS + ITEMS
ENDLESS = {"epochs": "10000", "num_factors": "512"}  # minutes

pytestmark = pytest.mark.skipif(
    not EMULATOR_PYTHON.exists(), reason="needs the emulator's environment, .venvs/emulator"
)


@dataclass(frozen=True)
class Service:
    """A running local SageMaker and everything that talks to it."""

    process: subprocess.Popen[str]
    url: str
    state: Path
    sagemaker: Any
    runtime: Any
    s3: Any
    logs: Any

    def children(self) -> list[int]:
        """Every process that the server started, and theirs."""
        groups = {row.group for row in process_table() if row.parent == self.process.pid}
        return [row.pid for row in process_table() if row.group in groups]

    def containers(self) -> set[int]:
        """The container programs that run, without their own children."""
        return {
            row.pid
            for row in process_table()
            if row.parent == self.process.pid and "guardian.py" not in row.command
        }


class ProcessRow(NamedTuple):
    pid: int
    parent: int
    group: int
    command: str


def process_table() -> list[ProcessRow]:
    """Every process of this machine that has not ended."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,pgid=,stat=,command="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 4) for line in listed.stdout.splitlines()]
    return [
        ProcessRow(int(pid), int(parent), int(group), command)
        for pid, parent, group, state, command in rows
        if not state.startswith("Z")
    ]


def aws_environment(endpoint: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",  # what the emulator takes; a secret of nothing
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client(service: Any, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            parameter_validation=False,  # the server's own checks are what is tested
            retries={"total_max_attempts": 1},
            max_pool_connections=16,
        ),
    )


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What the condition says once it says anything true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
    return result


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def message_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Message"])


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
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


@contextlib.contextmanager
def running(emulator: str, state: Path) -> Iterator[Service]:
    with (state / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.sagemaker", "--port", "0", "--state", state],
            env=aws_environment(emulator),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        clients = [client(name, url) for name in ("sagemaker", "sagemaker-runtime")]
        clients += [client(name, emulator) for name in ("s3", "logs")]
        yield Service(process, url, state, *clients)
        for each in clients:
            each.close()
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


@pytest.fixture(scope="module")
def service(emulator: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(emulator, tmp_path_factory.mktemp("sagemaker")) as service:
        service.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        service.s3.put_object(Bucket=BUCKET, Key="data/train/part-0", Body=rows(0, 1_500))
        service.s3.put_object(Bucket=BUCKET, Key="data/train/part-1", Body=rows(1_500, 2_000))
        service.s3.put_object(Bucket=BUCKET, Key="data/test/part-0", Body=rows(2_000, 2_400))
        yield service


def pairs(begin: int, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose labels depend on the user and the item, and on nothing random."""
    numbers = np.arange(begin, end, dtype=np.int64)
    users, items = numbers % USERS, USERS + (numbers * 7 + numbers // USERS) % ITEMS
    return users, items, ((users + items) % 3 == 0).astype(np.float32)


def rows(begin: int, end: int) -> bytes:
    users, items, labels = pairs(begin, end)
    return write_pairs(users, items, DIMENSION, labels)


def training_request(name: str, **changes: Any) -> dict[str, Any]:
    def channel(which: str) -> dict[str, Any]:
        source = {
            "S3DataType": "S3Prefix",
            "S3Uri": f"s3://{BUCKET}/data/{which}/",
            "S3DataDistributionType": "FullyReplicated",
        }
        return {
            "ChannelName": which,
            "DataSource": {"S3DataSource": source},
            "ContentType": "application/x-recordio-protobuf",
        }

    hyperparameters = {
        "feature_dim": str(DIMENSION),
        "num_factors": "4",
        "predictor_type": "binary_classifier",
        "epochs": "3",
        "mini_batch_size": "100",
    }
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": hyperparameters | changes.pop("hyperparameters", {}),
        "InputDataConfig": [channel("train"), channel("test")],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 5,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 300},
    }
    return request | changes


def ended(service: Service, name: str) -> dict[str, Any]:
    def description() -> dict[str, Any] | None:
        said: dict[str, Any] = service.sagemaker.describe_training_job(TrainingJobName=name)
        return said if said["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") else None

    return until(description, 60)  # type: ignore[no-any-return]


def train(service: Service, name: str, **changes: Any) -> dict[str, Any]:
    service.sagemaker.create_training_job(**training_request(name, **changes))
    return ended(service, name)


def get(service: Service, key: str) -> bytes:
    return bytes(service.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


@pytest.fixture(scope="module")
def trained(service: Service) -> dict[str, Any]:
    job = train(service, "trained", Tags=[{"Key": "catalog", "Value": "movielens"}])
    assert job["TrainingJobStatus"] == "Completed", job
    return job


# -- training ------------------------------------------------------------------------------------


def test_a_training_job_puts_a_model_that_the_domain_reads_where_it_says(
    service: Service, trained: dict[str, Any]
) -> None:
    uri = trained["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{BUCKET}/models/trained/output/model.tar.gz"
    machine = read_artifact(get(service, "models/trained/output/model.tar.gz"), uri)
    assert (machine.dimension, machine.rank) == (DIMENSION, 4)
    assert trained["TrainingJobArn"] == f"{ARN}:training-job/trained"


def test_a_training_job_tells_its_story(trained: dict[str, Any]) -> None:
    story = trained["SecondaryStatusTransitions"]
    assert [chapter["Status"] for chapter in story] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert trained["SecondaryStatus"] == "Completed"
    for earlier, later in itertools.pairwise(story):
        assert earlier["StartTime"] <= earlier["EndTime"] == later["StartTime"]
    assert trained["CreationTime"] <= trained["TrainingStartTime"] < trained["TrainingEndTime"]
    seconds = (trained["TrainingEndTime"] - trained["TrainingStartTime"]).total_seconds()
    assert trained["BillableTimeInSeconds"] == max(1, round(seconds))
    assert trained["HyperParameters"]["num_factors"] == "4"


def test_the_final_metrics_are_those_of_the_model_on_the_test_channel(
    service: Service, trained: dict[str, Any]
) -> None:
    machine = read_artifact(get(service, "models/trained/output/model.tar.gz"), "trained")
    users, items, labels = pairs(2_000, 2_400)
    probabilities = predict(FeatureRows.pairs(users, items, DIMENSION), machine)
    accuracy = float(np.mean((probabilities >= 0.5) == (labels == 1)))
    metrics = {metric["MetricName"]: metric["Value"] for metric in trained["FinalMetricDataList"]}
    assert metrics["test:binary_classification_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert "train:binary_classification_cross_entropy" in metrics
    assert "test:binary_f_beta" in metrics


def test_a_job_trained_again_gives_the_same_bytes(
    service: Service, trained: dict[str, Any]
) -> None:
    assert train(service, "trained-again")["TrainingJobStatus"] == "Completed"
    again = get(service, "models/trained-again/output/model.tar.gz")
    assert again == get(service, "models/trained/output/model.tar.gz")


def test_the_container_s_log_is_kept_and_copied_to_the_log_group(
    service: Service, trained: dict[str, Any]
) -> None:
    kept = (service.state / "training" / "trained" / "training.log").read_text()
    group = "/aws/sagemaker/TrainingJobs"

    def copied() -> list[str] | None:
        streams = service.logs.describe_log_streams(
            logGroupName=group, logStreamNamePrefix="trained/algo-1-"
        )["logStreams"]
        if not streams:
            return None
        events = service.logs.get_log_events(
            logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True
        )["events"]
        lines = [event["message"] for event in events]
        return lines if len(lines) == len([line for line in kept.splitlines() if line]) else None

    assert any("#quality_metric: host=algo-1, test" in line for line in until(copied))


def test_a_bad_hyperparameter_fails_the_job_in_the_container_s_words(service: Service) -> None:
    job = train(service, "bad-hyperparameter", hyperparameters={"num_factors": "many"})
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert "num_factors" in job["FailureReason"]


def test_an_empty_channel_fails_the_job_while_it_downloads(service: Service) -> None:
    request = training_request("no-data")
    source = request["InputDataConfig"][0]["DataSource"]["S3DataSource"]
    source["S3Uri"] = f"s3://{BUCKET}/nothing/"
    job = train(service, "no-data", InputDataConfig=request["InputDataConfig"])
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed:")
    assert f"s3://{BUCKET}/nothing/" in job["FailureReason"]
    assert [chapter["Status"] for chapter in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Failed",
    ]


def test_a_foreign_image_fails_the_job_and_is_named(service: Service) -> None:
    image = "1.dkr.ecr.eu-central-1.amazonaws.com/xgboost:1"
    job = train(
        service,
        "foreign-image",
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    )
    assert job["TrainingJobStatus"] == "Failed"
    assert image in job["FailureReason"]


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


def test_a_stopped_job_ends_stopped(service: Service) -> None:
    service.sagemaker.create_training_job(**training_request("stopped", hyperparameters=ENDLESS))
    log = service.state / "training" / "stopped" / "training.log"
    until(lambda: log.exists() and "#progress_metric" in log.read_text())
    service.sagemaker.stop_training_job(TrainingJobName="stopped")
    job = ended(service, "stopped")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert [chapter["Status"] for chapter in job["SecondaryStatusTransitions"]][-2:] == [
        "Stopping",
        "Stopped",
    ]
    # It was asked, and not killed.
    assert "stopped by SIGTERM" in log.read_text()
    with pytest.raises(ClientError, match="is in status Stopped") as error:
        service.sagemaker.stop_training_job(TrainingJobName="stopped")
    assert code_of(error) == "ValidationException"


def test_an_overdue_job_is_stopped_and_says_so(service: Service) -> None:
    job = train(
        service,
        "overdue",
        hyperparameters=ENDLESS,
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    took = (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds()
    assert took >= 1
    log = service.state / "training" / "overdue" / "training.log"
    assert "stopped by SIGTERM" in log.read_text()


def test_a_job_name_is_used_once(service: Service, trained: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="with this name already exists") as error:
        service.sagemaker.create_training_job(**training_request("trained"))
    assert code_of(error) == "ResourceInUse"


def test_metrics_of_the_request_are_found_by_their_own_expressions() -> None:
    lines = [
        "#quality_metric: host=algo-1, epoch=0, train rmse <loss>=1.5",
        "#quality_metric: host=algo-1, epoch=1, batch=2 train rmse <loss>=nan",
        "#quality_metric: host=algo-1, test rmse <loss>=0.91",
        "#quality_metric: host=algo-1, test binary_f_1.000 <score>=0.5",
        "speed=12.5 rows",
    ]
    found = {metric.name: metric.value for metric in final_metrics(lines, {"speed": "speed=(.*) "})}
    assert found == {
        "train:rmse": 1.5,
        "test:rmse": 0.91,
        "test:binary_f_beta": 0.5,
        "speed": 12.5,
    }


# -- requests ------------------------------------------------------------------------------------


def test_every_broken_constraint_of_a_request_is_named_at_once(service: Service) -> None:
    request = training_request("bad_name!", StoppingCondition={"MaxRuntimeInSeconds": 0})
    request["AlgorithmSpecification"]["TrainingInputMode"] = "Stream"
    del request["RoleArn"]
    with pytest.raises(ClientError) as error:
        service.sagemaker.create_training_job(**request)
    assert code_of(error) == "ValidationException"
    message = message_of(error)
    assert message.startswith("4 validation errors detected: ")
    failed = "failed to satisfy constraint: Member must"
    for part in (
        f"Value 'bad_name!' at 'trainingJobName' {failed} satisfy regular expression pattern",
        f"Value null at 'roleArn' {failed} not be null",
        f"'algorithmSpecification.trainingInputMode' {failed} satisfy enum value set: [Pipe, File",
        f"'stoppingCondition.maxRuntimeInSeconds' {failed} have value greater than or equal to 1",
    ):
        assert part in message


def test_a_value_of_the_wrong_type_is_refused(service: Service) -> None:
    with pytest.raises(ClientError, match="HyperParameters") as error:
        raw_call(service, "CreateTrainingJob", training_request("typed", HyperParameters=["a"]))
    assert code_of(error) == "ValidationException"


def test_what_a_laptop_has_not_got_is_refused_with_every_problem(service: Service) -> None:
    request = training_request("pipes")
    request["AlgorithmSpecification"]["TrainingInputMode"] = "Pipe"
    request["InputDataConfig"][0]["CompressionType"] = "Gzip"
    with pytest.raises(ClientError, match=r"(?s)Pipe.*Gzip"):
        service.sagemaker.create_training_job(**request)


def raw_call(service: Service, operation: str, body: Any) -> dict[str, Any]:
    """A call that no client has looked at first."""
    request = urllib.request.Request(  # noqa: S310
        service.url,
        data=body if isinstance(body, bytes) else json.dumps(body).encode(),
        headers={"X-Amz-Target": f"SageMaker.{operation}"},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            said = json.load(error)
        raise ClientError(
            {"Error": {"Code": said["__type"], "Message": said["message"]}}, operation
        ) from None


def test_a_body_that_is_no_json_and_an_unknown_operation_are_told_apart(service: Service) -> None:
    with pytest.raises(ClientError) as error:
        raw_call(service, "ListModels", b"{")
    assert code_of(error) == "SerializationException"
    with pytest.raises(ClientError) as error:
        raw_call(service, "CreateCluster", {})
    assert code_of(error) == "UnknownOperationException"


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        (
            "describe_training_job",
            {"TrainingJobName": "absent"},
            "Requested resource not found.",
        ),
        ("stop_training_job", {"TrainingJobName": "absent"}, "Requested resource not found."),
        (
            "describe_endpoint",
            {"EndpointName": "absent"},
            f'Could not find endpoint "{ARN}:endpoint/absent".',
        ),
        (
            "describe_endpoint_config",
            {"EndpointConfigName": "absent"},
            f'Could not find endpoint configuration "{ARN}:endpoint-config/absent".',
        ),
        (
            "delete_model",
            {"ModelName": "absent"},
            f'Could not find model "{ARN}:model/absent".',
        ),
        (
            "describe_transform_job",
            {"TransformJobName": "absent"},
            "Could not find requested job with name: absent",
        ),
    ],
)
def test_what_does_not_exist_is_missed_in_the_service_s_words(
    service: Service, operation: str, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(service.sagemaker, operation)(**parameters)
    assert (code_of(error), message_of(error)) == ("ValidationException", message)


def test_lists_filter_sort_and_page(service: Service, trained: dict[str, Any]) -> None:
    names = [f"listed-{letter}" for letter in "cab"]
    for name in names:
        model(service, name)
    arguments: dict[str, Any] = {"NameContains": "listed-", "SortBy": "Name", "MaxResults": 2}
    first = service.sagemaker.list_models(SortOrder="Ascending", **arguments)
    second = service.sagemaker.list_models(
        SortOrder="Ascending", NextToken=first["NextToken"], **arguments
    )
    shown = [each["ModelName"] for each in first["Models"] + second["Models"]]
    assert shown == sorted(names)
    assert "NextToken" not in second
    newest_first = service.sagemaker.list_models(NameContains="listed-")["Models"]
    assert [each["ModelName"] for each in newest_first] == names[::-1]
    later = service.sagemaker.list_models(
        NameContains="listed-", CreationTimeAfter=newest_first[1]["CreationTime"]
    )["Models"]
    assert "listed-b" in [each["ModelName"] for each in later]
    done = service.sagemaker.list_training_jobs(StatusEquals="Completed", NameContains="trained")
    assert done["TrainingJobSummaries"][0]["TrainingJobArn"] == trained["TrainingJobArn"]
    for name in names:
        service.sagemaker.delete_model(ModelName=name)
    assert service.sagemaker.list_models(NameContains="listed-")["Models"] == []


def test_tags_are_added_listed_and_deleted(service: Service, trained: dict[str, Any]) -> None:
    arn = trained["TrainingJobArn"]
    service.sagemaker.add_tags(
        ResourceArn=arn, Tags=[{"Key": "run", "Value": "7"}, {"Key": "catalog", "Value": "books"}]
    )
    assert service.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "catalog", "Value": "books"},
        {"Key": "run", "Value": "7"},
    ]
    service.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["run", "absent"])
    assert service.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "catalog", "Value": "books"}
    ]


# -- hosting -------------------------------------------------------------------------------------


def planted(bias: float) -> FactorizationMachine:
    """A machine whose every answer is ``sigmoid(bias)``: it tells which model answered."""
    return FactorizationMachine(
        bias=bias,
        linear=np.zeros(DIMENSION, np.float32),
        factors=np.zeros((DIMENSION, 2), np.float32),
        predictor_type="binary_classifier",
    )


def put_model(service: Service, key: str, bias: float) -> str:
    parameters = {"feature_dim": str(DIMENSION), "predictor_type": "binary_classifier"}
    body = write_artifact(planted(bias), parameters)
    service.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"s3://{BUCKET}/{key}"


def model(service: Service, name: str, uri: str | None = None, image: str = IMAGE) -> None:
    service.sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={
            "Image": image,
            "ModelDataUrl": uri or f"s3://{BUCKET}/models/trained/output/model.tar.gz",
        },
        ExecutionRoleArn=ROLE,
    )


def config(service: Service, name: str, variants: dict[str, tuple[str, float]]) -> None:
    service.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": variant,
                "ModelName": model_name,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
                "InitialVariantWeight": weight,
            }
            for variant, (model_name, weight) in variants.items()
        ],
    )


def settled(service: Service, name: str) -> dict[str, Any]:
    def description() -> dict[str, Any] | None:
        said: dict[str, Any] = service.sagemaker.describe_endpoint(EndpointName=name)
        return said if said["EndpointStatus"] in ("InService", "Failed") else None

    return until(description, 60)  # type: ignore[no-any-return]


def ask(service: Service, name: str, body: bytes | str, **more: str) -> Any:
    return service.runtime.invoke_endpoint(EndpointName=name, Body=body, **more)


ONE_ROW = json.dumps(
    {
        "instances": [
            {"data": {"features": {"keys": [0, USERS], "shape": [DIMENSION], "values": [1, 1]}}}
        ]
    }
)


def bias_served(service: Service, name: str, **more: str) -> float:
    answer = ask(service, name, ONE_ROW, ContentType="application/json", **more)
    score = json.load(answer["Body"])["predictions"][0]["score"]
    return round(float(np.log(score / (1 - score))), 3)


@pytest.fixture(scope="module")
def endpoint(service: Service, trained: dict[str, Any]) -> str:
    model(service, "trained")
    config(service, "trained", {"AllTraffic": ("trained", 1)})
    service.sagemaker.create_endpoint(EndpointName="trained", EndpointConfigName="trained")
    assert settled(service, "trained")["EndpointStatus"] == "InService"
    return "trained"


@pytest.fixture(scope="module")
def changing(service: Service) -> str:
    """An endpoint whose model answers 1.0, and configurations to update it to."""
    for name, bias in (("one", 1.0), ("two", 2.0)):
        model(service, name, put_model(service, f"planted/{name}.tar.gz", bias))
        config(service, name, {"AllTraffic": (name, 1)})
    service.sagemaker.create_endpoint(EndpointName="changing", EndpointConfigName="one")
    assert settled(service, "changing")["EndpointStatus"] == "InService"
    return "changing"


def test_an_endpoint_answers_what_the_domain_computes_from_the_artifact(
    service: Service, endpoint: str
) -> None:
    users, items, _ = pairs(2_000, 2_400)
    answer = ask(
        service,
        endpoint,
        write_pairs(users, items, DIMENSION, None),
        ContentType="application/x-recordio-protobuf",
        Accept="application/x-recordio-protobuf",
    )
    scores, _ = read_predictions(answer["Body"].read())
    machine = read_artifact(get(service, "models/trained/output/model.tar.gz"), "trained")
    expected = predict(FeatureRows.pairs(users, items, DIMENSION), machine)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["ContentType"] == "application/x-recordio-protobuf"


def test_an_endpoint_describes_what_it_serves(service: Service, endpoint: str) -> None:
    said = service.sagemaker.describe_endpoint(EndpointName=endpoint)
    (variant,) = said["ProductionVariants"]
    assert said["EndpointConfigName"] == "trained"
    assert "FailureReason" not in said
    assert variant["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    assert (variant["VariantName"], variant["CurrentWeight"]) == ("AllTraffic", 1.0)
    assert variant["CurrentInstanceCount"] == 1
    listed = service.sagemaker.list_endpoints(StatusEquals="InService", NameContains=endpoint)
    assert [each["EndpointName"] for each in listed["Endpoints"]] == [endpoint]


def test_a_request_that_the_model_refuses_is_a_model_error_with_its_words(
    service: Service, endpoint: str
) -> None:
    with pytest.raises(service.runtime.exceptions.ModelError) as error:
        ask(service, endpoint, "no json", ContentType="application/json")
    assert error.value.response["OriginalStatusCode"] == 400
    assert error.value.response["OriginalMessage"]
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424


def test_unknown_endpoints_and_variants_are_validation_errors(
    service: Service, endpoint: str
) -> None:
    with pytest.raises(service.runtime.exceptions.ValidationError) as error:
        ask(service, "absent", b"")
    assert message_of(error) == f"Endpoint absent of account {ACCOUNT} not found."
    with pytest.raises(service.runtime.exceptions.ValidationError) as error:
        ask(service, endpoint, ONE_ROW, TargetVariant="absent")
    assert "Variant absent not found" in message_of(error)


def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not(
    service: Service, endpoint: str
) -> None:
    with pytest.raises(service.runtime.exceptions.ValidationError, match="6291456"):
        ask(service, endpoint, bytes(6_291_457))
    with pytest.raises(service.runtime.exceptions.ModelError):
        ask(service, endpoint, bytes(6_291_456), ContentType="application/x-recordio-protobuf")


def test_an_update_loses_no_request_and_ends_with_the_new_model_only(
    service: Service, changing: str
) -> None:
    before = service.containers()
    seen: list[float] = []
    errors: list[Exception] = []
    finished = threading.Event()

    def keep_asking() -> None:
        while not finished.is_set():
            try:
                seen.append(bias_served(service, changing))
            except Exception as error:  # each failure is the finding
                errors.append(error)

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for target in ("two", "one", "two"):
            service.sagemaker.update_endpoint(EndpointName=changing, EndpointConfigName=target)
            with pytest.raises(ClientError, match="Cannot update in-progress endpoint") as error:
                service.sagemaker.update_endpoint(EndpointName=changing, EndpointConfigName="one")
            assert code_of(error) == "ValidationException"
            during = service.sagemaker.describe_endpoint(EndpointName=changing)
            assert during["EndpointStatus"] == "Updating"
            assert during["PendingDeploymentSummary"]["EndpointConfigName"] == target
            assert during["EndpointConfigName"] != target
            after = settled(service, changing)
            assert (after["EndpointConfigName"], "FailureReason" in after) == (target, False)
            assert bias_served(service, changing) == {"one": 1.0, "two": 2.0}[target]
    finally:
        finished.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert set(seen) == {1.0, 2.0}
    until(lambda: len(service.containers()) == len(before))


@pytest.mark.parametrize("damage", ["absent", "damaged", "silent"])
def test_a_failed_update_keeps_the_old_model_and_says_why(
    service: Service, changing: str, damage: str
) -> None:
    uri = put_model(service, f"planted/{damage}.tar.gz", 3.0)
    model(service, damage, uri)
    config(service, damage, {"AllTraffic": (damage, 1)})
    old = settled(service, changing)["EndpointConfigName"]
    key = f"planted/{damage}.tar.gz"
    if damage == "absent":
        service.s3.delete_object(Bucket=BUCKET, Key=key)
    elif damage == "damaged":
        service.s3.put_object(Bucket=BUCKET, Key=key, Body=get(service, key)[:100])
    else:  # a sound archive that holds no model: the container ends before it answers
        empty = io.BytesIO()
        tarfile.open(fileobj=empty, mode="w:gz").close()
        service.s3.put_object(Bucket=BUCKET, Key=key, Body=empty.getvalue())
    served = bias_served(service, changing)
    service.sagemaker.update_endpoint(EndpointName=changing, EndpointConfigName=damage)
    after = settled(service, changing)
    assert after["EndpointStatus"] == "InService"
    assert after["EndpointConfigName"] == old
    expected = {
        "absent": "Failed to download model data",
        "damaged": "valid tar.gz archive",
        "silent": "did not pass the ping health check",
    }[damage]
    assert expected in after["FailureReason"]
    assert bias_served(service, changing) == served


def test_weights_share_the_traffic_and_a_target_variant_overrides_them(service: Service) -> None:
    for name, bias in (("heavy", 3.0), ("light", 4.0)):
        model(service, name, put_model(service, f"planted/{name}.tar.gz", bias))
    config(service, "weighted", {"Heavy": ("heavy", 3), "Light": ("light", 1)})
    service.sagemaker.create_endpoint(EndpointName="weighted", EndpointConfigName="weighted")
    assert settled(service, "weighted")["EndpointStatus"] == "InService"
    seen = [bias_served(service, "weighted") for _ in range(8)]
    assert (seen.count(3.0), seen.count(4.0)) == (6, 2)
    assert {bias_served(service, "weighted", TargetVariant="Light") for _ in range(4)} == {4.0}

    before = len(service.containers())
    service.sagemaker.delete_endpoint(EndpointName="weighted")
    with pytest.raises(service.runtime.exceptions.ValidationError, match="not found"):
        bias_served(service, "weighted")
    service.sagemaker.get_waiter("endpoint_deleted").wait(
        EndpointName="weighted", WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    assert len(service.containers()) == before - 2


def test_a_foreign_image_fails_the_endpoint_and_is_named(service: Service) -> None:
    image = "1.dkr.ecr.eu-central-1.amazonaws.com/xgboost:1"
    model(service, "foreign", put_model(service, "planted/foreign.tar.gz", 1.0), image)
    config(service, "foreign", {"AllTraffic": ("foreign", 1)})
    service.sagemaker.create_endpoint(EndpointName="foreign", EndpointConfigName="foreign")
    failed = settled(service, "foreign")
    assert failed["EndpointStatus"] == "Failed"
    assert image in failed["FailureReason"]
    with pytest.raises(ClientError, match="already existing endpoint"):
        service.sagemaker.create_endpoint(EndpointName="foreign", EndpointConfigName="foreign")
    with pytest.raises(ClientError, match="in status Failed"):
        service.sagemaker.update_endpoint(EndpointName="foreign", EndpointConfigName="foreign")
    service.sagemaker.delete_endpoint(EndpointName="foreign")


def test_a_model_needs_its_data_and_an_endpoint_its_configuration(service: Service) -> None:
    with pytest.raises(ClientError, match="Could not find model data at s3://"):
        model(service, "dataless", f"s3://{BUCKET}/nothing.tar.gz")
    with pytest.raises(ClientError, match="Could not find model "):
        config(service, "modelless", {"AllTraffic": ("no-such-model", 1)})
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        service.sagemaker.create_endpoint(EndpointName="none", EndpointConfigName="no-such-config")


def test_a_model_server_that_dies_is_started_again(service: Service, endpoint: str) -> None:
    before = service.containers()
    assert before
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    def answers_again() -> bool:
        with contextlib.suppress(ClientError):
            ask(service, endpoint, ONE_ROW, ContentType="application/json")
            return len(service.containers() - before) == len(before)
        return False

    until(answers_again)


def test_one_connection_carries_many_invocations(service: Service, endpoint: str) -> None:
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=10)
    connection.connect()
    first = connection.sock
    for _ in range(3):
        connection.request(
            "POST",
            f"/endpoints/{endpoint}/invocations",
            body=iter([ONE_ROW[:20].encode(), ONE_ROW[20:].encode()]),
            headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
            encode_chunked=True,
        )
        answer = connection.getresponse()
        assert (answer.status, "predictions" in json.load(answer)) == (200, True)
    assert connection.sock is first
    connection.close()


# -- transform jobs ------------------------------------------------------------------------------


def transform(service: Service, name: str, prefix: str, **changes: Any) -> dict[str, Any]:
    transform_input = {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": prefix}},
        "ContentType": changes.pop("content", "application/x-recordio-protobuf"),
        "SplitType": changes.pop("split", "None"),
    }
    transform_output = {"S3OutputPath": f"s3://{BUCKET}/answers/{name}"}
    service.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName="trained",
        TransformInput=transform_input,
        TransformOutput=transform_output | changes.pop("output", {}),
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **changes,
    )

    def done() -> dict[str, Any] | None:
        said: dict[str, Any] = service.sagemaker.describe_transform_job(TransformJobName=name)
        return said if said["TransformJobStatus"] not in ("InProgress", "Stopping") else None

    return until(done, 60)  # type: ignore[no-any-return]


def test_a_transform_job_answers_each_object_whole_and_in_order(
    service: Service, endpoint: str
) -> None:
    users, items, _ = pairs(0, 50_000)
    body = write_pairs(users, items, DIMENSION, None)
    for name in ("a.rec", "deep/b.rec"):
        service.s3.put_object(Bucket=BUCKET, Key=f"ask/records/{name}", Body=body)
    job = transform(
        service,
        "records",
        f"s3://{BUCKET}/ask/records/",
        split="RecordIO",
        output={"Accept": "application/jsonlines", "AssembleWith": "Line"},
        MaxPayloadInMB=1,
    )
    assert job["TransformJobStatus"] == "Completed", job
    machine = read_artifact(get(service, "models/trained/output/model.tar.gz"), "trained")
    expected = predict(FeatureRows.pairs(users, items, DIMENSION), machine)
    for name in ("a.rec", "deep/b.rec"):
        lines = get(service, f"answers/records/{name}.out").decode().splitlines()
        scores = [json.loads(line)["score"] for line in lines]
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert job["TransformStartTime"] < job["TransformEndTime"]


def test_a_bad_record_costs_its_own_object_only_and_fails_the_job(
    service: Service, endpoint: str
) -> None:
    good = json.dumps({"data": {"features": {"keys": [0], "shape": [DIMENSION], "values": [1]}}})
    service.s3.put_object(Bucket=BUCKET, Key="ask/lines/bad", Body=f"{good}\nno json\n{good}\n")
    service.s3.put_object(Bucket=BUCKET, Key="ask/lines/good", Body=f"{good}\n{good}\n")
    job = transform(
        service,
        "lines",
        f"s3://{BUCKET}/ask/lines/",
        split="Line",
        content="application/jsonlines",
        BatchStrategy="SingleRecord",
        output={"Accept": "application/jsonlines", "AssembleWith": "Line"},
    )
    assert job["TransformJobStatus"] == "Failed"
    assert "bad" in job["FailureReason"]
    listed = service.s3.list_objects_v2(Bucket=BUCKET, Prefix="answers/lines/")["Contents"]
    assert [each["Key"] for each in listed] == ["answers/lines/good.out"]
    answers = get(service, "answers/lines/good.out").decode().splitlines()
    assert len(answers) == 2
    assert answers[0] == answers[1]


def test_a_stopped_transform_job_ends_stopped_and_leaves_no_process(
    service: Service, endpoint: str
) -> None:
    users, items, _ = pairs(0, 20_000)
    body = write_pairs(users, items, DIMENSION, None)
    service.s3.put_object(Bucket=BUCKET, Key="ask/slow/a.rec", Body=body)
    before = service.containers()

    def stop_it() -> None:
        with contextlib.suppress(ClientError):
            service.sagemaker.stop_transform_job(TransformJobName="slow")

    threading.Timer(0.3, stop_it).start()
    job = transform(
        service, "slow", f"s3://{BUCKET}/ask/slow/", split="RecordIO", BatchStrategy="SingleRecord"
    )
    assert job["TransformJobStatus"] == "Stopped"
    assert service.containers() == before
    assert "Contents" not in service.s3.list_objects_v2(Bucket=BUCKET, Prefix="answers/slow/")
    with pytest.raises(ClientError, match="in status Stopped"):
        service.sagemaker.stop_transform_job(TransformJobName="slow")


def test_payloads_put_together_are_the_object(tmp_path: Path) -> None:
    users, items, _ = pairs(0, 101)
    body = write_pairs(users, items, DIMENSION, None)
    path = tmp_path / "object"
    path.write_bytes(body)
    batches = list(payloads(path, "RecordIO", several=True, limit=1_000))
    assert b"".join(batches) == body
    assert max(map(len, batches)) <= 1_000
    assert len(list(payloads(path, "RecordIO", several=False, limit=0))) == 101
    assert list(payloads(path, "None", several=True, limit=0)) == [body]
    with pytest.raises(JobError, match="larger than MaxPayloadInMB"):
        list(payloads(path, "None", several=True, limit=1_000))
    path.write_bytes(body[:-5])
    with pytest.raises(JobError, match="ends inside the record"):
        list(payloads(path, "RecordIO", several=True, limit=0))


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "key", "name"),
    [
        ("data/train/", "data/train/a.rec", "a.rec"),
        ("data/train", "data/train/a.rec", "a.rec"),
        ("data/train/", "data/train/deep/a.rec", "deep/a.rec"),
        ("data/train", "data/train-old/a.rec", "train-old/a.rec"),
        ("data/part-", "data/part-0001", "part-0001"),
        ("data/a.rec", "data/a.rec", "a.rec"),
        ("", "data/a.rec", "data/a.rec"),
    ],
)
def test_a_prefix_is_a_string_and_what_it_matches_keeps_a_name(
    prefix: str, key: str, name: str
) -> None:
    assert name_below(prefix, key) == PurePosixPath(name)


def test_a_key_cannot_leave_the_channel_s_folder() -> None:
    with pytest.raises(JobError, match="leaves its folder"):
        name_below("data/", "data/../../etc/passwd")


def test_archives_of_equal_files_are_equal_and_open_to_the_same(tmp_path: Path) -> None:
    for folder, moment in (("first", 1_000_000_000), ("second", 1_500_000_000)):
        for name in ("b", "a", "deep/c"):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            os.utime(path, (moment, moment))
        pack(tmp_path / folder, tmp_path / f"{folder}.tar.gz")
    first = (tmp_path / "first.tar.gz").read_bytes()
    assert first == (tmp_path / "second.tar.gz").read_bytes()
    unpack(tmp_path / "first.tar.gz", tmp_path / "third")
    assert (tmp_path / "third" / "deep" / "c").read_text() == "deep/c"


@pytest.mark.parametrize("name", ["../outside", "/outside", "link"])
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(entry)
    inside = tmp_path / "inside"
    if name == "/outside":  # made relative: it lands inside
        unpack(tmp_path / "bad.tar.gz", inside)
        assert (inside / "outside").exists()
    else:
        with pytest.raises(DamagedArchiveError):
            unpack(tmp_path / "bad.tar.gz", inside)
    assert not (tmp_path / "outside").exists()


# -- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "request_body"),
    [
        ("DescribeTrainingJob", {"TrainingJobName": "trained"}),
        ("ListTrainingJobs", {}),
        ("DescribeModel", {"ModelName": "trained"}),
        ("ListModels", {}),
        ("DescribeEndpointConfig", {"EndpointConfigName": "trained"}),
        ("ListEndpointConfigs", {}),
        ("DescribeEndpoint", {"EndpointName": "trained"}),
        ("ListEndpoints", {}),
        ("DescribeTransformJob", {"TransformJobName": "shaped"}),
        ("ListTransformJobs", {}),
    ],
)
def test_every_answer_has_the_shape_of_the_service_model(
    service: Service, endpoint: str, shaped: str, operation: str, request_body: dict[str, str]
) -> None:
    answer = raw_call(service, operation, request_body)
    shape = service_model("sagemaker").operation_model(operation).output_shape
    assert shape is not None
    report = ParamValidator().validate(answer, shape)
    assert report.generate_report() == ""
    assert set(answer) <= set(shape.members)


@pytest.fixture(scope="module")
def shaped(service: Service, endpoint: str) -> str:
    body = write_pairs(np.array([0]), np.array([USERS]), DIMENSION, None)
    service.s3.put_object(Bucket=BUCKET, Key="ask/shaped/a.rec", Body=body)
    job = transform(service, "shaped", f"s3://{BUCKET}/ask/shaped/")
    assert job["TransformJobStatus"] == "Completed"
    return "shaped"


# -- ending --------------------------------------------------------------------------------------


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


def test_the_server_listens_on_loopback_only(service: Service) -> None:
    port = int(service.url.rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; says which address leads outside
        outside = probe.getsockname()[0]
    if outside.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError), socket.create_connection((outside, port), 1):  # noqa: PT011
        pass
