"""The stack's buckets and its table, made as the template says in any AWS that there is."""

from typing import TYPE_CHECKING

from testbed import template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def make_storage(
    s3: "S3Client", dynamodb: "DynamoDBClient", ratings: str, artifacts: str, table: str
) -> None:
    """Make the buckets of ratings and of artifacts, and the table, by these names."""
    for bucket in (ratings, artifacts):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=ratings, VersioningConfiguration={"Status": "Enabled"})
    described = template.resources()["StateTable"]["Properties"]
    keys = {name: described[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")}
    dynamodb.create_table(TableName=table, **keys)
