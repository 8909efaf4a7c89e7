"""What people are sent."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recommender.aws import notices

from testbed.stage import Stage


def test_a_notice_is_a_line_and_the_facts(stage: Stage) -> None:
    notices.publish(stage.topic, "films: new model serving", {"outcome": "promoted", "é": [1]})
    (notice,) = stage.notices()
    assert notice.subject == "films: new model serving"
    assert notice.facts == {"summary": "films: new model serving", "outcome": "promoted", "é": [1]}


@pytest.mark.parametrize(
    ("line", "subject"),
    [
        ("a\nb\r\nc\td", "a b c d"),
        ("josé", "jos?"),
        ("bell\x07", "bell?"),
        ("x" * 150, "x" * 99),
        ("\ud800", "?"),
    ],
)
def test_the_subject_keeps_to_what_mail_allows_and_the_message_says_all(
    stage: Stage, line: str, subject: str
) -> None:
    notices.publish(stage.topic, line, {})
    (notice,) = stage.notices()
    assert notice.subject == subject
    assert notice.facts == {"summary": line}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1))
def test_any_line_makes_a_subject_that_sns_takes(stage: Stage, line: str) -> None:
    notices.publish(stage.topic, line, {})
    (notice,) = stage.notices()
    # SNS: ASCII without line breaks and control characters, less than 100 of them.
    assert notice.subject.isascii()
    assert notice.subject.isprintable()
    assert len(notice.subject) < 100


def test_a_notice_that_sns_would_not_take_is_sent_without_its_largest_facts(stage: Stage) -> None:
    facts = {"outcome": "failed", "error": "é" * 200_000, "counts": {"rows": 7}, "more": "x" * 9000}
    notices.publish(stage.topic, "y" * 50_000, facts)
    (notice,) = stage.notices()
    assert notice.facts["leftOut"] == "error"
    assert notice.facts["summary"].startswith("yyy")
    assert {name: notice.facts[name] for name in ("outcome", "counts", "more")} == {
        name: facts[name] for name in ("outcome", "counts", "more")
    }
    sent = (call for call in stage.calls if call.operation == "Publish")
    assert all(len(call.parameters["Message"].encode()) < 256_000 for call in sent)


@pytest.mark.parametrize("count", [3, 3000])
def test_however_many_facts_there_are_a_notice_is_sent(stage: Stage, count: int) -> None:
    facts = {f"fact {number}": "\ud800" * (900_000 // count) for number in range(count)}
    notices.publish(stage.topic, "\ud800" * 50_000, facts)
    (notice,) = stage.notices()
    assert len(json.dumps(notice.facts)) < 256_000
