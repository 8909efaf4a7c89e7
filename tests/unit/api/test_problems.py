"""Errors as callers see them."""

import inspect

import pytest
from recommender import errors
from recommender.api.problems import of_error
from recommender.errors import RecommenderError

EXPECTED = {
    errors.InvalidRequestError("$.pairs", "expected a list"): (
        400,
        "urn:matinee:problem:invalid-request",
        "Bad Request",
    ),
    errors.InvalidCatalogNameError("Films"): (
        400,
        "urn:matinee:problem:invalid-catalog-name",
        "Bad Request",
    ),
    errors.UnknownCatalogError("films"): (
        404,
        "urn:matinee:problem:unknown-catalog",
        "Not Found",
    ),
    errors.EndpointFailedError("matinee-films", "it does not serve"): (
        503,
        "urn:matinee:problem:endpoint-failed",
        "Service Unavailable",
    ),
    errors.ServiceUnavailableError("s3:GetObject", "SlowDown"): (
        503,
        "urn:matinee:problem:try-again",
        "Service Unavailable",
    ),
    errors.EndpointBusyError("matinee-films", "Updating"): (
        503,
        "urn:matinee:problem:try-again",
        "Service Unavailable",
    ),
}
LEAVES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, RecommenderError) and not one.__subclasses__()
]


@pytest.mark.parametrize("error", EXPECTED, ids=lambda error: type(error).__name__)
def test_what_a_caller_can_act_on_is_told_with_a_stable_type(error: RecommenderError) -> None:
    status, kind, title = EXPECTED[error]
    assert of_error(error) == {
        "type": kind,
        "title": title,
        "status": status,
        "detail": str(error),
    }


def test_what_is_not_the_callers_business_is_not_told() -> None:
    told = of_error(errors.MissingSettingsError(["ARTIFACTS_BUCKET is not set"]))
    assert told["status"] == 500
    assert told["type"] == "urn:matinee:problem:internal"
    assert "ARTIFACTS_BUCKET" not in str(told)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_error_has_an_answer(leaf: type[RecommenderError]) -> None:
    error = leaf.__new__(leaf)
    assert of_error(error)["status"] in (400, 404, 500, 503)
