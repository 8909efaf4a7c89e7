"""Which pairs a run's like model is asked of, where its factors answer the others."""

import numpy as np

from recommender.api.answers import ServedRun
from recommender.features import Integers


def to_ask(run: ServedRun, users: Integers, items: Integers) -> Integers:
    """Choose the pairs that have a row to send.

    A pair of strangers has nothing to send, the model's bias is its answer; and who has no ratings
    has no column of the model's: the vectors by their features are not SageMaker's.

    Args:
        run: whose model.
        users: ``(n,)`` numbers of users, -1 for an unknown one.
        items: ``(n,)`` numbers of items, -1 for an unknown one.

    Returns:
        Their places among the pairs, ascending.
    """
    is_rated = (users < len(run.vocabulary.users)) & (items < len(run.vocabulary.items))
    return np.flatnonzero(is_rated & ((users >= 0) | (items >= 0)))
