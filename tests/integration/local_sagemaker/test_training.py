"""Training jobs of the local SageMaker: trained for real, stopped, failed, measured."""

import itertools
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from recommender.features import FeatureRows
from recommender.model.artifact import read_artifact
from recommender.model.machine import predict

from local.sagemaker.training.metrics import final_metrics
from testbed.local_sagemaker.calls import (
    ARN,
    BUCKET,
    DIMENSION,
    ENDLESS,
    code_of,
    ended,
    get,
    pairs,
    train,
    training_request,
)
from testbed.local_sagemaker.server import Service, until


def test_a_training_job_puts_a_model_that_the_domain_reads_where_it_says(
    service: Service, trained: dict[str, Any]
) -> None:
    uri = trained["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{BUCKET}/models/trained/output/model.tar.gz"
    machine = read_artifact(get(service, "models/trained/output/model.tar.gz"), uri)
    assert (machine.dimension, machine.rank) == (DIMENSION, 4)
    assert trained["TrainingJobArn"] == f"{ARN}:training-job/trained"


def test_a_training_job_tells_its_story(trained: dict[str, Any]) -> None:
    story = trained["SecondaryStatusTransitions"]
    assert [chapter["Status"] for chapter in story] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert trained["SecondaryStatus"] == "Completed"
    for earlier, later in itertools.pairwise(story):
        assert earlier["StartTime"] <= earlier["EndTime"] == later["StartTime"]
    assert trained["CreationTime"] <= trained["TrainingStartTime"] < trained["TrainingEndTime"]
    seconds = (trained["TrainingEndTime"] - trained["TrainingStartTime"]).total_seconds()
    assert trained["BillableTimeInSeconds"] == max(1, round(seconds))
    assert trained["HyperParameters"]["num_factors"] == "4"


def test_the_final_metrics_are_those_of_the_model_on_the_test_channel(
    service: Service, trained: dict[str, Any]
) -> None:
    machine = read_artifact(get(service, "models/trained/output/model.tar.gz"), "trained")
    users, items, labels = pairs(2_000, 2_400)
    probabilities = predict(FeatureRows.pairs(users, items, DIMENSION), machine)
    accuracy = float(np.mean((probabilities >= 0.5) == (labels == 1)))
    metrics = {metric["MetricName"]: metric["Value"] for metric in trained["FinalMetricDataList"]}
    assert metrics["test:binary_classification_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert "train:binary_classification_cross_entropy" in metrics
    assert "test:binary_f_beta" in metrics


def test_a_job_trained_again_gives_the_same_bytes(
    service: Service, trained: dict[str, Any]
) -> None:
    assert train(service, "trained-again")["TrainingJobStatus"] == "Completed"
    again = get(service, "models/trained-again/output/model.tar.gz")
    assert again == get(service, "models/trained/output/model.tar.gz")


def test_the_container_s_log_is_kept_and_copied_to_the_log_group(
    service: Service, trained: dict[str, Any]
) -> None:
    kept = (service.state / "training" / "trained" / "training.log").read_text()
    group = "/aws/sagemaker/TrainingJobs"

    def copied() -> list[str] | None:
        streams = service.logs.describe_log_streams(
            logGroupName=group, logStreamNamePrefix="trained/algo-1-"
        )["logStreams"]
        if not streams:
            return None
        events = service.logs.get_log_events(
            logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True
        )["events"]
        lines = [event["message"] for event in events]
        return lines if len(lines) == len([line for line in kept.splitlines() if line]) else None

    assert any("#quality_metric: host=algo-1, test" in line for line in until(copied))


def test_a_bad_hyperparameter_fails_the_job_in_the_container_s_words(service: Service) -> None:
    job = train(service, "bad-hyperparameter", hyperparameters={"num_factors": "many"})
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert "num_factors" in job["FailureReason"]


def test_an_empty_channel_fails_the_job_while_it_downloads(service: Service) -> None:
    request = training_request("no-data")
    source = request["InputDataConfig"][0]["DataSource"]["S3DataSource"]
    source["S3Uri"] = f"s3://{BUCKET}/nothing/"
    job = train(service, "no-data", InputDataConfig=request["InputDataConfig"])
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed:")
    assert f"s3://{BUCKET}/nothing/" in job["FailureReason"]
    assert [chapter["Status"] for chapter in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Failed",
    ]


def test_a_foreign_image_fails_the_job_and_is_named(service: Service) -> None:
    image = "1.dkr.ecr.eu-central-1.amazonaws.com/xgboost:1"
    job = train(
        service,
        "foreign-image",
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    )
    assert job["TrainingJobStatus"] == "Failed"
    assert image in job["FailureReason"]


def test_a_stopped_job_ends_stopped(service: Service) -> None:
    service.sagemaker.create_training_job(**training_request("stopped", hyperparameters=ENDLESS))
    log = service.state / "training" / "stopped" / "training.log"
    until(lambda: log.exists() and "#progress_metric" in log.read_text())
    service.sagemaker.stop_training_job(TrainingJobName="stopped")
    job = ended(service, "stopped")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert [chapter["Status"] for chapter in job["SecondaryStatusTransitions"]][-2:] == [
        "Stopping",
        "Stopped",
    ]
    # It was asked, and not killed.
    assert "stopped by SIGTERM" in log.read_text()
    with pytest.raises(ClientError, match="is in status Stopped") as error:
        service.sagemaker.stop_training_job(TrainingJobName="stopped")
    assert code_of(error) == "ValidationException"


def test_an_overdue_job_is_stopped_and_says_so(service: Service) -> None:
    job = train(
        service,
        "overdue",
        hyperparameters=ENDLESS,
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    took = (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds()
    assert took >= 1
    log = service.state / "training" / "overdue" / "training.log"
    assert "stopped by SIGTERM" in log.read_text()


def test_a_job_name_is_used_once(service: Service, trained: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="with this name already exists") as error:
        service.sagemaker.create_training_job(**training_request("trained"))
    assert code_of(error) == "ResourceInUse"


def test_metrics_of_the_request_are_found_by_their_own_expressions() -> None:
    lines = [
        "#quality_metric: host=algo-1, epoch=0, train rmse <loss>=1.5",
        "#quality_metric: host=algo-1, epoch=1, batch=2 train rmse <loss>=nan",
        "#quality_metric: host=algo-1, test rmse <loss>=0.91",
        "#quality_metric: host=algo-1, test binary_f_1.000 <score>=0.5",
        "speed=12.5 rows",
    ]
    found = {metric.name: metric.value for metric in final_metrics(lines, {"speed": "speed=(.*) "})}
    assert found == {
        "train:rmse": 1.5,
        "test:rmse": 0.91,
        "test:binary_f_beta": 0.5,
        "speed": 12.5,
    }
