"""SageMaker in memory: keeps state, refuses as the service does, trains and serves on command.

It answers at botocore's own hooks, so requests are built and checked against the service model as
always, and so are its answers.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.model import OperationModel
from botocore.response import StreamingBody
from botocore.validate import validate_parameters
from recommender.model.artifact import read_artifact
from recommender.model.machine import FactorizationMachine, predict
from recommender.recordio.reading import read_rows

from testbed.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Facts = dict[str, Any]
"""A request or an answer, as boto3 has it."""


class RefusalError(Exception):
    """What the service answers instead of doing as it was told."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass
class SageMaker:
    """Training jobs, models, endpoint configs and endpoints by name, as ``describe`` tells them.

    Attributes:
        archives: reads and writes objects: where models lie.
        troubles: operation to what it answers the next times, one after the other.
    """

    archives: "S3Client"
    jobs: dict[str, Facts] = field(default_factory=dict)
    models: dict[str, Facts] = field(default_factory=dict)
    configs: dict[str, Facts] = field(default_factory=dict)
    endpoints: dict[str, Facts] = field(default_factory=dict)
    transforms: dict[str, Facts] = field(default_factory=dict)
    troubles: dict[str, list[RefusalError]] = field(default_factory=dict)

    def answer(self, model: OperationModel, request: Facts) -> tuple[AWSResponse, Facts]:
        """Answer a call, as the hook ``before-call`` wants it: no request leaves botocore."""
        do = {
            "AddTags": lambda _: {},
            "CreateEndpoint": self._do_create_endpoint,
            "CreateEndpointConfig": self._do_create_config,
            "CreateModel": self._do_create_model,
            "CreateTrainingJob": self._do_create_job,
            "CreateTransformJob": self._do_create_transform,
            "DeleteEndpoint": self._do_delete_endpoint,
            "DescribeEndpoint": lambda request: self._endpoint(request["EndpointName"]),
            "DescribeEndpointConfig": lambda request: self.configs[request["EndpointConfigName"]],
            "DescribeModel": lambda request: self.models[request["ModelName"]],
            "DescribeTrainingJob": lambda request: self._job(request["TrainingJobName"]),
            "DescribeTransformJob": lambda request: self._transform(request["TransformJobName"]),
            "InvokeEndpoint": self._do_invoke,
            "StopTrainingJob": self._do_stop_job,
            "StopTransformJob": self._do_stop_transform,
            "UpdateEndpoint": self._do_update_endpoint,
        }[model.name]
        try:
            waiting = self.troubles.get(model.name)
            if waiting:
                raise waiting.pop(0)
            answer = do(request)
        except RefusalError as refusal:
            told = {"Error": {"Code": refusal.code, "Message": str(refusal)}}
            return _told(refusal.status, told)
        if model.output_shape is not None:
            validate_parameters(answer, model.output_shape)
        return _told(200, answer)

    def complete(self, job: str, archive: bytes) -> str:
        """Let a training job end well, with a model; say where the model lies."""
        facts = self.jobs[job]
        location = facts["ModelArtifacts"]["S3ModelArtifacts"]
        bucket, _, key = location.removeprefix("s3://").partition("/")
        self.archives.put_object(Bucket=bucket, Key=key, Body=archive)
        facts.update(TrainingJobStatus="Completed", SecondaryStatus="Completed")
        return str(location)

    def end(self, job: str, status: str, secondary: str, reason: str = "") -> None:
        """Let a training job end badly."""
        self.jobs[job].update(TrainingJobStatus=status, SecondaryStatus=secondary)
        if reason:
            self.jobs[job]["FailureReason"] = reason

    def transform(self, job: str, spoil: Callable[[bytes], bytes] = bytes) -> None:
        """Let a batch transform job do its work, or what ``spoil`` makes of each answer."""
        facts = self._transform(job)
        if facts["TransformJobStatus"] == "Stopping":
            facts["TransformJobStatus"] = "Stopped"
            return
        location = self.models[facts["ModelName"]]["PrimaryContainer"]["ModelDataUrl"]
        machine = read_artifact(self._object(location), location)
        source = facts["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, _, prefix = source.removeprefix("s3://").partition("/")
        target = facts["TransformOutput"]["S3OutputPath"].removeprefix(f"s3://{bucket}/")
        for one in self.archives.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
            rows, _ = read_rows(self._object(f"s3://{bucket}/{one['Key']}"))
            lines = [json.dumps({"score": score}) for score in predict(rows, machine).tolist()]
            key = f"{target}/{one['Key'].removeprefix(prefix)}.out"
            body = spoil(("\n".join(lines) + "\n").encode())
            self.archives.put_object(Bucket=bucket, Key=key, Body=body)
        facts["TransformJobStatus"] = "Completed"

    def settle(self, endpoint: str) -> None:
        """Let an endpoint come into service with what it was told last, or go if it was deleted."""
        facts = self.endpoints[endpoint]
        if facts["EndpointStatus"] == "Deleting":
            del self.endpoints[endpoint]
            return
        pending = facts.pop("PendingDeploymentSummary", None)
        if pending:
            facts["EndpointConfigName"] = pending["EndpointConfigName"]
        config = self.configs[facts["EndpointConfigName"]]
        facts["ProductionVariants"] = [
            {"VariantName": one["VariantName"]} for one in config["ProductionVariants"]
        ]
        facts["EndpointStatus"] = "InService"
        facts.pop("FailureReason", None)

    def break_off(self, endpoint: str, reason: str) -> None:
        """Let the change of an endpoint fail: it serves what it served before, or nothing."""
        facts = self.endpoints[endpoint]
        served = facts.pop("PendingDeploymentSummary", None) is not None
        facts.update(EndpointStatus="InService" if served else "Failed", FailureReason=reason)

    def serve(self, endpoint: str, variant: str, archive_uri: str) -> None:
        """Set up an endpoint in service, with all that it takes."""
        self.models[variant] = {"PrimaryContainer": {"ModelDataUrl": archive_uri}}
        self.configs[variant] = {
            "ProductionVariants": [{"VariantName": variant, "ModelName": variant}]
        }
        self._do_create_endpoint({"EndpointName": endpoint, "EndpointConfigName": variant})
        self.settle(endpoint)

    def _do_create_job(self, request: Facts) -> Facts:
        name = request["TrainingJobName"]
        if name in self.jobs:
            raise RefusalError("ResourceInUse", f"{name} already exists")
        output = request["OutputDataConfig"]["S3OutputPath"]
        described = {key: value for key, value in request.items() if key != "Tags"}
        self.jobs[name] = {
            **described,
            "TrainingJobArn": _arn("training-job", name),
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Starting",
            "CreationTime": datetime.now(UTC),
            "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{name}/output/model.tar.gz"},
        }
        return {"TrainingJobArn": _arn("training-job", name)}

    def _do_create_transform(self, request: Facts) -> Facts:
        name = request["TransformJobName"]
        if name in self.transforms:
            raise RefusalError("ResourceInUse", f"{name} already exists")
        if request["ModelName"] not in self.models:
            raise RefusalError("ValidationException", "Could not find model")
        described = {key: value for key, value in request.items() if key != "Tags"}
        arn = _arn("transform-job", name)
        status = {"TransformJobStatus": "InProgress", "CreationTime": datetime.now(UTC)}
        self.transforms[name] = {**described, "TransformJobArn": arn, **status}
        return {"TransformJobArn": arn}

    def _do_stop_transform(self, request: Facts) -> Facts:
        job = self._transform(request["TransformJobName"])
        if job["TransformJobStatus"] not in ("InProgress", "Stopping"):
            raise RefusalError("ValidationException", "The job cannot be stopped")
        job["TransformJobStatus"] = "Stopping"
        return {}

    def _do_stop_job(self, request: Facts) -> Facts:
        job = self._job(request["TrainingJobName"])
        if job["TrainingJobStatus"] not in ("InProgress", "Stopping"):
            status = job["TrainingJobStatus"]
            raise RefusalError("ValidationException", f"The job is {status} and cannot be stopped")
        job.update(TrainingJobStatus="Stopping", SecondaryStatus="Stopping")
        return {}

    def _do_create_model(self, request: Facts) -> Facts:
        name = request["ModelName"]
        arn = _arn("model", name)
        if name in self.models:
            raise RefusalError(
                "ValidationException", f'Cannot create already existing model "{arn}".'
            )
        self.models[name] = {**request, "ModelArn": arn, "CreationTime": datetime.now(UTC)}
        return {"ModelArn": arn}

    def _do_create_config(self, request: Facts) -> Facts:
        name = request["EndpointConfigName"]
        arn = _arn("endpoint-config", name)
        if name in self.configs:
            raise RefusalError(
                "ValidationException",
                f'Cannot create already existing endpoint configuration "{arn}".',
            )
        for variant in request["ProductionVariants"]:
            if variant["ModelName"] not in self.models:
                raise RefusalError("ValidationException", "Could not find model")
        now = datetime.now(UTC)
        self.configs[name] = {**request, "EndpointConfigArn": arn, "CreationTime": now}
        return {"EndpointConfigArn": arn}

    def _do_create_endpoint(self, request: Facts) -> Facts:
        name, config = request["EndpointName"], request["EndpointConfigName"]
        arn = _arn("endpoint", name)
        if name in self.endpoints:
            raise RefusalError(
                "ValidationException", f'Cannot create already existing endpoint "{arn}".'
            )
        self._check_config(config)
        now = datetime.now(UTC)
        self.endpoints[name] = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config,
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        return {"EndpointArn": arn}

    def _do_update_endpoint(self, request: Facts) -> Facts:
        facts = self._endpoint(request["EndpointName"])
        if facts["EndpointStatus"] != "InService":
            raise RefusalError(
                "ValidationException", f"Cannot update in-progress endpoint {facts['EndpointArn']}."
            )
        self._check_config(request["EndpointConfigName"])
        facts["EndpointStatus"] = "Updating"
        facts["PendingDeploymentSummary"] = {"EndpointConfigName": request["EndpointConfigName"]}
        return {"EndpointArn": facts["EndpointArn"]}

    def _do_delete_endpoint(self, request: Facts) -> Facts:
        self._endpoint(request["EndpointName"])["EndpointStatus"] = "Deleting"
        return {}

    def _do_invoke(self, request: Facts) -> Facts:
        facts = self.endpoints.get(request["EndpointName"])
        if facts is None:
            name = request["EndpointName"]
            raise RefusalError(
                "ValidationError", f"Endpoint {name} of account {ACCOUNT} not found."
            )
        variants = {one["VariantName"] for one in facts.get("ProductionVariants", [])}
        if request["TargetVariant"] not in variants:
            raise RefusalError("ValidationError", "Variant could not be found for this endpoint.")
        machine = self._machine(facts["EndpointConfigName"], request["TargetVariant"])
        rows, _ = read_rows(request["Body"])
        scores = [{"score": score} for score in predict(rows, machine).tolist()]
        body = json.dumps({"predictions": scores}).encode()
        return {
            "Body": StreamingBody(io.BytesIO(body), len(body)),
            "ContentType": "application/json",
            "InvokedProductionVariant": request["TargetVariant"],
        }

    def _machine(self, config: str, variant: str) -> FactorizationMachine:
        (model,) = (
            one["ModelName"]
            for one in self.configs[config]["ProductionVariants"]
            if one["VariantName"] == variant
        )
        location = self.models[model]["PrimaryContainer"]["ModelDataUrl"]
        return read_artifact(self._object(location), location)

    def _object(self, location: str) -> bytes:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return self.archives.get_object(Bucket=bucket, Key=key)["Body"].read()

    def _transform(self, name: str) -> Facts:
        if name not in self.transforms:
            raise RefusalError("ValidationException", "Could not find requested job")
        return self.transforms[name]

    def _job(self, name: str) -> Facts:
        if name not in self.jobs:
            raise RefusalError("ValidationException", "Requested resource not found.")
        return self.jobs[name]

    def _endpoint(self, name: str) -> Facts:
        if name not in self.endpoints:
            arn = _arn("endpoint", name)
            raise RefusalError("ValidationException", f'Could not find endpoint "{arn}".')
        return self.endpoints[name]

    def _check_config(self, name: str) -> None:
        if name not in self.configs:
            arn = _arn("endpoint-config", name)
            raise RefusalError(
                "ValidationException", f'Could not find endpoint configuration "{arn}".'
            )


def _told(status: int, facts: Facts) -> tuple[AWSResponse, Facts]:
    http = AWSResponse("https://sagemaker.invalid/", status, HTTPHeaders(), None)
    return http, {**facts, "ResponseMetadata": {"HTTPStatusCode": status}}


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"
