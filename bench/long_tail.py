"""Pairs of users and items as catalogs have them: a few of each make most of the ratings."""

import numpy as np

_RATINGS_OF_A_USER, _RATINGS_OF_AN_ITEM = 154, 400  # as in MovieLens 25M


def draw_pairs(
    rng: np.random.Generator, rows: int, *, in_order: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of long-tailed users and items, one in a hundred twice."""
    n_users = max(40, rows // _RATINGS_OF_A_USER)
    n_items = max(1000, rows // _RATINGS_OF_AN_ITEM)
    repeated = rows // 100
    counts = _long_tail(rng, rows - repeated, n_users, most=n_items // 2)
    users = np.repeat(np.arange(n_users), counts)
    place = np.arange(users.size) - np.repeat(np.cumsum(counts) - counts, counts)
    # Each user's items: evenly through the popular and the rare, then pushed apart where two meet.
    popularity = np.cumsum(1 / np.arange(1, n_items + 1) ** 0.9)
    drawn = (place + rng.random(users.size)) / counts[users] * popularity[-1]
    slack = np.searchsorted(popularity, drawn) - place + n_items * (2 * users + 1)
    items = np.maximum.accumulate(slack) - n_items * (2 * users + 1) + place
    items = np.minimum(items, n_items - counts[users] + place)
    twice = rng.choice(users.size, repeated, replace=False)
    users, items = np.append(users, users[twice]), np.append(items, items[twice])
    order = np.argsort(users, kind="stable") if in_order else rng.permutation(rows)
    user_ids = np.sort(rng.choice(n_users * 2, n_users, replace=False)) + 1
    item_ids = rng.permutation(rng.choice(n_items * 4, n_items, replace=False)) + 1
    return user_ids[users[order]], item_ids[items[order]]


def _long_tail(rng: np.random.Generator, total: int, size: int, most: int) -> np.ndarray:
    """Draw ``size`` counts that add up to ``total``: few are large, none above ``most``."""
    weights = rng.pareto(1.2, size) + 0.15
    counts = np.minimum((weights / weights.sum() * total).astype(np.int64), most)
    while (missing := total - int(counts.sum())) > 0:
        more = np.bincount(rng.integers(0, size, missing), minlength=size)
        counts = np.minimum(counts + more, most)
    return counts
