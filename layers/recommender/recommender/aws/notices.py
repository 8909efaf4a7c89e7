"""SNS: tell people."""

import json
from collections.abc import Mapping

from recommender.aws.clients import passing_troubles, sns


def publish(topic_arn: str, subject: str, facts: Mapping[str, object]) -> None:
    """Publish a notice: a line for people, and the facts as JSON.

    Args:
        subject: cut to SNS's 100 characters, without line breaks or other than ASCII.
    """
    plain = subject.encode("ascii", "replace").decode().replace("\n", " ")[:100]
    with passing_troubles("sns:Publish"):
        sns().publish(
            TopicArn=topic_arn,
            Subject=plain,
            Message=json.dumps({"summary": subject, **facts}, indent=2, ensure_ascii=False),
        )
