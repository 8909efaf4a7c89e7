"""A catalog whose answers can be told by heart: users and items of two tastes.

A user likes an item when both have the same taste, and the planted model says exactly that: rank 1,
factors +2 and -2, no bias, no linear weights. So its score of a pair is +4 or -4, whatever the
code under test thinks of it.
"""

import math
from collections.abc import Iterator

import numpy as np
from recommender.model.artifact import write_artifact
from recommender.model.machine import FactorizationMachine, LikeLink
from recommender.predictor_types import BINARY_CLASSIFIER

USERS = ("196", "anna", "b+c", "d%20e", "f g", "h&i", "josé", "k", "l", "m", "n", "o")
ITEMS = ("242", "a movie", "b+b", "c%63", "d", "e", "f", "g", "é", "z")
LIKED = 1 / (1 + math.exp(-4))
DISLIKED = 1 / (1 + math.exp(4))

TRAIN_KEY = "ratings/films/part 1+2%é.csv"
TEST_KEY = "ratings/films/test/held-out.csv"
ITEMS_KEY = "catalogs/films/items.csv"


def taste(name: str) -> int:
    """One of two tastes, +1 or -1: by the place among all users or items."""
    names = USERS if name in USERS else ITEMS
    return 1 if names.index(name) % 2 == 0 else -1


def likes(user: str, item: str) -> bool:
    """Whether a user likes an item."""
    return taste(user) == taste(item)


def rating(user: str, item: str) -> float:
    """What a user gives an item: 5 or 1."""
    return 5.0 if likes(user, item) else 1.0


def side(user: str, item: str) -> str:
    """Where a rating lies: ``train``, ``test``, or ``none`` when the pair was never rated."""
    turn = (USERS.index(user) + ITEMS.index(item) // 2) % 5
    return {0: "test", 1: "none"}.get(turn, "train")


def ratings(which: str) -> str:
    """A rating file of one side: CSV with a header."""
    rows = [f"{user},{item},{rating(user, item):g}" for user, item in pairs(which)]
    return "\n".join(["user,item,rating", *rows]) + "\n"


def pairs(which: str) -> Iterator[tuple[str, str]]:
    """The pairs of one side."""
    return ((user, item) for user in USERS for item in ITEMS if side(user, item) == which)


def titles() -> str:
    """An items file."""
    return "item,title\n" + "".join(f"{item},Film {item}\n" for item in ITEMS if item != "z")


def model(
    users: tuple[str, ...],
    items: tuple[str, ...],
    *,
    sign: int = 1,
    strength: float = 2.0,
    predictor_type: str = BINARY_CLASSIFIER,
    like_link: LikeLink | None = None,
) -> bytes:
    """The planted model of a vocabulary, as training would have made it.

    Args:
        sign: -1 makes a model that is wrong about everything.
        strength: half of how far a score is from the bias.
        like_link: of a regressor: how its ratings become likes.
    """
    user_factors = [2.0 * taste(user) for user in users]
    item_factors = [strength * taste(item) * sign for item in items]
    machine = FactorizationMachine(
        bias=0.0 if predictor_type == BINARY_CLASSIFIER else 3.0,
        linear=np.zeros(len(users) + len(items), np.float32),
        factors=np.array([*user_factors, *item_factors], np.float32)[:, None],
        predictor_type=predictor_type,
        like_link=like_link,
    )
    return write_artifact(machine, {})
