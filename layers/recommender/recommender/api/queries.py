"""What API callers may ask in a query, checked before anything is looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recommender.errors import InvalidRequestError

MAX_LIMIT = 500
MAX_OFFSET = 10_000
MAX_EXCLUDED = 1000
MAX_ID_LENGTH = 256
MAX_SEARCH_LENGTH = 256
MAX_RUNS = 50


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted: ``limit`` items behind the first ``offset``.

    ``exclude`` are ids of items that the list is made without.
    """

    limit: int = 10
    offset: int = 0
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecommendationRequest(Page):
    """Which part of a user's list; whether without what the user rated; whether with reasons."""

    exclude_seen: bool = True
    explain: bool = False


def parse_page(
    query: Mapping[str, str], exclude: Sequence[str] = (), most: int = MAX_LIMIT
) -> Page:
    """Read ``?limit=10&offset=20&exclude=50&exclude=172``.

    Args:
        query: each parameter with its last value.
        exclude: every value of ``exclude``.
        most: how large a limit may be.

    Raises:
        InvalidRequestError: a value cannot be read.
    """
    if len(exclude) > MAX_EXCLUDED:
        raise InvalidRequestError(
            "exclude", f"expected at most {MAX_EXCLUDED} items, found {len(exclude)}"
        )
    return Page(
        _whole(query, "limit", 10, 1, most),
        _whole(query, "offset", 0, 0, MAX_OFFSET),
        tuple(identifier("exclude", one) for one in exclude),
    )


def parse_recommendations(
    query: Mapping[str, str], exclude: Sequence[str] = ()
) -> RecommendationRequest:
    """Read ``?exclude_seen=true&explain=false`` and what `parse_page` reads.

    Raises:
        InvalidRequestError: a value cannot be read.
    """
    page = parse_page(query, exclude)
    return RecommendationRequest(
        page.limit,
        page.offset,
        page.exclude,
        exclude_seen=_flag(query, "exclude_seen", "true"),
        explain=_flag(query, "explain", "false"),
    )


def parse_id(name: str, query: Mapping[str, str]) -> str:
    """Read ``?user=a/b%20c``, whose percent-encoding is undone already.

    Args:
        name: what it is called: "user" or "item".
        query: each parameter with its last value.

    Raises:
        InvalidRequestError: there is none, or it cannot be an id.
    """
    if name not in query:
        raise InvalidRequestError(name, f"expected ?{name}=, percent-encoded; it is missing")
    return identifier(name, query[name])


def parse_search(query: Mapping[str, str]) -> str:
    """Read ``?query=star wars``.

    Raises:
        InvalidRequestError: it is too long.
    """
    wanted = query.get("query", "")
    if not wanted.strip() or len(wanted) > MAX_SEARCH_LENGTH:
        raise InvalidRequestError(
            "query",
            f"expected ?query= with 1 to {MAX_SEARCH_LENGTH} characters of a title, "
            f"or ?item= with an id; found {wanted[:40]!r}",
        )
    return wanted


def identifier(where: str, value: object) -> str:
    """Read an id: a text, or a whole number.

    Raises:
        InvalidRequestError: it is none.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_LENGTH:
        raise InvalidRequestError(
            where, f"expected an id: a string of 1 to {MAX_ID_LENGTH} characters, or a whole number"
        )
    return value


def _flag(query: Mapping[str, str], name: str, usual: str) -> bool:
    text = query.get(name, usual).lower()
    if text not in ("true", "false"):
        raise InvalidRequestError(name, f"expected true or false, found {text[:40]!r}")
    return text == "true"


def _whole(query: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    text = query.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and least <= int(text) <= most):
        raise InvalidRequestError(name, f"expected {least} to {most}, found {text[:40]!r}")
    return int(text)
