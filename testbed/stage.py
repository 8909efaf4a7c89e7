"""The stack in memory: real resources of moto, named as the template names them."""

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.model import OperationModel
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.stepfunctions.models import stepfunctions_backends
from recommender.aws import clients
from recommender.observability import metrics
from recommender.serving import scoring, served_runs

from testbed import template
from testbed.sagemaker import SageMaker
from testbed.storage import make_storage
from testbed.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

Handler = Callable[[dict[str, Any], LambdaContext], Any]

_CLIENTS: "tuple[_lru_cache_wrapper[Any], ...]" = (
    clients.s3,
    clients.dynamodb,
    clients.sagemaker,
    clients.sagemaker_runtime,
    clients.stepfunctions,
    clients.sns,
)
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
}


@dataclass(frozen=True)
class Call:
    """One call of AWS that the code under test made.

    ``function`` is the template's name of the function that ran, empty outside of all.
    """

    function: str
    service: str
    operation: str
    parameters: Mapping[str, Any]
    error: str


@dataclass(frozen=True)
class Notice:
    """What people were told."""

    subject: str
    facts: dict[str, Any]


class _Context:
    """Says of an invocation what Lambda says."""

    function_name = "matinee"
    memory_limit_in_mb = 512
    aws_request_id = "11111111-2222-3333-4444-555555555555"
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:matinee"


@dataclass
class Stage:
    """Buckets, table, topic, state machine and SageMaker, ready for handlers to run on.

    Attributes:
        calls: every call of AWS that the code under test made, in order.
        running: the function that runs just now.
        disturb: called with "before" or "after" at each call of the code under test.
        page_size: how much of a bucket one listing shows; as much as usual when None.
    """

    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    stepfunctions: "SFNClient"
    sns: "SNSClient"
    sqs: "SQSClient"
    sagemaker: SageMaker
    ratings: str
    artifacts: str
    table: str
    machine: str
    scoring_machine: str
    topic: str
    inbox: str
    calls: list[Call] = field(default_factory=list)
    running: str = ""
    page_size: int | None = None
    disturb: Callable[[str], None] | None = None

    def run(self, function: str, handler: Handler, event: Mapping[str, Any]) -> dict[str, Any]:
        """Run a handler as Lambda does: its environment from the template, JSON in, JSON out."""
        self.running = function
        try:
            with _environment(template.environment(function)), warnings.catch_warnings():
                # Not every invocation has something to count.
                warnings.filterwarnings("ignore", message="No application metrics to publish")
                answer = handler(json.loads(json.dumps(event)), cast("LambdaContext", _Context()))
        finally:
            self.running = ""
        return cast("dict[str, Any]", json.loads(json.dumps(answer)))

    def upload(self, key: str, data: bytes | str) -> str:
        """Put a file into the ratings bucket, and name its version."""
        body = data.encode() if isinstance(data, str) else data
        return self.s3.put_object(Bucket=self.ratings, Key=key, Body=body)["VersionId"]

    def keep(self, key: str, value: object) -> None:
        """Put JSON into the artifacts bucket."""
        self.s3.put_object(Bucket=self.artifacts, Key=key, Body=json.dumps(value).encode())

    def kept(self, key: str) -> bytes:
        """Read an object of the artifacts bucket."""
        return self.s3.get_object(Bucket=self.artifacts, Key=key)["Body"].read()

    def kept_json(self, key: str) -> dict[str, Any]:
        """Read JSON of the artifacts bucket."""
        return cast("dict[str, Any]", json.loads(self.kept(key)))

    def listing(self, prefix: str = "") -> list[str]:
        """List the artifacts bucket."""
        found = self.s3.list_objects_v2(Bucket=self.artifacts, Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", [])]

    def executions(self, machine: str = "") -> dict[str, tuple[str, dict[str, Any]]]:
        """Every execution of a machine, usually of training: status and input, by its name."""
        arn = machine or self.machine
        listed = self.stepfunctions.list_executions(stateMachineArn=arn)["executions"]
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for one in listed:
            told = self.stepfunctions.describe_execution(executionArn=one["executionArn"])
            found[one["name"]] = (told["status"], json.loads(told["input"]))
        return found

    def start(self, execution: str, catalog: str = "films") -> None:
        """Let an execution run."""
        self.stepfunctions.start_execution(
            stateMachineArn=self.machine, name=execution, input=json.dumps({"catalog": catalog})
        )

    def end(self, execution: str, status: str) -> None:
        """Let an execution end."""
        machines = stepfunctions_backends[ACCOUNT][REGION].state_machines
        (found,) = (
            one for machine in machines for one in machine.executions if one.name == execution
        )
        found.status = status

    def lease(self, catalog: str = "films") -> dict[str, Any]:
        """The lease's attributes as plain values; none when there is no lease."""
        key = {"catalog": {"S": catalog}, "record": {"S": "lease"}}
        item = self.dynamodb.get_item(TableName=self.table, Key=key).get("Item", {})
        values = {name: next(iter(value.values())) for name, value in item.items()}
        return {name: value for name, value in values.items() if name not in key}

    def notices(self) -> list[Notice]:
        """Everything that people were told since the last look."""
        found = []
        while True:
            answer = self.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10)
            if "Messages" not in answer:
                return found
            for message in answer["Messages"]:
                told = json.loads(message["Body"])
                found.append(Notice(told["Subject"], json.loads(told["Message"])))
                self.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])


@contextmanager
def aws() -> Iterator[None]:
    """Let every call of AWS end in memory, with nothing left of the calls before."""
    with _environment(_ENVIRONMENT), mock_aws():
        before = boto3.DEFAULT_SESSION
        boto3.DEFAULT_SESSION = _session()
        for client in _CLIENTS:
            client.cache_clear()
        forget()
        try:
            yield
        finally:
            for client in _CLIENTS:
                client.cache_clear()
            boto3.DEFAULT_SESSION = before


def forget() -> None:
    """Start from an empty AWS and from containers that have served nobody yet."""
    BackendDict.reset()
    served_runs.load.cache_clear()
    served_runs._without.cache_clear()
    served_runs._pointers.clear()
    served_runs._withdrawn.clear()
    scoring._variants.clear()


@contextmanager
def set_up() -> Iterator[Stage]:
    """Make the resources of the stack, in an AWS that is otherwise empty.

    To be used inside of ``aws``; one stage at a time.
    """
    forget()
    environment = {**template.environment("AdmitUpload"), **template.environment("EncodeRatings")}
    s3, dynamodb, stepfunctions, sns, sqs = _own_clients()
    stage = Stage(
        s3=s3,
        dynamodb=dynamodb,
        stepfunctions=stepfunctions,
        sns=sns,
        sqs=sqs,
        sagemaker=SageMaker(s3),
        ratings=environment["RATINGS_BUCKET"],
        artifacts=environment["ARTIFACTS_BUCKET"],
        table=environment["STATE_TABLE"],
        machine=environment["STATE_MACHINE_ARN"],
        scoring_machine=template.environment("AdmitPairs")["STATE_MACHINE_ARN"],
        topic=environment["NOTICE_TOPIC_ARN"],
        inbox=sqs.create_queue(QueueName="inbox")["QueueUrl"],
    )
    _make_resources(stage)
    # On Lambda both stand in the environment before anything is imported.
    before = metrics.namespace, metrics.service
    metrics.namespace = environment["POWERTOOLS_METRICS_NAMESPACE"]
    metrics.service = environment["POWERTOOLS_SERVICE_NAME"]
    _watching.append(stage)
    try:
        yield stage
    finally:
        _watching.remove(stage)
        metrics.namespace, metrics.service = before


def _make_resources(stage: Stage) -> None:
    make_storage(stage.s3, stage.dynamodb, stage.ratings, stage.artifacts, stage.table)
    for machine in (stage.machine, stage.scoring_machine):
        name = machine.rpartition(":")[2]
        stage.stepfunctions.create_state_machine(
            name=name, definition="{}", roleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}"
        )
    stage.sns.create_topic(Name=stage.topic.rpartition(":")[2])
    stage.sns.subscribe(
        TopicArn=stage.topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox"
    )


_watching: list[Stage] = []
"""The stage that the code under test plays on, if there is one."""


@cache
def _session() -> boto3.Session:
    """The session of the code under test, watched by the stage. One for all tests.

    Making clients takes longer than most tests, so they are made once and know no stage.
    """
    session = boto3.Session()
    session.events.register("provide-client-params", _take_parameters)
    # The stubs think that nobody answers a hook.
    ask = cast("Callable[..., None]", _ask_sagemaker)
    session.events.register("before-call.sagemaker", ask)
    session.events.register("before-call.sagemaker-runtime", ask)
    session.events.register("before-call.s3.PutObject", _check_condition)
    session.events.register("after-call", _record)
    return session


def _take_parameters(
    params: dict[str, Any], model: OperationModel, context: dict[str, Any], **_: object
) -> None:
    if model.name.startswith("List") and _watching and _watching[-1].page_size:
        params["MaxKeys"] = _watching[-1].page_size
    context["parameters"] = params
    if _watching and _watching[-1].disturb:
        _watching[-1].disturb("before")


def _ask_sagemaker(
    model: OperationModel, context: Mapping[str, Any], **_: object
) -> tuple[AWSResponse, dict[str, Any]]:
    return _watching[-1].sagemaker.answer(model, context["parameters"])


def _check_condition(
    context: Mapping[str, Any], **_: object
) -> tuple[AWSResponse, dict[str, Any]] | None:
    """Refuse a write whose condition does not hold, of which moto knows nothing."""
    asked = context["parameters"]
    wanted, none = asked.get("IfMatch"), asked.get("IfNoneMatch")
    if wanted is None and none is None:
        return None
    there = {
        one["Key"]: one["ETag"]
        for one in _own_clients()[0]
        .list_objects_v2(Bucket=asked["Bucket"], Prefix=asked["Key"])
        .get("Contents", [])
    }
    found = there.get(asked["Key"])
    if found == wanted if wanted is not None else found is None:
        return None
    answer = AWSResponse("https://s3", 412, HTTPHeaders(), None)
    error = {"Code": "PreconditionFailed", "Message": "At least one of the conditions failed"}
    return answer, {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 412}}


def _record(
    parsed: Mapping[str, Any], model: OperationModel, context: Mapping[str, Any], **_: object
) -> None:
    if _watching:
        stage, service = _watching[-1], model.service_model.service_id.hyphenize()
        error = parsed.get("Error", {}).get("Code", "")
        stage.calls.append(Call(stage.running, service, model.name, context["parameters"], error))
        if stage.disturb:
            stage.disturb("after")


@cache
def _own_clients() -> "tuple[S3Client, DynamoDBClient, SFNClient, SNSClient, SQSClient]":
    """The testbed's own, which nobody watches."""
    make = boto3.Session().client
    return make("s3"), make("dynamodb"), make("stepfunctions"), make("sns"), make("sqs")


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
