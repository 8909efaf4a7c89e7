"""Requests to the local SageMaker: refused in the service's words, listed, tagged."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from testbed.local_sagemaker.calls import (
    ARN,
    code_of,
    message_of,
    model,
    raw_call,
    training_request,
)
from testbed.local_sagemaker.server import Service


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
