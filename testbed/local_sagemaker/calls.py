"""What tests ask of a local SageMaker: data, jobs, models, endpoints, and waiting for them."""

import json
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from recommender.model.artifact import write_artifact
from recommender.model.machine import FactorizationMachine
from recommender.recordio.writing import write_pairs

from testbed.local_sagemaker.server import REGION, Service, until

ACCOUNT = "000000000000"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/matinee-training"
IMAGE = "813361260812.dkr.ecr.eu-central-1.amazonaws.com/factorization-machines:1"
BUCKET = "matinee-artifacts"
USERS, ITEMS = 40, 60
DIMENSION = USERS + ITEMS
ENDLESS = {"epochs": "10000", "num_factors": "512"}  # minutes
ONE_ROW = json.dumps(
    {
        "instances": [
            {"data": {"features": {"keys": [0, USERS], "shape": [DIMENSION], "values": [1, 1]}}}
        ]
    }
)


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """The code of an error that the API answered with."""
    return str(error.value.response["Error"]["Code"])


def message_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """The message of an error that the API answered with."""
    return str(error.value.response["Error"]["Message"])


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


def get(service: Service, key: str) -> bytes:
    """The object of that key."""
    return bytes(service.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def pairs(begin: int, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose labels depend on the user and the item, and on nothing random."""
    numbers = np.arange(begin, end, dtype=np.int64)
    users, items = numbers % USERS, USERS + (numbers * 7 + numbers // USERS) % ITEMS
    return users, items, ((users + items) % 3 == 0).astype(np.float32)


def rows(begin: int, end: int) -> bytes:
    """The same rows as ``pairs``, as a training channel holds them."""
    users, items, labels = pairs(begin, end)
    return write_pairs(users, items, DIMENSION, labels)


def training_request(name: str, **changes: Any) -> dict[str, Any]:
    """A small job's request: ``hyperparameters`` add to its own, other changes replace members."""

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
    """Wait for a training job to end, and describe it."""

    def description() -> dict[str, Any] | None:
        said: dict[str, Any] = service.sagemaker.describe_training_job(TrainingJobName=name)
        return said if said["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") else None

    return until(description, 60)  # type: ignore[no-any-return]


def train(service: Service, name: str, **changes: Any) -> dict[str, Any]:
    """Run a training job to its end, and describe it."""
    service.sagemaker.create_training_job(**training_request(name, **changes))
    return ended(service, name)


def planted(bias: float) -> FactorizationMachine:
    """A machine whose every answer is ``sigmoid(bias)``: it tells which model answered."""
    return FactorizationMachine(
        bias=bias,
        linear=np.zeros(DIMENSION, np.float32),
        factors=np.zeros((DIMENSION, 2), np.float32),
        predictor_type="binary_classifier",
    )


def put_model(service: Service, key: str, bias: float) -> str:
    """Put the archive of a planted machine, and say where it is."""
    parameters = {"feature_dim": str(DIMENSION), "predictor_type": "binary_classifier"}
    body = write_artifact(planted(bias), parameters)
    service.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"s3://{BUCKET}/{key}"


def model(service: Service, name: str, uri: str | None = None, image: str = IMAGE) -> None:
    """Create a model: of the archive at ``uri``, or of the one that the job ``trained`` made."""
    service.sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={
            "Image": image,
            "ModelDataUrl": uri or f"s3://{BUCKET}/models/trained/output/model.tar.gz",
        },
        ExecutionRoleArn=ROLE,
    )


def config(service: Service, name: str, variants: dict[str, tuple[str, float]]) -> None:
    """Create an endpoint configuration: each variant's model and weight."""
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
    """Wait for an endpoint to serve or to fail, and describe it."""

    def description() -> dict[str, Any] | None:
        said: dict[str, Any] = service.sagemaker.describe_endpoint(EndpointName=name)
        return said if said["EndpointStatus"] in ("InService", "Failed") else None

    return until(description, 60)  # type: ignore[no-any-return]


def ask(service: Service, name: str, body: bytes | str, **more: str) -> Any:
    """Invoke an endpoint."""
    return service.runtime.invoke_endpoint(EndpointName=name, Body=body, **more)


def bias_served(service: Service, name: str, **more: str) -> float:
    """The bias of the planted machine that answers."""
    answer = ask(service, name, ONE_ROW, ContentType="application/json", **more)
    score = json.load(answer["Body"])["predictions"][0]["score"]
    return round(float(np.log(score / (1 - score))), 3)


def transform(service: Service, name: str, prefix: str, **changes: Any) -> dict[str, Any]:
    """Run a transform job of the model ``trained`` to its end, and describe it."""
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
