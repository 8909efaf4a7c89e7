"""Implicit features: who rated what, as a description of each user and of each item."""

import numpy as np
from recommender.features import Integers

from factorization_machines.fields import Field, Pairs, SideFeatures


def add_implicit_features(pairs: Pairs) -> Pairs:
    """Describe each user by the items that they rated, and each item by its raters.

    A user with ``m`` ratings gets ``1 / sqrt(m)`` for each of those items, and likewise an item.

    Source:
        Koren, *Factorization meets the neighborhood*, KDD 2008 (SVD++), both ways round.
    """
    users, items = pairs.users.astype(np.int64), pairs.items.astype(np.int64)
    user_size, item_size = pairs.user_field.size, pairs.item_field.size
    # A pair that is rated twice is rated; it does not count twice.
    once = np.unique(users * item_size + items)
    users, items = once // item_size, once % item_size
    user_field = _with_counterparts(pairs.user_field, users, items, item_size)
    item_field = _with_counterparts(pairs.item_field, items, users, user_size)
    return Pairs(pairs.users, pairs.items, user_field, item_field)


def _with_counterparts(field: Field, entities: Integers, others: Integers, count: int) -> Field:
    values = 1.0 / np.sqrt(np.bincount(entities, minlength=field.size))[entities]
    old = field.features
    order = np.argsort(others, kind="stable")
    offsets = np.cumsum(np.bincount(others, minlength=count))
    group = int(old.groups.max(initial=-1)) + 1
    features = SideFeatures(
        np.concatenate([old.offsets, old.offsets[-1] + offsets]),
        np.concatenate([old.entities, entities[order].astype(np.int32)]),
        np.concatenate([old.values, values[order]]),
        np.concatenate([old.groups, np.full(count, group)]),
    )
    return Field(field.first, field.size, features, field.columns)
