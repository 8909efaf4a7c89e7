"""Which requests for a training job are refused, past those that break the service model."""

import re
from typing import TYPE_CHECKING

from local.sagemaker.faults import ValidationError
from local.sagemaker.storage.s3 import Location
from local.sagemaker.training.job import DEFAULT_MAX_RUNTIME

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import CreateTrainingJobRequestTypeDef

_LOCAL = "the local SageMaker"


def check(request: "CreateTrainingJobRequestTypeDef") -> None:
    """Refuse what the service refuses beyond its model, and what a laptop has not got.

    Raises:
        ValidationError: naming every problem at once.
    """
    problems: list[str] = []
    algorithm = request.get("AlgorithmSpecification")
    if algorithm is None or "TrainingImage" not in algorithm:
        problems.append("AlgorithmSpecification.TrainingImage is required")
    else:
        if algorithm["TrainingInputMode"] == "Pipe":
            problems.append(f"{_LOCAL} gives channels as files: TrainingInputMode Pipe")
        for definition in algorithm.get("MetricDefinitions", ()):
            try:
                re.compile(definition["Regex"])
            except re.error as error:
                problems.append(f"MetricDefinitions {definition['Name']}: {error}")
    problems.extend(
        f"{required} is required"
        for required in ("ResourceConfig", "StoppingCondition")
        if required not in request
    )
    condition = request.get("StoppingCondition", {})
    runtime = condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME)
    if request.get("EnableManagedSpotTraining") and condition.get("MaxWaitTimeInSeconds", 0) < (
        runtime
    ):
        problems.append(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
            "MaxRuntimeInSeconds"
        )
    problems.extend(_channel_problems(request))
    output = request["OutputDataConfig"]
    Location.parse(output["S3OutputPath"])
    if output.get("CompressionType", "GZIP") != "GZIP":
        problems.append(f"{_LOCAL} has no OutputDataConfig.CompressionType NONE")
    if problems:
        raise ValidationError("; ".join(problems))


def _channel_problems(request: "CreateTrainingJobRequestTypeDef") -> list[str]:
    problems: list[str] = []
    seen: set[str] = set()
    for channel in request.get("InputDataConfig", ()):
        name = channel["ChannelName"]
        if name in seen:
            problems.append(f"channel {name} is given twice")
        seen.add(name)
        source = channel["DataSource"].get("S3DataSource")
        if source is None or source["S3DataType"] != "S3Prefix":
            problems.append(f"channel {name}: {_LOCAL} reads S3DataType S3Prefix only")
        else:
            Location.parse(source["S3Uri"])
        if channel.get("CompressionType", "None") != "None":
            problems.append(f"channel {name}: {_LOCAL} has no CompressionType Gzip")
        if channel.get("RecordWrapperType", "None") != "None":
            problems.append(f"channel {name}: {_LOCAL} has no RecordWrapperType RecordIO")
        if channel.get("InputMode") == "Pipe":
            problems.append(f"channel {name}: {_LOCAL} gives channels as files, not Pipe")
    return problems
