"""An endpoint that is throttled, down or away costs nobody an answer."""

import json

import pytest

from testbed import films
from testbed.runs import ENDPOINT, Kept
from testbed.sagemaker import RefusalError
from testbed.stage import Stage
from tests.unit.serving.test_predict_api import Answer, Api


@pytest.fixture
def api(stage: Stage, promoted_run: Kept) -> Api:
    promoted_run.put(stage)
    return Api(stage, promoted_run.run_id)


def check_factors(answer: Answer, run_id: str) -> None:
    """See that the pair (anna, 242) was scored without the endpoint."""
    assert answer.status == 200
    assert (answer.body["scored_by"], answer.body["model_version"]) == ("factors", run_id)
    (one,) = answer.body["predictions"]
    assert one["score"] == pytest.approx(films.DISLIKED)


def test_without_an_endpoint_the_factors_answer(api: Api) -> None:
    pairs = [(user, item) for user in films.USERS for item in (*films.ITEMS, "nothing")]
    by_endpoint = api.predict(*pairs).body
    assert by_endpoint["scored_by"] == "endpoint"
    del api.stage.sagemaker.endpoints[ENDPOINT]
    by_factors = api.predict(*pairs).body
    scores = [
        [one.pop("score") for one in answer["predictions"]] for answer in (by_endpoint, by_factors)
    ]
    assert scores[0] == pytest.approx(scores[1])
    assert by_factors == {**by_endpoint, "scored_by": "factors"}


def test_without_an_endpoint_users_still_have_their_recommendations(api: Api) -> None:
    del api.stage.sagemaker.endpoints[ENDPOINT]
    assert api.recommend("anna").status == 200


@pytest.mark.parametrize(
    "trouble",
    [
        RefusalError("ModelError", "Received server error (500)", 424),
        RefusalError("ThrottlingException", "Rate exceeded"),
        RefusalError("ServiceUnavailable", "", 503),
        RefusalError("InternalFailure", "", 500),
        RefusalError("ModelNotReadyException", "", 429),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_an_endpoint_that_fails_costs_nobody_an_answer_and_is_counted(
    api: Api, capsys: pytest.CaptureFixture[str], trouble: RefusalError
) -> None:
    api.stage.sagemaker.troubles["InvokeEndpoint"] = [trouble]
    check_factors(api.predict(("anna", "242")), api.run_id)
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metric,) = (one for one in counted if "_aws" in one)
    assert metric["EndpointErrors"] == [1.0]
    (told,) = metric["_aws"]["CloudWatchMetrics"]
    # As the alarm in the template looks for it.
    assert (told["Namespace"], told["Dimensions"]) == ("Matinee", [["service"]])
    assert metric["service"] == "matinee"


def test_an_endpoint_that_moves_at_every_try_is_given_up(api: Api) -> None:
    moved = [RefusalError("ValidationError", "Variant could not be found") for _ in range(9)]
    api.stage.sagemaker.troubles["InvokeEndpoint"] = list(moved)
    check_factors(api.predict(("anna", "242")), api.run_id)
    assert len(api.stage.sagemaker.troubles["InvokeEndpoint"]) == 4
