"""Endpoints of the local SageMaker: asked, updated without a lost request, brought back."""

import contextlib
import io
import os
import signal
import tarfile
import threading

import numpy as np
import pytest
from botocore.exceptions import ClientError
from recommender.features import FeatureRows
from recommender.model.artifact import read_artifact
from recommender.model.machine import predict
from recommender.recordio.reading import read_predictions
from recommender.recordio.writing import write_pairs

from testbed.local_sagemaker.calls import (
    ACCOUNT,
    BUCKET,
    DIMENSION,
    IMAGE,
    ONE_ROW,
    ask,
    bias_served,
    code_of,
    config,
    get,
    message_of,
    model,
    pairs,
    put_model,
    settled,
)
from testbed.local_sagemaker.server import Service, until


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
    name = f"{damage}-archive"
    key = f"planted/{name}.tar.gz"
    model(service, name, put_model(service, key, 3.0))
    config(service, name, {"AllTraffic": (name, 1)})
    old = settled(service, changing)["EndpointConfigName"]
    if damage == "absent":
        service.s3.delete_object(Bucket=BUCKET, Key=key)
    elif damage == "damaged":
        service.s3.put_object(Bucket=BUCKET, Key=key, Body=get(service, key)[:100])
    else:  # a sound archive that holds no model: the container ends before it answers
        empty = io.BytesIO()
        tarfile.open(fileobj=empty, mode="w:gz").close()
        service.s3.put_object(Bucket=BUCKET, Key=key, Body=empty.getvalue())
    served = bias_served(service, changing)
    service.sagemaker.update_endpoint(EndpointName=changing, EndpointConfigName=name)
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
