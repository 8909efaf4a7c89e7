"""The web application that SageMaker calls: health, predictions, transform settings."""

import json
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from recommender.errors import InvalidRequestError
from recommender.machine import BINARY_CLASSIFIER, FactorizationMachine, predict
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    UnsupportedMediaType,
)
from werkzeug.wrappers import Request, Response

from factorization_machines.invocations import (
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


class Application:
    """Answers requests with one machine, loaded before the first of them."""

    def __init__(self, machine: FactorizationMachine, workers: int) -> None:
        self._machine, self._workers = machine, workers
        self._routes: dict[str, tuple[str, Callable[[Request], Response]]] = {
            "/ping": ("GET", self._ping),
            "/invocations": ("POST", self._invoke),
            "/execution-parameters": ("GET", self._execution_parameters),
        }

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request; every error is JSON that says what is wrong."""
        request = Request(environ)
        request.max_content_length = _LARGEST_BODY
        try:
            response = self._answer(request)
        except InvalidRequestError as error:
            response = _problem(400, str(error))
        except HTTPException as error:
            response = _problem(error.code or 500, error.description or error.name)
            response.headers.extend(
                (name, value) for name, value in error.get_headers() if name == "Allow"
            )
        except Exception:
            # The outermost frame: the caller learns only that it is not their request.
            _logger.exception("unexpected failure of %s %s", request.method, request.path)
            response = _problem(500, "the server failed on this request")
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        route = self._routes.get(request.path)
        if route is None:
            raise NotFound(f"no such path: {request.path}")
        method, answer = route
        if request.method != method:
            raise MethodNotAllowed([method], f"{request.path} takes {method} only")
        return answer(request)

    def _ping(self, _request: Request) -> Response:
        # The machine was read and checked before this process could accept a connection.
        return Response(status=200, mimetype=JSON)

    def _execution_parameters(self, _request: Request) -> Response:
        return _json(
            200,
            {
                "MaxConcurrentTransforms": self._workers,
                "BatchStrategy": "MULTI_RECORD",
                "MaxPayloadInMB": _MEGABYTES_A_TRANSFORM,
            },
        )

    def _invoke(self, request: Request) -> Response:
        accepted = _accepted_type(request)
        content_type = request.mimetype or JSON
        encoding = request.headers.get("Content-Encoding", "identity")
        if content_type not in DECODERS or encoding != "identity":
            raise UnsupportedMediaType(
                f"content type {content_type[:80]} (encoding {encoding[:40]}) is not supported; "
                f"use one of {', '.join(DECODERS)}"
            )
        rows = decode_rows(request.get_data(), content_type, self._machine.dimension)
        # Finite features may still be too large for the arithmetic; that is looked at below.
        with np.errstate(all="ignore"):
            scores = predict(rows, self._machine)
        lost = np.flatnonzero(~np.isfinite(scores))
        if lost.size:
            raise InvalidRequestError(
                f"instance {int(lost[0])}", "its values are too large to be scored"
            )
        classifies = self._machine.predictor_type == BINARY_CLASSIFIER
        labels = (scores >= 0.5).astype(np.float64) if classifies else None
        return Response(encode_predictions(scores, labels, accepted), 200, mimetype=accepted)


def _accepted_type(request: Request) -> str:
    """Pick the response type: the caller's best one that is known; JSON if they do not care."""
    wishes = [
        value.partition(";")[0].strip().lower() for value in request.accept_mimetypes.values()
    ]
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


def _json(status: int, document: object) -> Response:
    return Response(json.dumps(document), status, mimetype=JSON)


def _problem(status: int, reason: str) -> Response:
    return _json(status, {"error": reason})
