"""Sample the posterior of a machine over pairs, and make one plain machine of it."""

from dataclasses import dataclass

import numpy as np
from recommender.features import Float64s, Integers

from factorization_machines.compiled.arrays import Int32s
from factorization_machines.fields import Field, Pairs
from factorization_machines.gibbs.calibration import (
    Shift,
    fit_factors,
    fit_line,
    fit_link,
    log_odds,
)
from factorization_machines.gibbs.likelihoods import Likelihood
from factorization_machines.gibbs.pairs.collapse import PlainPairs, cut_products
from factorization_machines.gibbs.pairs.priors import draw_prior
from factorization_machines.gibbs.pairs.sweeps import draw_side
from factorization_machines.gibbs.pairs.vectors import Links, Vectors, score_links, score_pairs
from factorization_machines.gibbs.randomness import RandomState

# Kept factors of all draws: what does not fit is thinned out.
_MOST_KEPT_BYTES = 256 << 20
_FEWEST_KEPT = 16

Probes = tuple[Int32s, Int32s]  # users and items of some pairs

# The features' parts given the entities' own are the longest draw by far, and in between the parts
# move together with the own ones: every second sweep is as good on folds, and a quarter faster.
_SWEEPS_A_DRAW_OF_PARTS = 2

_PAIRS_AN_ENTITY = 12
_MOST_PAIRS = 250_000


@dataclass(frozen=True)
class Collapsed:
    """One plain machine made of many draws.

    Attributes:
        plain: the machine.
        like_link: the map from its scores to log-odds of a like.
        change: root mean square of what cutting the rank did to the scores of some pairs, which
            are spread over all users and items.
    """

    plain: PlainPairs
    like_link: Shift
    change: float


class PairSampler:
    """The state of one chain; `sweep` moves it on, `keep` takes it into the posterior mean."""

    def __init__(
        self,
        pairs: Pairs,
        likelihood: Likelihood,
        rank: int,
        draws: int,
        state: RandomState,
        generator: np.random.Generator,
        probes: Probes | None = None,
    ) -> None:
        """Begin near zero.

        Args:
            pairs: the rows and the features of their users and items.
            likelihood: of the rows' labels.
            rank: factors of one draw.
            draws: how often `keep` will be called, at most.
            state: generator of the compiled draws.
            generator: generator of the hyperparameters' draws.
            probes: where the posterior is looked at; chosen here if not given. Chains that are to
                be one posterior share them.
        """
        self._pairs, self._likelihood, self._rank = pairs, likelihood, rank
        self._state, self._generator = state, generator
        self._users = _Side(pairs.user_field, pairs.users, pairs.items, rank, generator)
        self._items = _Side(pairs.item_field, pairs.items, pairs.users, rank, generator)
        rows = pairs.users.size
        self.scores, self._targets = np.zeros(rows), np.zeros(rows)
        sizes = pairs.user_field.size, pairs.item_field.size
        bytes_a_draw = 4 * rank * sum(sizes)
        keepable = min(draws, max(_FEWEST_KEPT, _MOST_KEPT_BYTES // bytes_a_draw))
        self._every = -(-draws // keepable)
        self._offered, self._kept = 0, 0
        room = -(-draws // self._every) * rank
        self._stacks = [np.empty((size, room), np.float32) for size in sizes]
        self._weights = [np.zeros(size) for size in sizes]
        self._posterior = _Posterior(*(probes or sample_probes(pairs, generator)))

    def sweep(self) -> None:
        """Draw every parameter once."""
        weight = self._likelihood.draw_targets(self.scores, self._targets)
        users, items = self._users, self._items
        users.draw(self._targets, weight, items.vectors.totals, self._state, self._generator)
        items.draw(self._targets, weight, users.vectors.totals, self._state, self._generator)
        score_links(users.links, users.vectors.totals, items.vectors.totals, self.scores)

    def keep(self) -> None:
        """Take this draw into the posterior mean, or pass it over to bound the memory."""
        self._offered += 1
        if (self._offered - 1) % self._every:
            return
        columns = slice(self._kept * self._rank, (self._kept + 1) * self._rank)
        totals = self._users.vectors.totals, self._items.vectors.totals
        for side, vectors in enumerate(totals):
            self._stacks[side][:, columns] = vectors[:, : self._rank]
            self._weights[side] += vectors[:, self._rank]
        self._posterior.add(self._likelihood, *totals)
        self._kept += 1

    def absorb(self, other: "PairSampler") -> None:
        """Take another chain's draws into this one's posterior mean; both had the same probes."""
        kept = slice(0, other._kept * other._rank)
        own = slice(0, self._kept * self._rank)
        self._stacks = [
            np.concatenate([mine[:, own], theirs[:, kept]], axis=1)
            for mine, theirs in zip(self._stacks, other._stacks, strict=True)
        ]
        for mine, theirs in zip(self._weights, other._weights, strict=True):
            mine += theirs
        self._posterior.absorb(other._posterior)
        self._kept += other._kept

    def collapse(self, rank: int, *, classifies: bool, seed: int) -> "Collapsed":
        """Make one plain machine of the kept draws.

        Args:
            rank: of the machine.
            classifies: scores are to be log-odds of a like; else ratings.
            seed: of the search for the best cut.

        Returns:
            The machine, calibrated to the posterior.
        """
        posterior, kept = self._posterior, self._kept
        scores, expected = posterior.means(kept)
        sizes = self._weights[0].size, self._weights[1].size
        if classifies:
            targets, importance = log_odds(expected), expected * (1.0 - expected)
            square = float((importance * np.square(scores)).sum())
            line = Shift(float((importance * scores * targets).sum()) / (square or 1.0), 0.0)
        else:
            targets, importance = expected, np.ones(expected.size)
            line = fit_line(scores, targets)
        by_user, by_item = fit_factors(
            posterior.users,
            posterior.items,
            line.scale * scores,
            targets - line.shift,
            importance,
            sizes,
        )
        columns = kept * self._rank
        # c_u d_i (<P_u, Q_i> + a_u + b_i), as one product of two stacks.
        left = np.column_stack(
            [
                self._stacks[0][:, :columns] * (by_user[:, None] * (line.scale / kept)),
                by_user * self._weights[0] * (line.scale / kept),
                by_user,
            ]
        ).astype(np.float32)
        right = np.column_stack(
            [
                self._stacks[1][:, :columns] * by_item[:, None],
                by_item,
                by_item * self._weights[1] * (line.scale / kept),
            ]
        ).astype(np.float32)
        plain = _moved(cut_products(left, right, rank, seed), Shift(1.0, line.shift))
        found = score_plain(plain, posterior.users, posterior.items)
        uncut = by_user[posterior.users] * by_item[posterior.items] * line.scale * scores
        change = found - (uncut + line.shift)
        last = fit_link(found, expected) if classifies else fit_line(found, expected)
        plain = _moved(plain, last)
        found = score_plain(plain, posterior.users, posterior.items)
        chances = posterior.chances(kept)
        link = fit_link(found, chances) if np.isfinite(chances).all() else Shift(1.0, 0.0)
        return Collapsed(plain, link, float(np.sqrt(np.square(change).mean())))


class _Side:
    """One side's parameters and its rows, ordered by entity."""

    def __init__(
        self,
        field: Field,
        entities: Int32s,
        others: Int32s,
        rank: int,
        generator: np.random.Generator,
    ) -> None:
        width = rank + 1
        order = np.argsort(entities, kind="stable")
        counts = np.bincount(entities, minlength=field.size)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.links = Links(offsets, others[order], order.astype(np.int32))
        own = generator.standard_normal((field.size, width)) * 0.1
        own[:, rank] = 0.0
        self.vectors = Vectors(own.copy(), own, np.zeros((field.features.size, width)))
        self._features = field.features
        self._sweeps = 0
        self._grams = np.empty((field.size, width, width))
        self._pulls = np.empty((field.size, width))

    def draw(
        self,
        targets: Float64s,
        weight: float,
        others: Float64s,
        state: RandomState,
        generator: np.random.Generator,
    ) -> None:
        prior = draw_prior(
            self.vectors.own,
            self.vectors.parts,
            self._features.groups,
            generator,
            first=self._sweeps == 0,
        )
        draw_side(
            self.links,
            targets,
            weight,
            others,
            self._features,
            self.vectors,
            prior,
            self._grams,
            self._pulls,
            state,
            self._sweeps % _SWEEPS_A_DRAW_OF_PARTS == 0,
        )
        self._sweeps += 1


class _Posterior:
    """Running means over draws at a sample of pairs."""

    def __init__(self, users: Int32s, items: Int32s) -> None:
        self.users, self.items = users, items
        self._scores = np.zeros(users.size)
        self._expected, self._chances = np.zeros(users.size), np.zeros(users.size)

    def add(self, likelihood: Likelihood, user_vectors: Float64s, item_vectors: Float64s) -> None:
        scores = np.empty(self.users.size)
        score_pairs(self.users, self.items, user_vectors, item_vectors, scores)
        self._scores += scores
        self._expected += likelihood.expected(scores)
        self._chances += likelihood.chances(scores)

    def absorb(self, other: "_Posterior") -> None:
        self._scores += other._scores
        self._expected += other._expected
        self._chances += other._chances

    def means(self, draws: int) -> tuple[Float64s, Float64s]:
        return self._scores / draws, self._expected / draws

    def chances(self, draws: int) -> Float64s:
        return self._chances / draws


def sample_probes(pairs: Pairs, generator: np.random.Generator) -> Probes:
    """Choose some pairs of every user, and of every item, the other one as often as it is rated."""
    sizes = pairs.user_field.size, pairs.item_field.size
    each = max(1, min(_PAIRS_AN_ENTITY, _MOST_PAIRS // sum(sizes)))

    def anyone(rated: Int32s, count: int) -> Int32s:
        return rated[generator.integers(0, rated.size, count)]

    users = np.repeat(np.arange(sizes[0], dtype=np.int32), each)
    items = np.repeat(np.arange(sizes[1], dtype=np.int32), each)
    return (
        np.concatenate([users, anyone(pairs.users, items.size)]),
        np.concatenate([anyone(pairs.items, users.size), items]),
    )


def score_plain(plain: PlainPairs, users: Int32s | Integers, items: Int32s | Integers) -> Float64s:
    """Score pairs with a plain machine."""
    products = np.einsum("pf,pf->p", plain.user_factors[users], plain.item_factors[items])
    return np.asarray(
        plain.bias + plain.user_weights[users] + plain.item_weights[items] + products, np.float64
    )


def _moved(plain: PlainPairs, shift: Shift) -> PlainPairs:
    """Map all scores; a negative scale, which no posterior asks for, turns the users' factors."""
    root = abs(shift.scale) ** 0.5
    return PlainPairs(
        plain.bias * shift.scale + shift.shift,
        plain.user_weights * shift.scale,
        plain.item_weights * shift.scale,
        plain.user_factors * (root if shift.scale >= 0 else -root),
        plain.item_factors * root,
    )
