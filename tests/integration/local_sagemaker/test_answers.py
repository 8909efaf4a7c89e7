"""Answers of the local SageMaker, held against the service model."""

import numpy as np
import pytest
from botocore.validate import ParamValidator
from recommender.recordio.writing import write_pairs

from local.sagemaker.service.validation import service_model
from testbed.local_sagemaker.calls import BUCKET, DIMENSION, USERS, raw_call, transform
from testbed.local_sagemaker.server import Service


@pytest.fixture(scope="module")
def shaped(service: Service, endpoint: str) -> str:
    body = write_pairs(np.array([0]), np.array([USERS]), DIMENSION, None)
    service.s3.put_object(Bucket=BUCKET, Key="ask/shaped/a.rec", Body=body)
    job = transform(service, "shaped", f"s3://{BUCKET}/ask/shaped/")
    assert job["TransformJobStatus"] == "Completed"
    return "shaped"


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
