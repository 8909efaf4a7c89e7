"""Names of catalogs, and the keys of the ratings bucket that belong to them."""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote

from recommender.errors import InvalidCatalogNameError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_RATINGS = "ratings"
_CATALOGS = "catalogs"
_SCORING = "scoring"
_FOLDERS = (_RATINGS, _CATALOGS, _SCORING)
_TEST = "test"
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_BY_PRODUCTS = frozenset(("thumbs.db", "desktop.ini", "manifest.json", "manifest"))
_BY_PRODUCT_ENDINGS = (".crc", ".manifest", ".md5", ".sha256", ".sha1")


def check_catalog_name(name: str) -> str:
    """Return ``name`` if it can be a catalog's.

    Raises:
        InvalidCatalogNameError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise InvalidCatalogNameError(name)
    return name


def catalog_of_key(key: str) -> str:
    """Name the catalog that an object belongs to.

    Args:
        key: ``ratings/<catalog>/...``, ``catalogs/<catalog>/...`` or ``scoring/<catalog>/...``, not
            URL-encoded.

    Raises:
        InvalidCatalogNameError: the key is none of these (then the error names the whole key), or
            its second segment is no possible name.
    """
    segments = key.split("/")
    if len(segments) < 3 or segments[0] not in _FOLDERS:
        raise InvalidCatalogNameError(key)
    return check_catalog_name(segments[1])


def prefix_of_stray(key: str) -> str:
    """Where an object lies that belongs to no catalog: the folders above it, two at most.

    One notice is enough for all that somebody copies there.
    """
    folders = key.split("/")[:-1]
    return "/".join([*folders[:2], ""]) if folders else ""


def expected_of(key: str) -> str:
    """Say where an object that belongs to no catalog should lie instead, as a whole sentence."""
    first, _, rest = key.partition("/")
    if first.lower() in _FOLDERS and first != first.lower():
        return f"Folders are spelled in small letters: upload it as {first.lower()}/{rest}"
    if first in _FOLDERS and "/" in rest:
        name = rest.partition("/")[0]
        other = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-")
        hint = f", such as {other!r}" if other else ""
        return (
            f"{name!r} cannot be the name of a catalog: choose 1 to 32 of a-z, 0-9 and '-', no '-' "
            f"first or last{hint}"
        )
    return (
        "Ratings are read from ratings/<catalog>/..., settings and side files from "
        "catalogs/<catalog>/ (config.json, items.*, users.*), pairs to score from "
        "scoring/<catalog>/...; upload it there"
    )


def is_pair_list_key(key: str) -> bool:
    """Whether an object of a catalog is a list of pairs to score, and no input of training."""
    return key.startswith(f"{_SCORING}/")


def by_product_of(key: str) -> str | None:
    """Say why an object is no file of its catalog but a by-product of what wrote the files.

    Spark, Hive, Hadoop and macOS agree: a name that begins with ``_`` or ``.`` is not data. That
    holds of each segment below the catalog, unless it is a partition (``_day=1``).

    Returns:
        The end of a sentence about the object; None for a file to read.
    """
    segments = key.split("/")[2:]
    if segments[-1] == "" or segments[-1].endswith("_$folder$"):
        return "marks a folder"
    for segment in segments:
        if segment.startswith((".", "_")) and "=" not in segment:
            return f"is a by-product: {segment!r} begins with {segment[0]!r}"
    name = segments[-1].lower()
    if name in _BY_PRODUCTS or name.endswith(_BY_PRODUCT_ENDINGS):
        return f"is a by-product: {segments[-1]!r} is not data"
    return None


def partitions_of(key: str) -> dict[str, str]:
    """Read the columns that folders' names hold, as Hive and Spark write them.

    Returns:
        Column -> its cell in every row of the file: ``dt=2024-01-31/`` says that ``dt`` is
        2024-01-31; an empty cell for Hive's word for null. Folders of a year, a month and a day
        make a ``date`` as well.
    """
    found = {}
    for segment in key.split("/")[2:-1]:
        name, equals, value = segment.partition("=")
        if equals and name:
            found[unquote(name)] = "" if value == _NULL_PARTITION else unquote(value)
    day = _day_of({name.lower(): value for name, value in found.items()})
    return found if not day else {**found, "date": found.get("date", day)}


def _day_of(parts: Mapping[str, str]) -> str:
    """Put ``year=2024/month=1/day=31`` together, perhaps with an hour; else an empty text."""
    numbers = [parts.get(name, "0") for name in ("year", "month", "day", "hour")]
    if not all(number.isdecimal() and number.isascii() for number in numbers):
        return ""
    try:
        return datetime(*map(int, numbers)).isoformat()  # type: ignore[arg-type]
    except ValueError:
        return ""


def is_test_key(key: str) -> bool:
    """Whether a rating file is part of the test set: a segment below the catalog is ``test``."""
    segments = key.split("/")
    return segments[0] == _RATINGS and _TEST in segments[2:]
