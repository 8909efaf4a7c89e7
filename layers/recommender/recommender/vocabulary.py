"""The vocabulary of a run: which feature column belongs to which user or item."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from recommender.errors import DamagedArtifactError

_VOCABULARY_VERSION = 1
_INTEGER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class Vocabulary:
    """The feature columns of a run: one per user, then one per item.

    User number ``u`` has column ``u``, item number ``i`` column ``len(users) + i``.

    Attributes:
        users: distinct user ids in column order.
        items: distinct item ids in column order.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]

    @classmethod
    def of(cls, users: Iterable[str], items: Iterable[str]) -> "Vocabulary":
        """Order ids so that the same ids make the same columns, wherever they came from.

        Ids that are all integers are ordered by their value, any others by their characters.
        """
        return cls(_ordered(users), _ordered(items))

    @property
    def dimension(self) -> int:
        """Number of feature columns."""
        return len(self.users) + len(self.items)

    @cached_property
    def user_numbers(self) -> Mapping[str, int]:
        """User id -> number."""
        return {name: number for number, name in enumerate(self.users)}

    @cached_property
    def item_numbers(self) -> Mapping[str, int]:
        """Item id -> number."""
        return {name: number for number, name in enumerate(self.items)}

    def to_json(self) -> bytes:
        """Write the vocabulary; equal vocabularies give equal bytes."""
        document = {"version": _VOCABULARY_VERSION, "users": self.users, "items": self.items}
        return json.dumps(document, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> "Vocabulary":
        """Read what `to_json` wrote.

        Raises:
            DamagedArtifactError: it is something else, or an id occurs twice.
        """
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise DamagedArtifactError("vocabulary", "is not JSON") from None
        if not isinstance(document, dict) or document.get("version") != _VOCABULARY_VERSION:
            raise DamagedArtifactError(
                "vocabulary", f"is not a vocabulary of version {_VOCABULARY_VERSION}"
            )
        return cls(_ids_in(document, "users"), _ids_in(document, "items"))

    def sha256(self) -> str:
        """Fingerprint of the columns: 64 hexadecimal digits."""
        return hashlib.sha256(self.to_json()).hexdigest()


def _ordered(ids: Iterable[str]) -> tuple[str, ...]:
    distinct = set(ids)
    if all(_INTEGER.fullmatch(name) for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def _ids_in(document: Mapping[str, object], side: str) -> tuple[str, ...]:
    ids = document.get(side)
    if not isinstance(ids, list):
        raise DamagedArtifactError("vocabulary", f"{side} is not a list")
    names = tuple(name for name in ids if isinstance(name, str))
    if len(names) != len(ids) or len(set(names)) != len(ids):
        raise DamagedArtifactError("vocabulary", f"{side} is not a list of distinct texts")
    return names
