"""The observed pairs of users and items with their weights, as lists of partners of each entity."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from recommender.features import Float32s, Integers

from factorization_machines.compiled.arrays import Int32s
from factorization_machines.compiled.compiling import compiled

Booleans = npt.NDArray[np.bool_]


class Partners(NamedTuple):
    """The observed pairs of each entity of one side.

    Attributes:
        offsets: ``(m + 1,)`` int64; entity ``u`` owns entries ``offsets[u]`` to ``offsets[u + 1]``.
        others: ``(n,)`` int32 entity at the other end, ascending within an entity.
        weights: ``(n,)`` float32, above 0.
    """

    offsets: Integers
    others: Int32s
    weights: Float32s

    @property
    def entities(self) -> int:
        """Number of entities ``m``."""
        return int(self.offsets.size) - 1

    @property
    def counts(self) -> Integers:
        """``(m,)`` observed pairs of each entity."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Int32s:
        """``(n,)`` entity that owns each entry."""
        return np.repeat(np.arange(self.entities, dtype=np.int32), self.counts)


class Observed(NamedTuple):
    """The same pairs from either side."""

    by_user: Partners
    by_item: Partners


def observe(users: Int32s, items: Int32s, weights: Float32s, sizes: tuple[int, int]) -> Observed:
    """List the pairs of a weight above 0 from either side; weights of a repeated pair add up.

    Args:
        users: ``(n,)`` user of each row.
        items: ``(n,)`` item of each row.
        weights: ``(n,)`` at least 0.
        sizes: number of users and of items.
    """
    by_item = grouped(items, users, weights, sizes[1])
    by_user = _merged(_turned(by_item, sizes[0]))
    return Observed(by_user, _turned(by_user, sizes[1]))


def partners_of(partners: Partners, entities: Integers) -> Partners:
    """Keep the pairs of some entities, in the order given."""
    offsets = np.concatenate([[0], np.cumsum(partners.counts[entities])]).astype(np.int64)
    entries = np.repeat(partners.offsets[entities] - offsets[:-1], np.diff(offsets))
    entries += np.arange(offsets[-1])
    return Partners(offsets, partners.others[entries], partners.weights[entries])


def of_some_users(pairs: Observed, users: Integers) -> Observed:
    """Keep the pairs of some users, who are numbered anew in the order given."""
    by_user = partners_of(pairs.by_user, users)
    return Observed(by_user, _turned(by_user, pairs.by_item.entities))


def of_some_pairs(pairs: Observed, kept: Booleans) -> Observed:
    """Keep some pairs, in the order of ``by_user``."""
    old = pairs.by_user
    through = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    by_user = Partners(through[old.offsets], old.others[kept], old.weights[kept])
    return Observed(by_user, _turned(by_user, pairs.by_item.entities))


def grouped(entities: Int32s, others: Int32s, weights: Float32s, size: int) -> Partners:
    """List the rows of each of ``size`` entities, in the rows' order."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(entities, minlength=size))])
    offsets = offsets.astype(np.int64)
    found = Partners(offsets, np.empty_like(others), np.empty_like(weights))
    _deal_out(entities, others, weights, offsets[:-1].copy(), found.others, found.weights)
    return found


def _turned(partners: Partners, size: int) -> Partners:
    """See the pairs from the other side, which has ``size`` entities."""
    return grouped(partners.others, partners.owners, partners.weights, size)


def _merged(partners: Partners) -> Partners:
    """Make one pair of equal neighbours, and none of weights that add up to 0."""
    offsets = np.zeros_like(partners.offsets)
    others, weights = np.empty_like(partners.others), np.empty_like(partners.weights)
    count = _merge(*partners, offsets, others, weights)
    return Partners(offsets, others[:count], weights[:count])


@compiled
def _deal_out(
    entities: Int32s,
    others: Int32s,
    weights: Float32s,
    next_place: Integers,
    dealt_others: Int32s,
    dealt_weights: Float32s,
) -> None:
    for row in range(entities.size):
        place = next_place[entities[row]]
        next_place[entities[row]] = place + 1
        dealt_others[place] = others[row]
        dealt_weights[place] = weights[row]


@compiled
def _merge(
    offsets: Integers,
    others: Int32s,
    weights: Float32s,
    merged_offsets: Integers,
    merged_others: Int32s,
    merged_weights: Float32s,
) -> int:
    end = 0
    for entity in range(offsets.size - 1):
        entry = offsets[entity]
        while entry < offsets[entity + 1]:
            other, weight = others[entry], weights[entry]
            entry += 1
            while entry < offsets[entity + 1] and others[entry] == other:
                weight += weights[entry]
                entry += 1
            if weight > 0.0:
                merged_others[end], merged_weights[end] = other, weight
                end += 1
        merged_offsets[entity + 1] = end
    return end
