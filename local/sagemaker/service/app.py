"""The API: which operation a call means, and how its result or fault is written."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from local.sagemaker.account.registry import Caller, Registry
from local.sagemaker.account.tags import Tags
from local.sagemaker.containers.disks import give_back
from local.sagemaker.containers.images import Containers
from local.sagemaker.containers.logs import LogShipping
from local.sagemaker.containers.machinery import Machinery
from local.sagemaker.containers.processes import Processes
from local.sagemaker.environment import DEFAULT_REGION, region_of_environment
from local.sagemaker.faults import InvocationError, ServiceError
from local.sagemaker.hosting.endpoint_configs import EndpointConfigs
from local.sagemaker.hosting.endpoints import Endpoints
from local.sagemaker.hosting.models import Models
from local.sagemaker.jobs.run import Runner
from local.sagemaker.service.server import MAX_BODY, Answer, Call
from local.sagemaker.service.validation import read_request
from local.sagemaker.storage.s3 import Storage
from local.sagemaker.training.operations import TrainingJobs
from local.sagemaker.training.run import TrainingRun
from local.sagemaker.transforms.operations import TransformJobs
from local.sagemaker.transforms.run import TransformRun

DEFAULT_ACCOUNT = "000000000000"
_TARGET = "SageMaker."
_INVOCATIONS = re.compile(r"/endpoints/([^/]+)/invocations")
_SCOPE = re.compile(r"Credential=[^/]*/\d{8}/([a-z0-9-]+)/")
_CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_RELAYED = ("content-type", "accept", _CUSTOM_ATTRIBUTES, "x-amzn-sagemaker-inference-id")

# Each operation takes its own request, which ``read_request`` has checked against the model.
_Operation = Callable[[Any, Caller], Mapping[str, object]]


class LocalSageMaker:
    """The control plane and the runtime of one account.

    Args:
        state: the folder for what there is, logs, and the disks of jobs and endpoints. What an
            earlier process left there is there again.
        account: twelve digits for ARNs.
        containers: runs images; the default runs them with this interpreter.
    """

    def __init__(
        self, state: Path, account: str = DEFAULT_ACCOUNT, containers: Containers | None = None
    ) -> None:
        self._account = account
        self._processes = Processes()
        self._storage = Storage()
        self._folders = [state / name for name in ("endpoints", "training", "transforms")]
        endpoints, trained, transformed = self._folders
        self._give_disks_back()  # those of a process that had no time to
        registry = Registry(state / "registry.sqlite")
        machinery = Machinery(
            self._storage, self._processes, containers or Containers(), LogShipping()
        )
        models = Models(registry, self._storage)
        configs = EndpointConfigs(registry, models)
        self._endpoints = Endpoints(registry, models, configs, machinery, endpoints)
        training = TrainingJobs(registry, Runner(TrainingRun, trained, machinery, registry))
        transforms = TransformJobs(
            registry, models, Runner(TransformRun, transformed, machinery, registry)
        )
        tags = Tags(registry)
        self._operations: dict[str, _Operation] = {
            "CreateTrainingJob": training.create,
            "DescribeTrainingJob": training.describe,
            "ListTrainingJobs": training.list,
            "StopTrainingJob": training.stop,
            "CreateModel": models.create,
            "DescribeModel": models.describe,
            "ListModels": models.list,
            "DeleteModel": models.delete,
            "CreateEndpointConfig": configs.create,
            "DescribeEndpointConfig": configs.describe,
            "ListEndpointConfigs": configs.list,
            "DeleteEndpointConfig": configs.delete,
            "CreateEndpoint": self._endpoints.create,
            "DescribeEndpoint": self._endpoints.describe,
            "ListEndpoints": self._endpoints.list,
            "UpdateEndpoint": self._endpoints.update,
            "DeleteEndpoint": self._endpoints.delete,
            "CreateTransformJob": transforms.create,
            "DescribeTransformJob": transforms.describe,
            "ListTransformJobs": transforms.list,
            "StopTransformJob": transforms.stop,
            "AddTags": tags.add,
            "ListTags": tags.list,
            "DeleteTags": tags.delete,
        }

    def warm_up(self) -> None:
        """Do what the first job would otherwise wait for, and bring back what served."""
        self._storage.connect()
        read_request("ListTrainingJobs", b"")
        self._endpoints.resume()

    def close(self) -> None:
        """Stop every job and endpoint."""
        self._endpoints.hang_up()
        self._processes.close()
        self._give_disks_back()

    def _give_disks_back(self) -> None:
        for folder in self._folders:
            give_back(folder)

    def __call__(self, call: Call) -> Answer:
        """Answer one HTTP request."""
        invocations = _INVOCATIONS.fullmatch(call.path.partition("?")[0])
        if invocations is not None and call.method == "POST":
            return self._invoke(unquote(invocations[1]), call)
        if call.headers.get("x-amz-target"):
            return self._control(call.headers["x-amz-target"], call)
        if call.method in ("GET", "HEAD") and call.path in ("/", "/health"):
            return Answer(200, b'{"status":"ok"}', {"Content-Type": "application/json"})
        return Answer(404, b'{"message":"Not found"}', {"Content-Type": "application/json"})

    def _control(self, target: str, call: Call) -> Answer:
        """A control-plane call: AWS JSON 1.1."""
        try:
            operation = target.removeprefix(_TARGET)
            handler = self._operations.get(operation)
            if handler is None or call.method != "POST":
                raise ServiceError(
                    "UnknownOperationException", f"The local SageMaker has no operation {target}."
                )
            if call.too_large:
                raise ServiceError("RequestEntityTooLargeException", "Too large.", 413)
            result = handler(read_request(operation, call.body), self._caller(call))
        except ServiceError as fault:
            body = {"__type": fault.code, "message": fault.message, **fault.fields}
            return _json_answer(fault.status, body, "application/x-amz-json-1.1")
        return _json_answer(200, result, "application/x-amz-json-1.1")

    def _invoke(self, name: str, call: Call) -> Answer:
        """InvokeEndpoint: REST-JSON, with the model's own body both ways."""
        try:
            if call.too_large:
                raise InvocationError(
                    "1 validation error detected: Value at 'body' failed to satisfy constraint: "
                    f"Member must have length less than or equal to {MAX_BODY}"
                )
            headers = {key: call.headers[key] for key in _RELAYED if key in call.headers}
            answer, variant = self._endpoints.invoke(
                name,
                call.body,
                headers,
                call.headers.get("x-amzn-sagemaker-target-variant"),
                self._caller(call),
            )
        except ServiceError as fault:
            answer_body = {"Message": fault.message, **fault.fields}
            return _json_answer(
                fault.status, answer_body, "application/json", {"x-amzn-ErrorType": fault.code}
            )
        back = {"x-Amzn-Invoked-Production-Variant": variant}
        for header in ("Content-Type", "X-Amzn-SageMaker-Custom-Attributes"):
            if header in answer.headers:
                back[header] = answer.headers[header]
        return Answer(200, answer.body, back)

    def _caller(self, call: Call) -> Caller:
        """The account of this server, in the region that the request is signed for."""
        scope = _SCOPE.search(call.headers.get("authorization", ""))
        region = scope[1] if scope is not None else region_of_environment() or DEFAULT_REGION
        return Caller(self._account, region)


def _json_answer(
    status: int,
    body: Mapping[str, object],
    content_type: str,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    encoded = json.dumps(body, allow_nan=False).encode()
    return Answer(status, encoded, {"Content-Type": content_type, **(headers or {})})
