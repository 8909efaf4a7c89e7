"""A machine trained on side features, folded exactly into one of users and items alone.

Split the entries of a row into those that follow from the user (``a``) and those that follow from
the item (``b``). All products of two entries are within ``a``, within ``b``, or between them, so

    score = w0 + [w.x_a + pairs(x_a)] + [w.x_b + pairs(x_b)] + <V x_a, V x_b>

with ``pairs(x) = 1/2 sum_f [(sum_i V_if x_i)^2 - sum_i V_if^2 x_i^2]``. That is a machine with one
weight and one factor vector a user and an item. Rendle, *Factorization Machines*, ICDM 2010, lemma
3.1, applied to each side.
"""

import numpy as np

from recommender.catalog.side_features import SideFeatures
from recommender.errors import ShapeMismatchError
from recommender.features import FeatureRows, Float32s
from recommender.model.machine import FactorizationMachine
from recommender.model.pair_model import PairModel, split_machine

_NUMBERS_AT_ONCE = 1 << 22


def fold(
    machine: FactorizationMachine, n_users: int, n_items: int, side: SideFeatures
) -> PairModel:
    """Fold what depends on the user alone, or the item alone, into one parameter each.

    Args:
        machine: ``n_users`` columns of users, ``n_items`` of items, then the side features'.
        n_users: number of users with ratings.
        n_items: number of items with ratings.
        side: the side features of each; of those without ratings nothing is made here.

    Returns:
        A model that scores every known pair as the machine scores its full row, up to the rounding
        of its float32 parameters.

    Raises:
        ShapeMismatchError: the machine has another number of columns.
    """
    if not side.dimension:
        return split_machine(machine, n_users, n_items)
    expected = n_users + n_items + side.dimension
    if machine.dimension != expected:
        raise ShapeMismatchError(
            "columns of the model",
            f"{n_users} users + {n_items} items + {side.dimension} side features",
            machine.dimension,
        )
    first = n_users + n_items
    user_weights, user_factors = _folded(machine, 0, side.users.part(0, n_users), first)
    item_weights, item_factors = _folded(machine, n_users, side.items.part(0, n_items), first)
    return PairModel(
        bias=machine.bias,
        user_weights=user_weights,
        user_factors=user_factors,
        item_weights=item_weights,
        item_factors=item_factors,
        predictor_type=machine.predictor_type,
        like_link=machine.like_link,
        objective=machine.objective,
    )


def _folded(
    machine: FactorizationMachine, own: int, rows: FeatureRows, first: int
) -> tuple[Float32s, Float32s]:
    """Weights and factors of one side: own columns from ``own`` on, features from ``first``."""
    size, rank = len(rows), machine.factors.shape[1]
    weights = machine.linear[own : own + size].astype(np.float64)
    factors = machine.factors[own : own + size].astype(np.float64)
    squares = factors**2
    owners = np.repeat(np.arange(size), np.diff(rows.offsets))
    step = max(1, _NUMBERS_AT_ONCE // max(1, rank))
    for start in range(0, owners.size, step):
        part = slice(start, start + step)
        columns = first + rows.columns[part]
        values = rows.values[part].astype(np.float64)
        np.add.at(weights, owners[part], machine.linear[columns] * values)
        products = machine.factors[columns].astype(np.float64) * values[:, None]
        np.add.at(factors, owners[part], products)
        np.add.at(squares, owners[part], products**2)
    weights += 0.5 * (factors**2 - squares).sum(axis=1)
    return weights.astype(np.float32), factors.astype(np.float32)
