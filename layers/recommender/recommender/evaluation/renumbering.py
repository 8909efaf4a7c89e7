"""A model of another run in this run's numbers, so that both make lists for the same users."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from recommender.dataset.vocabulary import Vocabulary
from recommender.features import Float32s, Integers
from recommender.model.pair_model import PairModel
from recommender.model.seen_items import UNKNOWN


def renumbered(
    model: PairModel, own: Vocabulary, vocabulary: Vocabulary
) -> tuple[PairModel, Integers]:
    """Arrange a model's weights by another vocabulary.

    Args:
        model: the model.
        own: the ids that its numbers mean.
        vocabulary: the ids that they shall mean.

    Returns:
        The model, and the numbers of the users whom it knows, ascending. A user or item that it
        does not know has zeros and so contributes nothing to a score.
    """
    users = _numbers(vocabulary.users, own.user_numbers)
    items = _numbers(vocabulary.items, own.item_numbers)
    arranged = replace(
        model,
        user_weights=_rows(model.user_weights, users),
        user_factors=_rows(model.user_factors, users),
        item_weights=_rows(model.item_weights, items),
        item_factors=_rows(model.item_factors, items),
    )
    return arranged, np.flatnonzero(users != UNKNOWN)


def _numbers(ids: Sequence[str], known: Mapping[str, int]) -> Integers:
    return np.array([known.get(name, UNKNOWN) for name in ids], np.int64)


def _rows(table: Float32s, numbers: Integers) -> Float32s:
    """Rows of a table; zeros for an unknown number."""
    rows = np.zeros((numbers.size, *table.shape[1:]), np.float32)
    known = numbers != UNKNOWN
    rows[known] = table[numbers[known]]
    return rows
