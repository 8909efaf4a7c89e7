"""The vocabulary of a run: which feature column belongs to which user or item."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from recommender.errors import DamagedArtifactError
from recommender.ratings.identifiers import IdTable

_VOCABULARY_VERSION = 1
_INTEGER = re.compile(r"-?[0-9]+")
_OPTIONAL = ("features", "cold_users", "cold_items")


@dataclass(frozen=True)
class Vocabulary:
    """The feature columns of a run: one per user, then one per item, then the side features.

    User number ``u`` has column ``u``, item number ``i`` column ``len(users) + i``. Users and
    items without ratings of whom a side file tells something have numbers behind those with
    ratings and no columns of their own: their side features are all that is known of them.

    Attributes:
        users: distinct user ids in column order.
        items: distinct item ids in column order.
        features: names of the side features, whose columns come last.
        cold_users: ids of users without ratings.
        cold_items: ids of items without ratings.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    features: tuple[str, ...] = ()
    cold_users: tuple[str, ...] = ()
    cold_items: tuple[str, ...] = ()

    @classmethod
    def of(cls, users: Iterable[str], items: Iterable[str]) -> "Vocabulary":
        """Order ids so that the same ids make the same columns, wherever they came from.

        Ids that are all integers are ordered by their value, any others by their characters.
        """
        return cls(_ordered(users), _ordered(items))

    @property
    def dimension(self) -> int:
        """Number of feature columns."""
        return len(self.users) + len(self.items) + len(self.features)

    @cached_property
    def user_numbers(self) -> Mapping[str, int]:
        """User id -> number."""
        return {name: number for number, name in enumerate(self.every_user)}

    @cached_property
    def item_numbers(self) -> Mapping[str, int]:
        """Item id -> number."""
        return {name: number for number, name in enumerate(self.every_item)}

    @cached_property
    def every_user(self) -> tuple[str, ...]:
        """Ids by number, those without ratings last."""
        return self.users + self.cold_users

    @cached_property
    def every_item(self) -> tuple[str, ...]:
        """Ids by number, those without ratings last."""
        return self.items + self.cold_items

    def of_rated(self) -> "Vocabulary":
        """The same columns without the users and items that have no ratings."""
        return replace(self, cold_users=(), cold_items=())

    def to_json(self) -> bytes:
        """Write the vocabulary; equal vocabularies give equal bytes."""
        document = {"version": _VOCABULARY_VERSION, "users": self.users, "items": self.items}
        document |= {name: getattr(self, name) for name in _OPTIONAL if getattr(self, name)}
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
        further = {name: _ids_in(document, name) for name in _OPTIONAL if name in document}
        return cls(_ids_in(document, "users"), _ids_in(document, "items"), **further)

    def sha256(self) -> str:
        """Fingerprint of the columns: 64 hexadecimal digits."""
        return hashlib.sha256(self.to_json()).hexdigest()


def _ordered(ids: Iterable[str]) -> tuple[str, ...]:
    distinct = set(ids)
    if all(_INTEGER.fullmatch(name) for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


@dataclass(frozen=True, eq=False)
class Numbering:
    """From the codes of an `IdTable` to numbers in the order of a vocabulary.

    Attributes:
        names: the ids in that order.
        plain: number of each id that is its own code; -1 for an id that is not used.
        spelled: number of each of the others.
    """

    names: tuple[str, ...]
    plain: npt.NDArray[np.int32]
    spelled: npt.NDArray[np.int32]

    @classmethod
    def of(cls, table: IdTable) -> "Numbering":
        """Number the ids that rows use."""
        plain_ids, spelled_ids = table.plain_ids(), table.spelled_ids()
        plain = np.full(int(plain_ids[-1]) + 1 if plain_ids.size else 0, -1, np.int32)
        if not spelled_ids:
            plain[plain_ids] = np.arange(plain_ids.size, dtype=np.int32)
            return cls(tuple(map(str, plain_ids.tolist())), plain, np.zeros(0, np.int32))
        names = _ordered([*map(str, plain_ids.tolist()), *spelled_ids])
        spelled = np.full(max(spelled_ids.values()) - IdTable.MOST_PLAIN + 1, -1, np.int32)
        for number, name in enumerate(names):
            code = spelled_ids.get(name)
            if code is None:
                plain[int(name)] = number
            else:
                spelled[code - IdTable.MOST_PLAIN] = number
        return cls(names, plain, spelled)

    def numbers(self, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Look codes up: ``(n,)`` numbers."""
        if not self.spelled.size:
            return np.asarray(self.plain[codes], np.int32)
        if not self.plain.size:
            return np.asarray(self.spelled[codes - np.int32(IdTable.MOST_PLAIN)], np.int32)
        numbers = np.empty(codes.shape, np.int32)
        is_plain = codes < IdTable.MOST_PLAIN
        numbers[is_plain] = self.plain[codes[is_plain]]
        numbers[~is_plain] = self.spelled[codes[~is_plain] - np.int32(IdTable.MOST_PLAIN)]
        return numbers


def _ids_in(document: Mapping[str, object], side: str) -> tuple[str, ...]:
    ids = document.get(side)
    if not isinstance(ids, list):
        raise DamagedArtifactError("vocabulary", f"{side} is not a list")
    names = tuple(name for name in ids if isinstance(name, str))
    if len(names) != len(ids) or len(set(names)) != len(ids):
        raise DamagedArtifactError("vocabulary", f"{side} is not a list of distinct texts")
    return names
