"""Which requests for a transform job are refused, past those that break the service model."""

from typing import TYPE_CHECKING

from local.sagemaker.faults import ValidationError
from local.sagemaker.storage.s3 import Location

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import CreateTransformJobRequestTypeDef


def check(request: "CreateTransformJobRequestTypeDef") -> None:
    """Refuse what a laptop has not got.

    Raises:
        ValidationError: naming every problem at once.
    """
    source = request["TransformInput"]
    Location.parse(request["TransformOutput"]["S3OutputPath"])
    Location.parse(source["DataSource"]["S3DataSource"]["S3Uri"])
    problems: list[str] = []
    if source["DataSource"]["S3DataSource"]["S3DataType"] != "S3Prefix":
        problems.append("S3DataType must be S3Prefix")
    if source.get("SplitType") == "TFRecord":
        problems.append("SplitType TFRecord")
    if source.get("CompressionType", "None") != "None":
        problems.append("CompressionType Gzip")
    processing = request.get("DataProcessing", {})
    if (
        processing.get("JoinSource", "None") != "None"
        or processing.get("InputFilter", "$") != "$"
        or processing.get("OutputFilter", "$") != "$"
    ):
        problems.append("DataProcessing")
    if problems:
        raise ValidationError(f"The local SageMaker has no: {'; '.join(problems)}")
