"""SNS: tell people."""

import json
import re
from collections.abc import Mapping

from recommender.aws.clients import passing_troubles, sns
from recommender.errors import listed, shown
from recommender.json_text import utf8

_MOST_BYTES = 200_000  # SNS takes 262,144, attributes and all
_MOST_CHARACTERS = 10_000


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
