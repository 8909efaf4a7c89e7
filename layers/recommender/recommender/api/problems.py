"""Errors as ``application/problem+json`` (RFC 9457), each with a stable type."""

from http import HTTPStatus

from recommender.errors import (
    EndpointFailedError,
    InvalidCatalogNameError,
    InvalidRequestError,
    RecommenderError,
    ServiceError,
    UnknownCatalogError,
)

MEDIA_TYPE = "application/problem+json"

_KINDS: tuple[tuple[type[RecommenderError], str, HTTPStatus], ...] = (
    (InvalidRequestError, "invalid-request", HTTPStatus.BAD_REQUEST),
    (InvalidCatalogNameError, "invalid-catalog-name", HTTPStatus.BAD_REQUEST),
    (UnknownCatalogError, "unknown-catalog", HTTPStatus.NOT_FOUND),
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


def of_error(error: RecommenderError) -> dict[str, object]:
    """Tell a caller what went wrong; what is not the caller's business stays in the log."""
    for kind, name, status in _KINDS:
        if isinstance(error, kind):
            return problem(status, name, str(error))
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "The service is not set up as it should be."
    )
