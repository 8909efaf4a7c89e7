"""SNS: tell people."""

import json
import re
import time
from collections.abc import Mapping

from botocore.exceptions import ClientError

from recommender.aws.clients import dynamodb, error_code, passing_troubles, sns
from recommender.errors import listed, shown
from recommender.json_text import utf8

_MOST_BYTES = 200_000  # SNS takes 262,144, attributes and all
_MOST_CHARACTERS = 10_000


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

    A notice that SNS would not take is better short than none: then the largest facts are left
    out, one by one, and named under ``leftOut``.

    Args:
        subject: cut to what SNS takes: less than 100 characters, printable ASCII alone.
    """
    plain = re.sub(r"[^ -~]", "?", re.sub(r"\s+", " ", subject))[:99]
    with passing_troubles("sns:Publish"):
        sns().publish(TopicArn=topic_arn, Subject=plain, Message=_message(subject, facts))


def _message(subject: str, facts: Mapping[str, object]) -> str:
    kept: dict[str, object] = {"summary": shown(subject, _MOST_CHARACTERS), **facts}
    left_out: list[str] = []
    while len(message := _json(kept)) > _MOST_BYTES:
        others = kept.keys() - {"summary", "leftOut"}
        left_out.append(max(others, key=lambda name: len(_json(kept[name]))))
        del kept[left_out[-1]]
        kept["leftOut"] = listed(left_out)
    return message.decode()


def _json(value: object) -> bytes:
    return utf8(json.dumps(value, indent=2, ensure_ascii=False))
