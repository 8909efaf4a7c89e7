"""SNS: tell people."""

import json
import re
from collections.abc import Mapping

from recommender.aws.clients import passing_troubles, sns
from recommender.json_text import utf8


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
