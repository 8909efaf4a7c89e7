"""Requests against AWS's own service models: types, patterns, lengths and allowed values.

botocore itself checks types alone; the rest it leaves to the service, where it fails a run.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import validate_parameters
from recommender.catalog.keys import check_catalog_name
from recommender.pipeline import jobs

from testbed import scoring, template
from testbed.runs import admit, promoted, run, upload_films
from testbed.sagemaker import RefusalError
from testbed.stage import Stage

RUN = "20260921t101502-3f9a0c11d2-117"
LONGEST_STACK = "Matinee-" + "x" * 40  # Lambda's names allow no longer one
LONGEST_CATALOG = check_catalog_name("c" * 32)
SERVICES = {"sfn": "stepfunctions", "sagemaker-runtime": "sagemaker-runtime"}


@cache
def model_of(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(SERVICES.get(service, service))


def objections(value: Any, shape: Shape, at: str = "$") -> Iterator[str]:
    """What the service would object to in a value, whose types are right."""
    for name, one, part in _parts(value, shape):
        yield from objections(one, part, f"{at}.{name}")
    if shape.type_name in ("blob", "boolean", "structure", "timestamp"):
        return
    limits: Mapping[str, Any] = shape.metadata
    size = value if isinstance(value, (int, float)) else len(value)
    if not limits.get("min", size) <= size <= limits.get("max", size):
        yield f"{at} is {size}, not {limits.get('min')} to {limits.get('max')}"
    if shape.type_name != "string":
        return
    pattern = limits.get("pattern")
    if pattern and not re.fullmatch(_plain(pattern), value):
        yield f"{at}={value!r} does not match {pattern}"
    if limits.get("enum") and value not in limits["enum"]:
        yield f"{at}={value!r} is none of the values that are allowed"


def _parts(value: Any, shape: Shape) -> Iterator[tuple[object, Any, Shape]]:
    if isinstance(shape, StructureShape):
        for name, one in value.items():
            yield name, one, shape.members[name]
    if isinstance(shape, ListShape):
        for index, one in enumerate(value):
            yield index, one, shape.member
    if isinstance(shape, MapShape):
        for key, one in value.items():
            yield key, key, shape.key
            yield key, one, shape.value


def _plain(pattern: str) -> str:
    """A pattern of Java's as one of Python's: a little stricter, for letters are ASCII here."""
    for theirs, ours in ((r"\p{L}", "A-Za-z"), (r"\p{N}", "0-9"), (r"\p{Z}", " ")):
        pattern = pattern.replace(theirs, ours)
    return pattern


def check(service: str, operation: str, request: Mapping[str, Any]) -> None:
    shape = model_of(service).operation_model(operation).input_shape
    assert shape is not None
    validate_parameters(request, shape)
    assert list(objections(request, shape)) == []


@pytest.fixture(params=["matinee", LONGEST_STACK], ids=["usual", "longest"])
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def environment(function: str) -> dict[str, str]:
    return template.environment(function)


def job_request(stack: str, **changes: Any) -> Mapping[str, Any]:
    root = f"s3://{'b' * 63}/runs/{LONGEST_CATALOG}/{RUN}/"
    given: dict[str, Any] = {
        "name": jobs.resource_name(stack, RUN),
        "image": environment("EncodeRatings")["TRAINING_IMAGE"],
        "role_arn": environment("StartTraining")["SAGEMAKER_ROLE_ARN"],
        "hyperparameters": {
            **json.loads(environment("EncodeRatings")["HYPERPARAMETERS"]),
            "feature_dim": "2625",
            "predictor_type": "binary_classifier",
        },
        "channels": {"train": root + "train/", "test": root + "test/"},
        "output_uri": root + "model/",
        "instance_type": environment("StartTraining")["TRAINING_INSTANCE_TYPE"],
        "max_seconds": int(environment("StartTraining")["TRAINING_MAX_SECONDS"]),
        "tags": {"matinee:catalog": LONGEST_CATALOG, "matinee:run": RUN},
    }
    return cast("Mapping[str, Any]", jobs.training_job(**{**given, **changes}))


def test_a_training_job_can_be_asked_for(stack: str) -> None:
    check("sagemaker", "CreateTrainingJob", job_request(stack))


@pytest.mark.parametrize("bound", ["MinValue", "MaxValue"])
def test_a_training_job_may_last_what_the_template_allows(bound: str) -> None:
    seconds = template.load()["Parameters"]["TrainingMaxSeconds"][bound]
    check("sagemaker", "CreateTrainingJob", job_request("matinee", max_seconds=seconds))


def test_a_training_job_has_no_network_and_reads_whole_prefixes() -> None:
    request = job_request("matinee")
    assert request["EnableNetworkIsolation"] is True
    channels = {one["ChannelName"]: one for one in request["InputDataConfig"]}
    assert set(channels) == {"train", "test"}
    for channel in channels.values():
        assert channel["DataSource"]["S3DataSource"]["S3Uri"].endswith("/")
        assert channel["ContentType"] == "application/x-recordio-protobuf"


def test_every_catalog_and_run_id_may_stand_in_a_tag() -> None:
    for tag in job_request("matinee")["Tags"]:
        assert not tag["Key"].lower().startswith("aws:")


def test_a_model_can_be_asked_for(stack: str) -> None:
    request = jobs.model(
        name=jobs.resource_name(stack, RUN),
        image=environment("EncodeRatings")["TRAINING_IMAGE"],
        role_arn=environment("UpdateEndpoint")["SAGEMAKER_ROLE_ARN"],
        model_uri="s3://bucket/runs/films/run/model/job/output/model.tar.gz",
    )
    check("sagemaker", "CreateModel", cast("Mapping[str, Any]", request))
    assert request.get("EnableNetworkIsolation") is True


def test_an_endpoint_config_can_be_asked_for(stack: str) -> None:
    request = jobs.endpoint_config(
        name=jobs.resource_name(stack, RUN),
        model_name=jobs.resource_name(stack, RUN),
        variant=jobs.variant_name(RUN),
        instance_type=environment("UpdateEndpoint")["ENDPOINT_INSTANCE_TYPE"],
        instance_count=int(environment("UpdateEndpoint")["ENDPOINT_INSTANCE_COUNT"]),
    )
    check("sagemaker", "CreateEndpointConfig", cast("Mapping[str, Any]", request))


def test_an_endpoint_can_be_asked_for(stack: str) -> None:
    name = jobs.endpoint_name(stack, LONGEST_CATALOG)
    config = jobs.resource_name(stack, RUN)
    for operation in ("CreateEndpoint", "UpdateEndpoint"):
        request = {"EndpointName": name, "EndpointConfigName": config}
        check("sagemaker", operation, request)


def transform_request(stack: str) -> Mapping[str, Any]:
    root = f"s3://{'b' * 63}/scores/{LONGEST_CATALOG}/{'n' * 80}-0123456789/_work/"
    request = jobs.transform_job(
        name=jobs.transform_job_name(stack, f"{LONGEST_CATALOG}-{'0' * 20}"),
        model_name=jobs.resource_name(stack, RUN),
        input_uri=root + "rows/",
        output_uri=root + "answers/",
        instance_type=environment("StartTransform")["TRANSFORM_INSTANCE_TYPE"],
        tags={"matinee:catalog": LONGEST_CATALOG, "matinee:run": RUN},
    )
    return cast("Mapping[str, Any]", request)


def test_a_transform_job_can_be_asked_for(stack: str) -> None:
    check("sagemaker", "CreateTransformJob", transform_request(stack))


def test_a_transform_job_gets_records_that_are_joined_for_the_model_and_lines_back() -> None:
    request = transform_request("matinee")
    source, target = request["TransformInput"], request["TransformOutput"]
    assert (source["SplitType"], request["BatchStrategy"]) == ("RecordIO", "MultiRecord")
    assert source["ContentType"] == "application/x-recordio-protobuf"
    assert (target["Accept"], target["AssembleWith"]) == ("application/jsonlines", "Line")
    # The local model server and the built-in one take no more in one request.
    assert request["MaxPayloadInMB"] == 6


def test_every_call_of_a_scoring_is_valid(stage: Stage) -> None:
    promoted(stage)
    scoring.scored(stage, "user,item\nanna,242\n,1\n")
    scoring.scored(stage, "user,item\n,1\n")
    calls = list(stage.calls)
    assert {"CreateTransformJob", "StopTransformJob", "Publish"} <= {one.operation for one in calls}
    for call in calls:
        check(call.service, call.operation, call.parameters)


def test_an_objection_is_found() -> None:
    for change in (
        {"name": "under_score"},
        {"name": "x" * 64},
        {"max_seconds": 0},
        {"instance_type": "ml.m5.huge"},
        {"image": "x" * 256},
        {"role_arn": "arn:aws:iam::1:role/x"},
        {"tags": {"a#b": "c"}},
    ):
        shape = model_of("sagemaker").operation_model("CreateTrainingJob").input_shape
        assert shape is not None
        assert list(objections(job_request("matinee", **change), shape)), change


def test_every_call_of_whole_runs_is_valid(stage: Stage) -> None:
    upload_films(stage)
    run(stage, admit(stage)["execution"])
    stage.upload("ratings/films/bad.csv", "user,item,rating\nanna,242,many\tmore\n")
    run(stage, admit(stage)["execution"])
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    stage.sagemaker.troubles["CreateModel"] = [RefusalError("ThrottlingException", "slow")]
    run(stage, admit(stage)["execution"])
    calls = list(stage.calls)
    assert {"CreateEndpoint", "UpdateEndpoint", "Publish"} <= {call.operation for call in calls}
    for call in calls:
        check(call.service, call.operation, call.parameters)
