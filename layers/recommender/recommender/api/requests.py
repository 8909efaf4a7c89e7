"""What API callers may ask, checked before anything is looked up."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from recommender.errors import InvalidRequestError

MAX_PAIRS = 1000
MAX_LIMIT = 100
MAX_ID_LENGTH = 256


@dataclass(frozen=True)
class PredictionRequest:
    """Pairs to score, and from which probability of a like on a pair counts as liked.

    For a model that tells ratings and no such probability, the threshold is a rating.
    """

    pairs: tuple[tuple[str, str], ...]
    threshold: float | None


@dataclass(frozen=True)
class RecommendationRequest:
    """How many items, and whether those that the user rated are left out."""

    limit: int
    exclude_seen: bool


def parse_predictions(body: str | None, *, is_base64: bool = False) -> PredictionRequest:
    """Read ``{"pairs": [{"user": "196", "item": "242"}], "threshold": 0.5}``.

    Ids may be strings or whole numbers.

    Args:
        body: the request's, in UTF-8 if it is base64 of bytes.
        is_base64: whether it is.

    Raises:
        InvalidRequestError: it is something else; the message says where and what was expected.
    """
    try:
        text = base64.b64decode(body or "", validate=True) if is_base64 else body or ""
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError("body", f"is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequestError("body", 'expected an object with "pairs"')
    unknown = sorted(set(document) - {"pairs", "threshold"})
    if unknown:
        raise InvalidRequestError(f"$.{unknown[0]}", 'unknown field; known: "pairs", "threshold"')
    pairs = document.get("pairs")
    if not isinstance(pairs, list) or not 1 <= len(pairs) <= MAX_PAIRS:
        found = f"{len(pairs)} of them" if isinstance(pairs, list) else json.dumps(pairs)[:80]
        raise InvalidRequestError("$.pairs", f"expected 1 to {MAX_PAIRS} pairs, found {found}")
    return PredictionRequest(
        tuple(_pair(at, pair) for at, pair in enumerate(pairs)),
        _threshold(document.get("threshold")),
    )


def parse_recommendations(query: Mapping[str, str]) -> RecommendationRequest:
    """Read ``?limit=10&exclude_seen=true``.

    Raises:
        InvalidRequestError: a value cannot be read.
    """
    text = query.get("limit", "10")
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidRequestError("limit", f"expected 1 to {MAX_LIMIT}, found {text[:40]!r}")
    exclude = query.get("exclude_seen", "true").lower()
    if exclude not in ("true", "false"):
        raise InvalidRequestError("exclude_seen", f"expected true or false, found {exclude[:40]!r}")
    return RecommendationRequest(int(text), exclude == "true")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _pair(at: int, pair: object) -> tuple[str, str]:
    if not isinstance(pair, dict) or set(pair) != {"user", "item"}:
        raise InvalidRequestError(f"$.pairs[{at}]", 'expected {"user": ..., "item": ...}')
    return _identifier(f"$.pairs[{at}].user", pair["user"]), _identifier(
        f"$.pairs[{at}].item", pair["item"]
    )


def _identifier(where: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_LENGTH:
        raise InvalidRequestError(
            where, f"expected an id: a string of 1 to {MAX_ID_LENGTH} characters, or a whole number"
        )
    return value


def _threshold(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e9:
        raise InvalidRequestError("$.threshold", f"expected a number, found {value!r}"[:120])
    return float(value)
