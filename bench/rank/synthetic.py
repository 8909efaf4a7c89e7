"""Made-up choices of any number, by planted tastes and a long tail: who chose what, once each."""

from pathlib import Path

import numpy as np

USERS, ITEMS = 70_000, 10_000
_TASTES = 16
_TASTE, _POPULARITY = 1.6, 0.8  # weights of taste and of popularity in what is chosen
_USERS_AT_ONCE = 1000
_LEAST = 8


def make(path: Path, count: int, users: int = USERS, items: int = ITEMS) -> None:
    """Draw about ``count`` choices and keep them in a file.

    Each user chooses a number of items of a long-tailed distribution, without repetition: those of
    the highest taste plus popularity plus noise (Gumbel's, which makes it a draw by softmax).
    """
    rng = np.random.default_rng(0)
    tastes = rng.standard_normal((users, _TASTES), np.float32) / np.float32(_TASTES**0.5)
    kinds = rng.standard_normal((items, _TASTES), np.float32) * np.float32(_TASTE)
    popularity = (-_POPULARITY * np.log(1 + rng.permutation(items))).astype(np.float32)
    sizes = rng.lognormal(0.0, 0.9, users)
    sizes = np.clip(sizes / sizes.sum() * count, _LEAST, items // 8).astype(np.int64)
    chosen = []
    for first in range(0, users, _USERS_AT_ONCE):
        scores = tastes[first : first + _USERS_AT_ONCE] @ kinds.T + popularity
        noise = rng.random(scores.shape, np.float32)
        scores -= np.log(-np.log(noise + np.float32(1e-9)))
        most = int(sizes[first : first + _USERS_AT_ONCE].max())
        best = np.argpartition(-scores, most, axis=1)[:, :most]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        best = np.take_along_axis(best, order, axis=1)
        chosen += [row[:size] for row, size in zip(best, sizes[first:], strict=False)]
    owners = np.repeat(np.arange(users), sizes)
    np.savez(path, users=owners, items=np.concatenate(chosen), sizes=np.array([users, items]))
