"""Names of catalogs, and the keys of the ratings bucket that belong to them."""

import re

from recommender.errors import InvalidCatalogNameError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_RATINGS = "ratings"
_CATALOGS = "catalogs"
_TEST = "test"


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
        key: ``ratings/<catalog>/...`` or ``catalogs/<catalog>/...``, not URL-encoded.

    Raises:
        InvalidCatalogNameError: the key is neither (then the error names the whole key), or its
            second segment is no possible name.
    """
    segments = key.split("/")
    if len(segments) < 3 or segments[0] not in (_RATINGS, _CATALOGS):
        raise InvalidCatalogNameError(key)
    return check_catalog_name(segments[1])


def is_test_key(key: str) -> bool:
    """Whether a rating file is part of the test set: a segment below the catalog is ``test``."""
    segments = key.split("/")
    return segments[0] == _RATINGS and _TEST in segments[2:]
