"""What a call of AWS takes: actions, and on what."""

from collections.abc import Iterator, Mapping
from typing import Any

from testbed.stage import Call
from testbed.template import ACCOUNT, REGION

_WRITES_IN_PARTS = {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}

_SAGEMAKER_KINDS = {
    "TrainingJob": "training-job",
    "TransformJob": "transform-job",
    "EndpointConfig": "endpoint-config",
    "Endpoint": "endpoint",
    "Model": "model",
}


def needs(call: Call) -> Iterator[tuple[str, str]]:
    """What a call takes, by AWS's service authorization reference: actions, and on what."""
    parameters = call.parameters
    if call.service == "s3":
        yield from _of_s3(call)
    elif call.service == "dynamodb":
        table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{parameters['TableName']}"
        yield f"dynamodb:{call.operation}", table
    elif call.service == "sfn":
        arn = parameters.get("stateMachineArn") or parameters["executionArn"]
        yield f"states:{call.operation}", arn
    elif call.service == "sns":
        yield f"sns:{call.operation}", parameters["TopicArn"]
    else:
        yield from _of_sagemaker(call.operation, parameters)


def _of_s3(call: Call) -> Iterator[tuple[str, str]]:
    bucket = f"arn:aws:s3:::{call.parameters['Bucket']}"
    if call.operation.startswith("List"):
        name = {"ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions"}
        yield f"s3:{name[call.operation]}", bucket
        return
    versioned = "VersionId" in call.parameters
    operation = "PutObject" if call.operation in _WRITES_IN_PARTS else call.operation
    yield f"s3:{operation}{'Version' * versioned}", f"{bucket}/{call.parameters['Key']}"
    if call.error == "NoSuchKey":
        # Without it, S3 answers that the object is forbidden instead of absent.
        yield "s3:ListBucket", bucket


def _of_sagemaker(operation: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if operation == "CreateTransformJob":  # which names a model, and needs no right to it
        parameters = {name: parameters[name] for name in ("TransformJobName", "Tags")}
    named = {
        kind: parameters[f"{name}Name"]
        for name, kind in _SAGEMAKER_KINDS.items()
        if f"{name}Name" in parameters
    }
    for kind, name in named.items():
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"
        yield f"sagemaker:{operation}", arn
        if parameters.get("Tags"):
            yield "sagemaker:AddTags", arn
    for name in ("RoleArn", "ExecutionRoleArn"):
        if name in parameters:
            yield "iam:PassRole", parameters[name]
