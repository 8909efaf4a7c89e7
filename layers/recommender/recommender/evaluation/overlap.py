"""How much lists have in common: those of two methods, and those of different users."""

import math

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.evaluation.figures import Figure
from recommender.features import Float64s, Integers

_NUMBERS_AT_ONCE = 1 << 22


def list_overlaps(ours: Integers, theirs: Integers) -> Float64s:
    """Compare each user's two lists, which two methods made.

    Args:
        ours: ``(m, n)`` lists, -1 where a list ends; none holds an item twice.
        theirs: ``(m, l)`` lists of the same users.

    Returns:
        ``(m,)`` Jaccard indices: items in both lists over items in either; 0 for two empty lists.

    Raises:
        ShapeMismatchError: there are not as many lists of each.
    """
    if ours.ndim != 2 or theirs.ndim != 2 or len(ours) != len(theirs):
        raise ShapeMismatchError("lists of the same users", ours.shape, theirs.shape)
    overlaps = np.zeros(len(ours))
    step = max(1, _NUMBERS_AT_ONCE // max(1, ours.shape[1] * theirs.shape[1]))
    for first in range(0, len(ours), step):
        some = slice(first, first + step)
        one, other = ours[some], theirs[some]
        same = (one[:, :, None] == other[:, None, :]) & (one[:, :, None] >= 0)
        both = np.count_nonzero(same, axis=(1, 2))
        sizes = np.count_nonzero(one >= 0, axis=1) + np.count_nonzero(other >= 0, axis=1)
        overlaps[some] = both / np.maximum(sizes - both, 1)
    return overlaps


def list_overlap(ours: Integers, theirs: Integers) -> Figure:
    """Mean Jaccard index of users' two lists; see `list_overlaps`."""
    return Figure.of(list_overlaps(ours, theirs))


def overlap_between_users(lists: Integers, n_items: int) -> Figure:
    """How much the lists of two users have in common, in the mean over all pairs of users.

    What two lists of the length ``n`` have in common is the number of items in both over ``n``:
    1 where all users have the same list, 0 where no two share an item.

    Args:
        lists: ``(m, n)`` lists, -1 where a list ends; none holds an item twice.
        n_items: number of items.

    Returns:
        The mean, exact, and its standard error; 0 for fewer than two users.

    Source:
        One less Zhou et al.'s mean inter-list distance (PNAS 107(10), 2010). The error is that of
        a mean over pairs: Hoeffding, *A Class of Statistics with Asymptotically Normal
        Distribution*, 1948, theorem 7.1.
    """
    users, length = lists.shape
    if users < 2 or not length:
        return Figure(0.0, None, users)
    there = lists >= 0
    counts = np.bincount(lists[there], minlength=n_items)
    # An item is in common with each of the others who have it.
    common = np.where(there, counts[lists] - 1, 0).sum(axis=1) / (length * (users - 1))
    error = 2.0 * float(common.std(ddof=1)) / math.sqrt(users)
    return Figure(float(common.mean()), error, users)
