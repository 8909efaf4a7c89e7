"""Made-up ratings of any number, for what grows with it."""

import numpy as np
from recommender.features import Float32s, Integers

USERS, ITEMS = 70_000, 10_000


def draw(count: int) -> tuple[Integers, Integers, Float32s]:
    """Draw ratings; popular users and items more often.

    Returns:
        ``(count,)`` columns of the users and of the items, which come after all users, and labels
        of 0 and 1.
    """
    generator = np.random.default_rng(0)
    users = (USERS * generator.random(count) ** 1.5).astype(np.int64)
    items = (ITEMS * generator.random(count) ** 2).astype(np.int64) + USERS
    return users, items, (generator.random(count) < 0.55).astype(np.float32)
