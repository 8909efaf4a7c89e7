"""What API callers may ask, checked before anything is looked up."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from recommender.api.queries import MAX_EXCLUDED, MAX_LIMIT, MAX_OFFSET, identifier
from recommender.errors import InvalidRequestError

MAX_PAIRS = 1000
MAX_RATINGS = 1000
MAX_CANDIDATES = 1000


@dataclass(frozen=True)
class PredictionRequest:
    """Pairs to score, and from which probability of a like on a pair counts as liked.

    For a model that tells ratings and no such probability, the threshold is a rating.
    """

    pairs: tuple[tuple[str, str], ...]
    threshold: float | None


@dataclass(frozen=True)
class SessionRequest:
    """Items that somebody rated just now, with the ratings, and how many others are wanted.

    ``user`` names a user to whose known ratings these are added; ``exclude`` what is left out,
    ``exclude_seen`` whether what was rated is, too.
    """

    ratings: tuple[tuple[str, float | None], ...]
    user: str | None
    limit: int
    explain: bool
    offset: int = 0
    exclude: tuple[str, ...] = ()
    exclude_seen: bool = True


@dataclass(frozen=True)
class RankRequest:
    """Items to put in order for a user, for somebody known by ratings alone, or for both."""

    items: tuple[str, ...]
    ratings: tuple[tuple[str, float | None], ...]
    user: str | None


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
    document = _document(
        body,
        ("ratings", "user", "limit", "offset", "exclude", "exclude_seen", "explain"),
        is_base64=is_base64,
    )
    user, ratings = _person(document)
    exclude = _items("exclude", document.get("exclude", []), 0, MAX_EXCLUDED)
    return SessionRequest(
        ratings,
        user,
        _whole("limit", document.get("limit", 10), 1, MAX_LIMIT),
        _flag("explain", document.get("explain", False)),
        _whole("offset", document.get("offset", 0), 0, MAX_OFFSET),
        exclude,
        _flag("exclude_seen", document.get("exclude_seen", True)),
    )


def parse_rank(body: str | None, *, is_base64: bool = False) -> RankRequest:
    """Read ``{"items": ["50", "172"], "user": "196", "ratings": [{"item": "1", "rating": 5}]}``.

    There is a user or there are ratings, or both.

    Args:
        body: the request's, in UTF-8 if it is base64 of bytes.
        is_base64: whether it is.

    Raises:
        InvalidRequestError: it is something else; the message says where and what was expected.
    """
    document = _document(body, ("items", "user", "ratings"), is_base64=is_base64)
    items = _items("items", document.get("items"), 1, MAX_CANDIDATES)
    twice = next((item for at, item in enumerate(items) if item in items[:at]), None)
    if twice is not None:
        raise InvalidRequestError("$.items", f"expected each item once, found {twice!r} twice")
    user, ratings = _person(document)
    return RankRequest(items, ratings, user)


def _person(
    document: Mapping[str, object],
) -> tuple[str | None, tuple[tuple[str, float | None], ...]]:
    """Read who somebody is: a user, ratings, or both."""
    user = document.get("user")
    fewest = 1 if user is None else 0
    ratings = document.get("ratings", None if fewest else [])
    if not isinstance(ratings, list) or not fewest <= len(ratings) <= MAX_RATINGS:
        found = f"{len(ratings)} of them" if isinstance(ratings, list) else json.dumps(ratings)[:80]
        raise InvalidRequestError(
            "$.ratings", f"expected {fewest} to {MAX_RATINGS} ratings, found {found}"
        )
    rated = tuple(_rating(at, one) for at, one in enumerate(ratings))
    return None if user is None else identifier("$.user", user), rated


def _items(name: str, value: object, fewest: int, most: int) -> tuple[str, ...]:
    if not isinstance(value, list) or not fewest <= len(value) <= most:
        found = f"{len(value)} of them" if isinstance(value, list) else json.dumps(value)[:80]
        raise InvalidRequestError(
            f"$.{name}", f"expected {fewest} to {most} ids of items, found {found}"
        )
    return tuple(identifier(f"$.{name}[{at}]", one) for at, one in enumerate(value))


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequestError(f"$.{name}", f"expected true or false, found {value!r}"[:120])
    return value


def _whole(name: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidRequestError(f"$.{name}", f"expected {least} to {most}, found {value!r}"[:120])
    return value


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
    return identifier(f"{where}.item", one["item"]), None if rating is None else float(rating)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _pair(at: int, pair: object) -> tuple[str, str]:
    if not isinstance(pair, dict) or set(pair) != {"user", "item"}:
        raise InvalidRequestError(f"$.pairs[{at}]", 'expected {"user": ..., "item": ...}')
    return identifier(f"$.pairs[{at}].user", pair["user"]), identifier(
        f"$.pairs[{at}].item", pair["item"]
    )


def _threshold(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e9:
        raise InvalidRequestError("$.threshold", f"expected a number, found {value!r}"[:120])
    return float(value)
