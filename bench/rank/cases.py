"""The data of each case: weighted pairs to learn from, and pairs that lists are to find."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

STARS, LIKED = 5, 4
UA, UNSEEN, SYNTHETIC = "ua", "unseen-users", "synthetic"
_SEED = 20_261_126
_JUDGED = 2000  # users of the synthetic catalog
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Case:
    """Users, items and weights to learn from; who is judged by what.

    Attributes:
        train: users, items and weights to learn from.
        given: of users who are folded in afterwards; None where all are trained.
        wanted: users and items that lists are to find.
        sizes: number of users and of items.
        threshold: least weight of a like.
    """

    train: Pairs
    given: Pairs | None
    wanted: tuple[np.ndarray, np.ndarray]
    sizes: tuple[int, int]
    threshold: float

    @property
    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        """Users and items of the pairs that no list may hold."""
        shown = self.train if self.given is None else self.given
        return shown[0], shown[1]


def read(case: str, folder: Path, synthetic: Path, seed: int) -> Case:
    """Make a case: ``ua``, ``unseen-users`` or ``synthetic``; ``seed`` chooses who is unseen."""
    if case == SYNTHETIC:
        return _synthetic(synthetic)
    train, test = (np.loadtxt(folder / name, dtype=np.int64) for name in ("ua.base", "ua.test"))
    sizes = (943, 1682)
    if case == UA:
        liked = test[test[:, 2] >= LIKED] - 1
        return Case(_weighted(train), None, (liked[:, 0], liked[:, 1]), sizes, LIKED / STARS)
    # Liang et al. 2018: some users are left out of training; 80 % of their items are given.
    table = np.concatenate([train, test])
    rng = np.random.default_rng([_SEED, seed])
    unseen = np.isin(table[:, 0] - 1, rng.permutation(sizes[0])[: sizes[0] // 10])
    given = unseen & (rng.random(len(table)) < 0.8)
    wanted = table[unseen & ~given & (table[:, 2] >= LIKED)] - 1
    return Case(
        _weighted(table[~unseen]),
        _weighted(table[given]),
        (wanted[:, 0], wanted[:, 1]),
        sizes,
        LIKED / STARS,
    )


def _weighted(table: np.ndarray) -> Pairs:
    return table[:, 0] - 1, table[:, 1] - 1, (table[:, 2] / STARS).astype(np.float32)


def _synthetic(path: Path) -> Case:
    """A fifth of the choices of some users is to be found."""
    with np.load(path) as stored:
        users, items, sizes = stored["users"], stored["items"], stored["sizes"]
    rng = np.random.default_rng(_SEED)
    judged = np.isin(users, rng.permutation(sizes[0])[:_JUDGED])
    out = judged & (rng.random(users.size) < 0.2)
    weights = np.ones(int((~out).sum()), np.float32)
    train = users[~out], items[~out], weights
    return Case(train, None, (users[out], items[out]), (int(sizes[0]), int(sizes[1])), 0.0)
