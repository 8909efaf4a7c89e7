"""Errors as ``application/problem+json`` (RFC 9457), each with a stable type."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from recommender.errors import (
    EndpointFailedError,
    InvalidCatalogNameError,
    InvalidRequestError,
    RecommenderError,
    ServiceError,
    UnknownCatalogError,
    UnknownItemError,
    UnknownRunError,
)
from recommender.json_text import utf8

MEDIA_TYPE = "application/problem+json"
MAX_ANSWER_BYTES = 5_500_000
"""Lambda hands on at most 6 MB, in an envelope in which some characters take more than here."""

_KINDS: tuple[tuple[type[RecommenderError], str, HTTPStatus], ...] = (
    (InvalidRequestError, "invalid-request", HTTPStatus.BAD_REQUEST),
    (InvalidCatalogNameError, "invalid-catalog-name", HTTPStatus.BAD_REQUEST),
    (UnknownCatalogError, "unknown-catalog", HTTPStatus.NOT_FOUND),
    (UnknownItemError, "unknown-item", HTTPStatus.NOT_FOUND),
    (UnknownRunError, "unknown-run", HTTPStatus.NOT_FOUND),
    (EndpointFailedError, "endpoint-failed", HTTPStatus.SERVICE_UNAVAILABLE),
    (ServiceError, "try-again", HTTPStatus.SERVICE_UNAVAILABLE),
)


def problem(status: HTTPStatus, kind: str, detail: str) -> dict[str, object]:
    """Put together a problem.

    Args:
        kind: stable and machine-readable; becomes part of ``type``.
        detail: for people: what, where, what to do.
    """
    return {
        "type": f"urn:matinee:problem:{kind}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
    }


def answered(value: Mapping[str, object]) -> tuple[int, str, str]:
    """Status, media type and body of an answer; of a problem if it cannot be sent in one piece."""
    data = utf8(json.dumps(value, ensure_ascii=False))
    if len(data) <= MAX_ANSWER_BYTES:
        return int(HTTPStatus.OK), "application/json", data.decode()
    detail = (
        f"The answer would take {len(data):,} bytes, and at most {MAX_ANSWER_BYTES:,} can be sent. "
        "Ask for fewer pairs or items at a time."
    )
    return refused(problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "answer-too-large", detail))


def refused(told: Mapping[str, object]) -> tuple[int, str, str]:
    """Status, media type and body of a problem."""
    body = utf8(json.dumps(told, ensure_ascii=False)).decode()
    return cast("int", told["status"]), MEDIA_TYPE, body


def of_error(error: RecommenderError) -> dict[str, object]:
    """Tell a caller what went wrong; what is not the caller's business stays in the log."""
    for kind, name, status in _KINDS:
        if isinstance(error, kind):
            return problem(status, name, str(error))
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "The service is not set up as it should be."
    )
