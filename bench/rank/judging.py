"""What lists of ten find: NDCG, hit rate and recall, by plain definitions."""

import numpy as np
import numpy.typing as npt

LENGTH = 10
FIGURES = ("ndcg", "hit", "recall", "fit_s", "cpu_s", "peak_mb")
_USERS_AT_ONCE = 500
_DISCOUNTS = 1 / np.log2(np.arange(LENGTH) + 2)


def judge(
    user_factors: npt.ArrayLike,
    item_factors: npt.ArrayLike,
    seen: tuple[np.ndarray, np.ndarray],
    wanted: tuple[np.ndarray, np.ndarray],
) -> dict[str, float]:
    """Judge the lists of unseen items that have the highest scores.

    Args:
        user_factors: ``(u, k)``, a row for each user; or scores, with the identity as items.
        item_factors: ``(i, k)``.
        seen: users and items of the pairs that no list may hold.
        wanted: users and items of the pairs that lists are to find.

    Returns:
        Means over the users with a wanted pair: NDCG at 10, share with a hit, and hits over
        ``min(10, wanted)``.
    """
    left, right = np.asarray(user_factors, np.float32), np.asarray(item_factors, np.float32)
    users, items = len(left), len(right)
    judged = np.unique(wanted[0])
    ideal = np.concatenate([[0.0], np.cumsum(_DISCOUNTS)])
    totals = np.zeros(3)
    for first in range(0, judged.size, _USERS_AT_ONCE):
        part = judged[first : first + _USERS_AT_ONCE]
        row_of = np.full(users, -1)
        row_of[part] = np.arange(part.size)
        scores = left[part] @ right.T
        liked = np.zeros((part.size, items), bool)
        for (whose, which), table, value in ((seen, scores, -np.inf), (wanted, liked, True)):
            rows = row_of[whose]
            table[rows[rows >= 0], which[rows >= 0]] = value
        best = np.argpartition(-scores, LENGTH, axis=1)[:, :LENGTH]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        hits = np.take_along_axis(liked, np.take_along_axis(best, order, axis=1), axis=1)
        asked = np.minimum(liked.sum(axis=1), LENGTH)
        totals[0] += float((hits @ _DISCOUNTS / ideal[asked]).sum())
        totals[1] += int(hits.any(axis=1).sum())
        totals[2] += float((hits.sum(axis=1) / asked).sum())
    return dict(zip(("ndcg", "hit", "recall"), (totals / judged.size).tolist(), strict=True))
