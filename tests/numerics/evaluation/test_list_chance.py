"""The gate of lists knows noise: equal models pass, worse ones do not."""

import numpy as np
import pytest
from recommender.evaluation.figures import PerUser
from recommender.evaluation.list_verdict import lists_verdict

ITEMS, LENGTH, TOLERANCE = 60, 10, 0.01
_DISCOUNTS = 1 / np.log2(np.arange(LENGTH) + 2)


def tried(rng: np.random.Generator, tastes: np.ndarray, likes: np.ndarray, noise: float) -> PerUser:
    """What each user's list of ten reaches by a model that knows the tastes but for an error."""
    users = np.flatnonzero(likes.any(1))
    foretold = (tastes + rng.normal(0, noise, tastes.shape))[users]
    best = np.argsort(-foretold, axis=1)[:, :LENGTH]
    gains = np.take_along_axis(likes[users], best, axis=1) @ _DISCOUNTS
    ideal = np.cumsum(_DISCOUNTS)[np.minimum(likes[users].sum(1), LENGTH) - 1]
    return PerUser(users, {f"ndcg@{LENGTH}": gains / ideal})


def drop(rng: np.random.Generator, users: int, noises: tuple[float, float]) -> list[PerUser]:
    """The lists of a challenger and a champion for the same users, and those of no model at all."""
    tastes = rng.normal(-2.5, 1.5, (users, ITEMS))
    likes = rng.random(tastes.shape) < 1 / (1 + np.exp(-tastes))
    return [tried(rng, tastes, likes, noise) for noise in (*noises, 50.0)]


def rejections(users: int, drops: int, noises: tuple[float, float]) -> float:
    """The share of drops in which a challenger of one error loses to a champion of another."""
    rng = np.random.default_rng(20_261_127)
    lost = 0
    for _ in range(drops):
        challenger, champion, random = drop(rng, users, noises)
        verdict = lists_verdict(challenger, random, champion, length=LENGTH, tolerance=TOLERANCE)
        lost += not verdict.promoted
    return lost / drops


@pytest.mark.parametrize(("users", "drops"), [(100, 2000), (940, 400)])
@pytest.mark.parametrize("noise", [0.5, 1.5])
def test_of_equal_models_one_in_a_hundred_is_rejected_at_most(
    users: int, drops: int, noise: float
) -> None:
    assert rejections(users, drops, (noise, noise)) <= 0.0105


def test_lists_that_are_a_tenth_worse_are_caught() -> None:
    rng = np.random.default_rng(5)
    challenger, champion, _ = drop(rng, 20_000, (1.4, 1.0))
    name = f"ndcg@{LENGTH}"
    ratio = challenger.figure(name).mean / champion.figure(name).mean
    assert 0.88 < ratio < 0.93  # it is a tenth
    assert rejections(940, 200, (1.4, 1.0)) >= 0.95
