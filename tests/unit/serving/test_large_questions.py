"""Questions and answers that are too large for one piece, and words that are for the log."""

import json

import pytest
from recommender.api import problems
from recommender.aws import endpoint

from testbed import films
from testbed.runs import Kept
from testbed.sagemaker import RefusalError
from testbed.stage import Stage
from tests.unit.serving.test_predict_api import Api, check_problem


@pytest.fixture
def api(stage: Stage, promoted_run: Kept) -> Api:
    promoted_run.put(stage)
    return Api(stage, promoted_run.run_id)


def test_more_than_the_endpoint_takes_at_once_is_asked_in_parts(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [(user, item) for user in films.USERS for item in films.ITEMS]
    whole = api.predict(*pairs).body["predictions"]
    monkeypatch.setattr(endpoint, "MAX_BODY_BYTES", 1000)
    api.stage.calls.clear()
    assert api.predict(*pairs).body["predictions"] == whole
    bodies = [
        call.parameters["Body"] for call in api.stage.calls if call.operation == "InvokeEndpoint"
    ]
    assert len(bodies) > 4
    assert max(map(len, bodies)) <= 1000


def test_what_a_container_says_of_its_insides_stays_in_the_log(api: Api) -> None:
    words = "Received server error (500) with message /opt/venv/matinee/x.py: KeyError"
    api.stage.sagemaker.troubles["InvokeEndpoint"] = [RefusalError("ModelError", words, 424)]
    answer = api.predict(("anna", "242"))
    assert answer.body["scored_by"] == "factors"
    assert "/opt" not in json.dumps(answer.body)


def test_an_answer_that_cannot_be_sent_is_refused_in_words(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "MAX_ANSWER_BYTES", 200)
    answer = api.predict(("anna", "242"), ("anna", "z"))
    assert "Ask for fewer" in check_problem(answer, 413, "answer-too-large")
