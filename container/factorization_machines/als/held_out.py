"""Pairs held out of training, and how well lists find them: NDCG at 10 over unseen items."""

from dataclasses import dataclass

import numpy as np
from recommender.features import Float32s, Float64s, Integers

from factorization_machines.als.observed import (
    Booleans,
    Observed,
    Partners,
    of_some_pairs,
    of_some_users,
    partners_of,
)
from factorization_machines.als.products import product
from factorization_machines.als.threads import Threads, cuts_of_work
from factorization_machines.compiled.compiling import compiled

LENGTH = 10
"""Of the lists."""

_FEWEST_LIKES = 2  # of a user: one to hold out, one to learn from
# Lists of a few thousand users tell settings apart; scoring all items for each takes its time.
_MOST_SCORES, _LEAST_JUDGED = 40_000_000, 200


@dataclass(frozen=True)
class HeldOut:
    """What is learned from, and what is to be found.

    Attributes:
        left: the pairs to learn from.
        out: ``(n,)`` the held out pairs of each user, by user.
        passed: further pairs of each user that no list may hold, by user.
        judged: ``(m,)`` the users who are judged; each has a pair held out.
    """

    left: Observed
    out: Partners
    passed: Partners
    judged: Integers

    def ndcg(self, users: Float32s, items: Float32s, threads: Threads) -> Float64s:
        """Judge lists by vectors of whole blocks.

        Args:
            users: ``(u, w)``.
            items: ``(i, w)``.
            threads: to work on.

        Returns:
            ``(m,)`` NDCG at 10 of each judged user, among the items that they have not seen.
        """
        found = np.zeros(self.judged.size)
        ideal = np.cumsum(1.0 / np.log2(np.arange(LENGTH) + 2.0))

        def work(first: int, last: int) -> None:
            _judge(
                self.judged[first:last],
                users,
                items,
                self.left.by_user,
                self.out,
                self.passed,
                ideal,
                found[first:last],
            )

        threads.over(cuts_of_work(np.ones(self.judged.size, np.int64)), work)
        return found


def sample_users(pairs: Observed, most: int, generator: np.random.Generator) -> Integers:
    """Choose users at random who have at most so many pairs together; in ascending order."""
    order = generator.permutation(pairs.by_user.entities)
    fitting = np.cumsum(pairs.by_user.counts[order]) <= most
    return np.sort(order[fitting])


def likes_of(partners: Partners, threshold: float) -> Booleans:
    """Tell which entries are likes: ``(n,)``."""
    # In float32 as the weights are: 0.7 there is a little less than 0.7 here.
    return np.asarray(partners.weights >= np.float32(threshold))


def most_judged(items: int) -> int:
    """How many users' lists are judged where there are so many items."""
    return max(_LEAST_JUDGED, _MOST_SCORES // items)


def hold_out(
    pairs: Observed,
    passed: Partners,
    threshold: float,
    fraction: float,
    users: Integers,
    judged: int,
    generator: np.random.Generator,
) -> HeldOut:
    """Hold a share of some users' likes out, at least one of everybody who has two.

    Args:
        pairs: all observed pairs.
        passed: further pairs that no list may hold, by user.
        threshold: least weight of a like.
        fraction: of each user's likes.
        users: the users to look at; the others' pairs are left out altogether.
        judged: at most so many users are judged; of the others everything is learned from.
        generator: of the choice.
    """
    pairs = of_some_users(pairs, users)
    offsets, weights = pairs.by_user.offsets, pairs.by_user.weights
    likes = np.flatnonzero(likes_of(pairs.by_user, threshold))
    owners = pairs.by_user.owners[likes]
    counts = np.bincount(owners, minlength=users.size)
    able = np.flatnonzero(counts >= _FEWEST_LIKES)
    chosen = np.sort(generator.permutation(able)[:judged])
    wanted = np.zeros(users.size, np.int64)
    wanted[chosen] = np.maximum(1, (fraction * counts[chosen]).astype(np.int64))
    order = np.lexsort((generator.random(likes.size), owners))
    firsts = np.concatenate([[0], np.cumsum(counts)])
    place = np.arange(likes.size) - firsts[owners]
    out = np.zeros(weights.size, bool)
    out[likes[order[place < wanted[owners]]]] = True
    left = of_some_pairs(pairs, ~out)
    through = np.concatenate([[0], np.cumsum(out)]).astype(np.int64)
    held = Partners(through[offsets], pairs.by_user.others[out], weights[out])
    return HeldOut(left, held, partners_of(passed, users), chosen)


@compiled
def _judge(  # noqa: C901 - compiled loops
    judged: Integers,
    users: Float32s,
    items: Float32s,
    seen: Partners,
    out: Partners,
    passed: Partners,
    ideal: Float64s,
    found: Float64s,
) -> None:
    width = users.shape[1]
    scores = np.empty(items.shape[0], np.float32)
    best = np.empty(LENGTH, np.int64)
    for number in range(judged.size):
        user = judged[number]
        for item in range(items.shape[0]):
            scores[item] = product(users, user * width, items, item * width, width)
        for entry in range(seen.offsets[user], seen.offsets[user + 1]):
            scores[seen.others[entry]] = -np.inf
        for entry in range(passed.offsets[user], passed.offsets[user + 1]):
            scores[passed.others[entry]] = -np.inf
        length = 0
        for item in range(items.shape[0]):
            score = scores[item]
            if score == -np.inf or (length == LENGTH and score <= scores[best[LENGTH - 1]]):
                continue
            place = min(length, LENGTH - 1)
            while place > 0 and scores[best[place - 1]] < score:
                best[place] = best[place - 1]
                place -= 1
            best[place] = item
            length = min(length + 1, LENGTH)
        gain = 0.0
        for place in range(length):
            for entry in range(out.offsets[user], out.offsets[user + 1]):
                if out.others[entry] == best[place]:
                    gain += ideal[place] - (ideal[place - 1] if place > 0 else 0.0)
        wanted = min(out.offsets[user + 1] - out.offsets[user], LENGTH)
        found[number] = gain / ideal[wanted - 1]
