"""SageMaker's control plane: ensure what a run needs, and look at it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from recommender.aws.clients import error_code, error_message, passing_troubles, sagemaker
from recommender.errors import ConflictingResourceError, EndpointBusyError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import (
        CreateEndpointConfigInputTypeDef,
        CreateModelInputTypeDef,
        CreateTrainingJobRequestTypeDef,
        DescribeEndpointOutputTypeDef,
        DescribeTrainingJobResponseTypeDef,
    )


def ensure_training_job(request: "CreateTrainingJobRequestTypeDef") -> None:
    """Start the job, or find that an earlier attempt of this run already did.

    Raises:
        ConflictingResourceError: a job of that name does something else.
    """
    name = request["TrainingJobName"]
    with passing_troubles("sagemaker:CreateTrainingJob"):
        try:
            sagemaker().create_training_job(**request)
        except ClientError as error:
            if error_code(error) != "ResourceInUse":
                raise
            found = sagemaker().describe_training_job(TrainingJobName=name)
            _compare("training job", name, _training_facts(request), _training_facts(found))


def describe_training_job(name: str) -> "DescribeTrainingJobResponseTypeDef":
    """Look at a training job."""
    with passing_troubles("sagemaker:DescribeTrainingJob"):
        return sagemaker().describe_training_job(TrainingJobName=name)


def stop_training_job(name: str) -> None:
    """Stop a job if it runs; one that ended, or never was, is as good."""
    with passing_troubles("sagemaker:StopTrainingJob"):
        try:
            sagemaker().stop_training_job(TrainingJobName=name)
        except ClientError as error:
            if not _refused(error):
                raise


def ensure_model(request: "CreateModelInputTypeDef") -> None:
    """Create the model, or find that it exists as asked for.

    Raises:
        ConflictingResourceError: a model of that name has another image or archive.
    """
    name = request["ModelName"]
    with passing_troubles("sagemaker:CreateModel"):
        try:
            sagemaker().create_model(**request)
        except ClientError as error:
            if not _exists(error):
                raise
            found = sagemaker().describe_model(ModelName=name)
            wanted, has = request.get("PrimaryContainer"), found.get("PrimaryContainer")
            _compare("model", name, wanted or {}, has or {})


def ensure_endpoint_config(request: "CreateEndpointConfigInputTypeDef") -> None:
    """Create the endpoint config, or find that it exists as asked for.

    Raises:
        ConflictingResourceError: a config of that name serves something else.
    """
    name = request["EndpointConfigName"]
    with passing_troubles("sagemaker:CreateEndpointConfig"):
        try:
            sagemaker().create_endpoint_config(**request)
        except ClientError as error:
            if not _exists(error):
                raise
            found = sagemaker().describe_endpoint_config(EndpointConfigName=name)
            _compare(
                "endpoint config",
                name,
                request["ProductionVariants"][0],
                found["ProductionVariants"][0],
            )


def describe_endpoint(name: str) -> "DescribeEndpointOutputTypeDef | None":
    """Look at an endpoint; None when there is none."""
    with passing_troubles("sagemaker:DescribeEndpoint"):
        try:
            return sagemaker().describe_endpoint(EndpointName=name)
        except ClientError as error:
            if _refused(error):
                return None
            raise


def ensure_endpoint(name: str, config: str) -> None:
    """Create the endpoint, or move it to the config, or find that this is under way or done.

    Raises:
        EndpointBusyError: it is at work for another run just now; ask again.
    """
    found = describe_endpoint(name)
    if found is None:
        with passing_troubles("sagemaker:CreateEndpoint"):
            sagemaker().create_endpoint(EndpointName=name, EndpointConfigName=config)
        return
    status = found["EndpointStatus"]
    if status == "InService":
        if found.get("EndpointConfigName") != config:
            with passing_troubles("sagemaker:UpdateEndpoint"):
                sagemaker().update_endpoint(EndpointName=name, EndpointConfigName=config)
        return
    if status == "Failed":
        # It never served anything: only a new one can.
        with passing_troubles("sagemaker:DeleteEndpoint"):
            sagemaker().delete_endpoint(EndpointName=name)
        raise EndpointBusyError(name, "being made anew")
    pending = found.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
    if status == "Deleting" or config not in (pending, found.get("EndpointConfigName")):
        raise EndpointBusyError(name, status)


def move_back(name: str, config: str) -> None:
    """Let an endpoint that is in service serve a config that it served before."""
    with passing_troubles("sagemaker:UpdateEndpoint"):
        sagemaker().update_endpoint(EndpointName=name, EndpointConfigName=config)


def delete_endpoint(name: str) -> None:
    """Delete an endpoint; one that is not there, or goes already, is as good."""
    with passing_troubles("sagemaker:DeleteEndpoint"):
        try:
            sagemaker().delete_endpoint(EndpointName=name)
        except ClientError as error:
            if not _refused(error):
                raise


def _training_facts(job: Mapping[str, object]) -> dict[str, object]:
    data = job["InputDataConfig"]
    assert isinstance(data, list)  # noqa: S101  # both the request's and the answer's model say so
    return {
        "HyperParameters": job.get("HyperParameters", {}),
        "channels": {
            channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
            for channel in data
        },
    }


def _compare(
    kind: str, name: str, wanted: Mapping[str, object], found: Mapping[str, object]
) -> None:
    for key, value in wanted.items():
        if found.get(key) != value:
            difference = f"{key} is {found.get(key)!r}, not {value!r}"
            raise ConflictingResourceError(kind, name, difference)


def _refused(error: ClientError) -> bool:
    return error_code(error) in ("ValidationException", "ResourceNotFound")


def _exists(error: ClientError) -> bool:
    # SageMaker says "ValidationException: Cannot create already existing model ..." here, and has
    # no code of its own for it; the describe-and-compare that follows decides.
    return error_code(error) == "ResourceInUse" or (
        _refused(error) and "already existing" in error_message(error)
    )
