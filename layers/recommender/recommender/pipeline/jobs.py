"""Pure builders of SageMaker requests. Names derive from the run, so a retry finds what it made."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from recommender.model_names import LIKE
from recommender.recordio.wire import RECORDIO_PROTOBUF

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import (
        ProductionVariantInstanceTypeType,
        TrainingInstanceTypeType,
        TransformInstanceTypeType,
    )
    from mypy_boto3_sagemaker.type_defs import (
        ChannelTypeDef,
        CreateEndpointConfigInputTypeDef,
        CreateModelInputTypeDef,
        CreateTrainingJobRequestTypeDef,
        CreateTransformJobRequestTypeDef,
    )

_LONGEST_NAME = 63
MAX_PAYLOAD_MB = 6
"""What a batch transform sends to the model at once; of that the built-in image takes no more."""


def resource_name(prefix: str, run_id: str) -> str:
    """Name of what a run makes in SageMaker: model, endpoint config."""
    return _bounded(f"{prefix}-{run_id}")


def training_job_name(prefix: str, run_id: str, model: str) -> str:
    """Name of the training job of one of a run's models; the like model's is the run's own."""
    return (
        resource_name(prefix, run_id) if model == LIKE else _bounded(f"{prefix}-{run_id}-{model}")
    )


def transform_job_name(prefix: str, execution: str) -> str:
    """Name of the batch transform job of a pair list, by its execution's name."""
    return _bounded(f"{prefix}-{execution}")


def endpoint_name(prefix: str, catalog: str) -> str:
    """Name of a catalog's endpoint."""
    return _bounded(f"{prefix}-{catalog}")


def _bounded(name: str) -> str:
    """Keep to SageMaker's 63 characters, and names that differ apart.

    The beginning stays: permissions are given by prefix.
    """
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}-{digest}"


def variant_name(run_id: str) -> str:
    """Name of the production variant: it tells which run's model answered."""
    return run_id


def run_of_variant(variant: str) -> str:
    """The run whose model a production variant serves."""
    return variant


def _channel(name: str, uri: str) -> "ChannelTypeDef":
    return {
        "ChannelName": name,
        "ContentType": RECORDIO_PROTOBUF,
        "InputMode": "File",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def training_job(
    *,
    name: str,
    image: str,
    role_arn: str,
    hyperparameters: Mapping[str, str],
    channels: Mapping[str, str],
    output_uri: str,
    instance_type: str,
    max_seconds: int,
    tags: Mapping[str, str],
) -> "CreateTrainingJobRequestTypeDef":
    """Ask for one training job on one machine.

    Args:
        channels: name of a channel -> its prefix, ending in ``/``.
        output_uri: prefix under which ``<name>/output/model.tar.gz`` will lie.
        max_seconds: SageMaker stops the job after that.
    """
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "RoleArn": role_arn,
        "HyperParameters": dict(hyperparameters),
        "InputDataConfig": [_channel(*channel) for channel in channels.items()],
        "OutputDataConfig": {"S3OutputPath": output_uri.rstrip("/")},
        "ResourceConfig": {
            "InstanceType": cast("TrainingInstanceTypeType", instance_type),
            "InstanceCount": 1,
            "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": max_seconds},
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
    }


def model(*, name: str, image: str, role_arn: str, model_uri: str) -> "CreateModelInputTypeDef":
    """Ask for a model: an image and an archive."""
    return {
        "ModelName": name,
        "PrimaryContainer": {"Image": image, "ModelDataUrl": model_uri},
        "ExecutionRoleArn": role_arn,
        "EnableNetworkIsolation": True,
    }


def endpoint_config(
    *, name: str, model_name: str, variant: str, instance_type: str, instance_count: int
) -> "CreateEndpointConfigInputTypeDef":
    """Ask for an endpoint config with one variant that bears the run's name."""
    return {
        "EndpointConfigName": name,
        "ProductionVariants": [
            {
                "VariantName": variant,
                "ModelName": model_name,
                "InstanceType": cast("ProductionVariantInstanceTypeType", instance_type),
                "InitialInstanceCount": instance_count,
                "InitialVariantWeight": 1.0,
            }
        ],
    }


def transform_job(
    *,
    name: str,
    model_name: str,
    input_uri: str,
    output_uri: str,
    instance_type: str,
    tags: Mapping[str, str],
) -> "CreateTransformJobRequestTypeDef":
    """Ask for a batch transform of RecordIO-protobuf rows to JSON Lines.

    Args:
        model_name: a model of SageMaker's.
        input_uri: prefix of the rows, ending in ``/``.
        output_uri: prefix of the answers, one object for each of the rows', named with ``.out``.
    """
    return {
        "TransformJobName": name,
        "ModelName": model_name,
        "MaxConcurrentTransforms": 1,
        "MaxPayloadInMB": MAX_PAYLOAD_MB,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": input_uri}},
            "ContentType": RECORDIO_PROTOBUF,
            "SplitType": "RecordIO",
            "CompressionType": "None",
        },
        "TransformOutput": {
            "S3OutputPath": output_uri.rstrip("/"),
            "Accept": "application/jsonlines",
            "AssembleWith": "Line",
        },
        "TransformResources": {
            "InstanceType": cast("TransformInstanceTypeType", instance_type),
            "InstanceCount": 1,
        },
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
    }
