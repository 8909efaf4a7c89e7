"""SNS: tell people."""

import json
import re
import time
from collections.abc import Mapping

from botocore.exceptions import ClientError

from recommender.aws.clients import dynamodb, error_code, passing_troubles, sns
from recommender.json_text import utf8


def is_first(table: str, about: str, seconds: int = 3600) -> bool:
    """Whether nobody was told of this for so long; from now on somebody was.

    Args:
        table: the stack's state.
        about: what it is, kept under this name.
        seconds: for how long one notice is enough.
    """
    now = int(time.time())
    with passing_troubles("dynamodb:UpdateItem"):
        try:
            dynamodb().update_item(
                TableName=table,
                Key={"catalog": {"S": about or "/"}, "record": {"S": "notice"}},
                UpdateExpression="SET told_at = :now, expires = :then",
                ConditionExpression="attribute_not_exists(told_at) OR told_at <= :before",
                ExpressionAttributeValues={
                    ":now": {"N": str(now)},
                    ":then": {"N": str(now + 2 * seconds)},
                    ":before": {"N": str(now - seconds)},
                },
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
    return True


def publish(topic_arn: str, subject: str, facts: Mapping[str, object]) -> None:
    """Publish a notice: a line for people, and the facts as JSON.

    Args:
        subject: cut to what SNS takes: less than 100 characters, printable ASCII alone.
    """
    plain = re.sub(r"[^ -~]", "?", re.sub(r"\s+", " ", subject))[:99]
    message = json.dumps({"summary": subject, **facts}, indent=2, ensure_ascii=False)
    with passing_troubles("sns:Publish"):
        sns().publish(
            TopicArn=topic_arn,
            Subject=plain,
            Message=utf8(message).decode(),
        )
