"""Test pairs drawn by their two ids alone, so that no order, file or worker can change the draw."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recommender.dataset.vocabulary import Vocabulary

Numbers = npt.NDArray[np.int64]


class Draw:
    """Draws test pairs; the digests of all ids are made once.

    Draws for another purpose have nothing to do with these, nor with each other.

    Source:
        The two ids' BLAKE2b digests, mixed by the finaliser of SplitMix64 (Steele, Lea and Flood,
        *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014).
    """

    def __init__(self, vocabulary: Vocabulary, purpose: bytes = b"") -> None:
        # The first half of the mixture depends on the user alone.
        self._users = _mix(digests(vocabulary.users, purpose + b"user"))
        self._items = digests(vocabulary.items, purpose + b"item")

    def falls_in_test(
        self,
        users: npt.NDArray[np.integer],
        items: npt.NDArray[np.integer],
        fraction: float,
    ) -> npt.NDArray[np.bool_]:
        """Decide for each pair, from its two ids alone, whether it is set aside for testing.

        Args:
            users: ``(n,)`` user numbers.
            items: ``(n,)`` item numbers.
            fraction: share of all pairs to set aside; a larger one keeps what a smaller one chose.

        Returns:
            ``(n,)`` True for a test pair.
        """
        return self.numbers(users, items) < np.uint64(min(int(fraction * 2**64), 2**64 - 1))

    def numbers(
        self, users: npt.NDArray[np.integer], items: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.uint64]:
        """Draw a number for each pair, all equally likely, from its two ids alone.

        Args:
            users: ``(n,)`` user numbers.
            items: ``(n,)`` item numbers.
        """
        drawn = self._users[users]
        drawn += self._items[items]
        return _mixed(drawn)


def digests(names: Sequence[str], kind: bytes) -> npt.NDArray[np.uint64]:
    """Draw a number for each id, all equally likely, from the id alone.

    Args:
        names: the ids.
        kind: what they are ids of and what it is for, 16 bytes at most: another kind, other
            numbers.
    """
    joined = b"".join(
        hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, person=kind).digest()
        for name in names
    )
    return np.frombuffer(joined, "<u8").astype(np.uint64)


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return _mixed(values.copy())


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix in place, which matters for as many values as there are rows."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values ^= values >> np.uint64(shift)
        values *= np.uint64(factor)
    values ^= values >> np.uint64(31)
    return values
