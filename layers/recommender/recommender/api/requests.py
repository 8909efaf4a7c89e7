"""What API callers may ask, checked before anything is looked up."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from recommender.errors import InvalidRequestError

MAX_PAIRS = 1000
MAX_LIMIT = 100
MAX_RATINGS = 1000
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


@dataclass(frozen=True)
class SessionRequest:
    """Items that somebody rated just now, with the ratings, and how many others are wanted.

    ``user`` names a user to whose known ratings these are added.
    """

    ratings: tuple[tuple[str, float | None], ...]
    user: str | None
    limit: int
    explain: bool


def parse_predictions(body: str | None, *, is_base64: bool = False) -> PredictionRequest:
    """Read ``{"pairs": [{"user": "196", "item": "242"}], "threshold": 0.5}``.

    Ids may be strings or whole numbers.

    Args:
        body: the request's, in UTF-8 if it is base64 of bytes.
        is_base64: whether it is.

    Raises:
        InvalidRequestError: it is something else; the message says where and what was expected.
    """
    document = _document(body, ("pairs", "threshold"), is_base64=is_base64)
    pairs = document.get("pairs")
    if not isinstance(pairs, list) or not 1 <= len(pairs) <= MAX_PAIRS:
        found = f"{len(pairs)} of them" if isinstance(pairs, list) else json.dumps(pairs)[:80]
        raise InvalidRequestError("$.pairs", f"expected 1 to {MAX_PAIRS} pairs, found {found}")
    return PredictionRequest(
        tuple(_pair(at, pair) for at, pair in enumerate(pairs)),
        _threshold(document.get("threshold")),
    )


def parse_session(body: str | None, *, is_base64: bool = False) -> SessionRequest:
    """Read ``{"ratings": [{"item": "50", "rating": 5}], "limit": 10, "explain": true}``.

    A rating may be left out: then the item counts as one of the best. With a ``"user"``, the
    ratings are news of one who may be known; there may be none then.

    Args:
        body: the request's, in UTF-8 if it is base64 of bytes.
        is_base64: whether it is.

    Raises:
        InvalidRequestError: it is something else; the message says where and what was expected.
    """
    document = _document(body, ("ratings", "user", "limit", "explain"), is_base64=is_base64)
    user = document.get("user")
    fewest = 1 if user is None else 0
    ratings = document.get("ratings", None if fewest else [])
    if not isinstance(ratings, list) or not fewest <= len(ratings) <= MAX_RATINGS:
        found = f"{len(ratings)} of them" if isinstance(ratings, list) else json.dumps(ratings)[:80]
        raise InvalidRequestError(
            "$.ratings", f"expected {fewest} to {MAX_RATINGS} ratings, found {found}"
        )
    limit, explain = document.get("limit", 10), document.get("explain", False)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequestError("$.limit", f"expected 1 to {MAX_LIMIT}, found {limit!r}"[:120])
    if not isinstance(explain, bool):
        raise InvalidRequestError("$.explain", f"expected true or false, found {explain!r}"[:120])
    return SessionRequest(
        tuple(_rating(at, one) for at, one in enumerate(ratings)),
        None if user is None else _identifier("$.user", user),
        limit,
        explain,
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


def parse_user(query: Mapping[str, str]) -> str:
    """Read ``?user=a/b%20c``, whose percent-encoding is undone already.

    Raises:
        InvalidRequestError: there is none, or it cannot be an id.
    """
    if "user" not in query:
        raise InvalidRequestError("user", "expected ?user=, percent-encoded; it is missing")
    return _identifier("user", query["user"])


def _document(body: str | None, known: Sequence[str], *, is_base64: bool) -> dict[str, object]:
    """Read a body as an object of known fields, the first of which is what it is about."""
    try:
        text = base64.b64decode(body or "", validate=True) if is_base64 else body or ""
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError("body", f"is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequestError("body", f'expected an object with "{known[0]}"')
    unknown = sorted(set(document) - set(known))
    if unknown:
        names = ", ".join(f'"{name}"' for name in known)
        raise InvalidRequestError(f"$.{unknown[0]}", f"unknown field; known: {names}")
    return document


def _rating(at: int, one: object) -> tuple[str, float | None]:
    where = f"$.ratings[{at}]"
    if not isinstance(one, dict) or not {"item"} <= set(one) <= {"item", "rating"}:
        raise InvalidRequestError(where, 'expected {"item": ..., "rating": ...}')
    rating = one.get("rating")
    if rating is not None and (
        isinstance(rating, bool) or not isinstance(rating, (int, float)) or abs(rating) > 1e9
    ):
        raise InvalidRequestError(f"{where}.rating", f"expected a number, found {rating!r}"[:120])
    return _identifier(f"{where}.item", one["item"]), None if rating is None else float(rating)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _pair(at: int, pair: object) -> tuple[str, str]:
    if not isinstance(pair, dict) or set(pair) != {"user", "item"}:
        raise InvalidRequestError(f"$.pairs[{at}]", 'expected {"user": ..., "item": ...}')
    return _identifier(f"$.pairs[{at}].user", pair["user"]), _identifier(
        f"$.pairs[{at}].item", pair["item"]
    )


def _identifier(where: str, value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
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
