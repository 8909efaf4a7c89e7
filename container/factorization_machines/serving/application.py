"""The web application that SageMaker calls: health, predictions, transform settings."""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from recommender.errors import InvalidRequestError
from recommender.model.machine import FactorizationMachine, predict
from recommender.predictor_types import BINARY_CLASSIFIER
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import (
    ClientDisconnected,
    HTTPException,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)
from werkzeug.http import HTTP_STATUS_CODES, parse_accept_header, parse_options_header
from werkzeug.wrappers import Request
from werkzeug.wsgi import get_content_length

from factorization_machines.serving.invocations import (
    DECODERS,
    ENCODERS,
    JSON,
    decode_rows,
    encode_predictions,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_logger = logging.getLogger("factorization_machines")

# A batch transform may be set to send up to this much at once; an endpoint sends 6 MB at most.
_LARGEST_BODY = 100 << 20
_MEGABYTES_A_TRANSFORM = 6
# A caller sends the same few headers all the time: what they mean is worked out once.
_REMEMBERED_HEADERS = 64


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class Application:
    """Answers requests with one machine, loaded before the first of them."""

    def __init__(self, machine: FactorizationMachine, workers: int) -> None:
        self._machine, self._workers = machine, workers
        self._routes: dict[str, tuple[str, Callable[[WSGIEnvironment], _Answer]]] = {
            "/ping": ("GET", self._ping),
            "/invocations": ("POST", self._invoke),
            "/execution-parameters": ("GET", self._execution_parameters),
        }

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request; every error is JSON that says what is wrong."""
        try:
            answer = self._answer(environ)
        except InvalidRequestError as error:
            answer = _problem(400, str(error))
        except HTTPException as error:
            allow = tuple(header for header in error.get_headers() if header[0] == "Allow")
            answer = _problem(error.code or 500, error.description or error.name, allow)
        except Exception:
            # The outermost frame: the caller learns only that it is not their request.
            _logger.exception(
                "unexpected failure of %s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"]
            )
            answer = _problem(500, "the server failed on this request")
        start_response(
            f"{answer.status} {HTTP_STATUS_CODES[answer.status]}",
            [
                ("Content-Type", answer.content_type),
                ("Content-Length", str(len(answer.body))),
                *answer.headers,
            ],
        )
        return [answer.body]

    def _answer(self, environ: "WSGIEnvironment") -> _Answer:
        path = environ.get("PATH_INFO", "")
        if path not in self._routes:
            path = Request(environ).path
        route = self._routes.get(path)
        if route is None:
            raise NotFound(f"no such path: {path}")
        method, answer = route
        if environ["REQUEST_METHOD"] != method:
            raise MethodNotAllowed([method], f"{path} takes {method} only")
        return answer(environ)

    def _ping(self, _environ: "WSGIEnvironment") -> _Answer:
        # The machine was read and checked before this process could accept a connection.
        return _Answer(200, b"")

    def _execution_parameters(self, _environ: "WSGIEnvironment") -> _Answer:
        return _json(
            200,
            {
                "MaxConcurrentTransforms": self._workers,
                "BatchStrategy": "MULTI_RECORD",
                "MaxPayloadInMB": _MEGABYTES_A_TRANSFORM,
            },
        )

    def _invoke(self, environ: "WSGIEnvironment") -> _Answer:
        accepted = _accepted_type(environ.get("HTTP_ACCEPT", ""))
        content_type = _media_type(environ.get("CONTENT_TYPE", "")) or JSON
        encoding = environ.get("HTTP_CONTENT_ENCODING", "identity")
        if content_type not in DECODERS or encoding != "identity":
            raise UnsupportedMediaType(
                f"content type {content_type[:80]} (encoding {encoding[:40]}) is not supported; "
                f"use one of {', '.join(DECODERS)}"
            )
        rows = decode_rows(_body(environ), content_type, self._machine.dimension)
        # Finite features may still be too large for the arithmetic; that is looked at below.
        with np.errstate(all="ignore"):
            scores = predict(rows, self._machine)
        finite = np.isfinite(scores)
        if not finite.all():
            raise InvalidRequestError(
                f"instance {int(finite.argmin())}", "its values are too large to be scored"
            )
        classifies = self._machine.predictor_type == BINARY_CLASSIFIER
        labels = (scores >= 0.5).astype(np.float64) if classifies else None
        link = self._machine.like_link
        likes = None if link is None else link.probabilities(scores)
        return _Answer(200, encode_predictions(scores, labels, accepted, likes), accepted)


def _body(environ: "WSGIEnvironment") -> bytes:
    """Read a request's body: at one go if its length is known."""
    size = get_content_length(environ)
    if size is None:
        request = Request(environ)
        request.max_content_length = _LARGEST_BODY
        return request.get_data(cache=False)
    if size > _LARGEST_BODY:
        raise RequestEntityTooLarge
    try:
        body: bytes = environ["wsgi.input"].read(size)
    except OSError as error:
        raise ClientDisconnected from error
    if len(body) < size:
        raise ClientDisconnected(f"the body ends after {len(body)} of {size} bytes")
    return body


@lru_cache(_REMEMBERED_HEADERS)
def _media_type(header: str) -> str:
    return parse_options_header(header)[0].lower()


@lru_cache(_REMEMBERED_HEADERS)
def _accepted_type(header: str) -> str:
    """Pick the response type: the caller's best one that is known; JSON if they do not care."""
    accepted = parse_accept_header(header, MIMEAccept)
    wishes = [value.partition(";")[0].strip().lower() for value in accepted.values()]
    for wish in wishes:
        if wish in ENCODERS:
            return wish
        if wish in ("*/*", "application/*"):
            return JSON
    if wishes:
        raise NotAcceptable(
            f"cannot answer as {', '.join(wishes)[:200]}; accept one of {', '.join(ENCODERS)}"
        )
    return JSON


def _json(status: int, document: object) -> _Answer:
    return _Answer(status, json.dumps(document).encode())


def _problem(status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> _Answer:
    return _Answer(status, json.dumps({"error": reason}).encode(), JSON, headers)
