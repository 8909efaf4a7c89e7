"""A user's vector from items alone: one half-step of the training, with the items held fixed.

A ranking model minimises the loss of :class:`ImplicitObjective`. For the vector ``w`` of one user
that is a linear system. With the item factors ``H``, the weights ``c`` of the items that the user
is known to have chosen, ``a`` the weight of every pair and ``p`` the penalty of the user::

    (a H'H + sum c h h' + p I) w = sum c h  [+ p prior]

``A`` is the matrix on the left. It takes the items' Gram matrix ``H'H``, which is the same for
everybody, and one solution of ``k`` equations.

Source:
    Hu, Koren, Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, ICDM 2008, eq. 4,
    and section 5 for the explanation of a score.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.features import Float64s, Floats, Integers
from recommender.model.objective import ImplicitObjective
from recommender.model.pair_model import PairModel, check_numbers
from recommender.model.seen_items import WeightedItems

_NUMBERS_AT_ONCE = 1 << 21  # 16 MB in float64
_SMALLEST_PENALTY = 1e-13
"""Share of the trace of ``A``: below it, rounding alone decides what the solution is."""


@dataclass(frozen=True, eq=False)
class FoldedUsers:
    """Users who were folded in.

    Attributes:
        vectors: ``(m, k)`` float64.
        counts: ``(m,)`` how many known items each vector was made of. Where that is 0, the vector
            is zero too, or follows from the prior alone.
    """

    vectors: Float64s
    counts: Integers


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where scores come from: one term for each item that the user is known to have chosen.

    Attributes:
        items: ``(r, m)`` the user's items, for each explained item the largest share first; of
            equal shares the lower item number.
        shares: ``(r, m)`` float64, what each adds to the score; may be negative.
        prior: ``(r,)`` float64, what the prior adds.
        scores: ``(r,)`` float64, the scores: the sums of shares and prior, up to rounding.
    """

    items: Integers
    shares: Float64s
    prior: Float64s
    scores: Float64s


@dataclass(frozen=True, eq=False)
class FoldIn:
    """A ranking model's items, ready to fold users in.

    Attributes:
        model: the weights; its users are not looked at.
        gram: ``(k, k)`` float64, ``H'H`` of the factors of the items that it was trained with.
        trained: how many items these are, the first ones; the others got their vectors later.
    """

    model: PairModel
    gram: Float64s
    trained: int

    def __post_init__(self) -> None:
        _objective_of(self.model)
        if self.model.bias or self.model.item_weights.any():
            raise ShapeMismatchError("linear terms of a ranking model", "all 0", "others")
        rank = self.model.item_factors.shape[1]
        if self.gram.shape != (rank, rank):
            raise ShapeMismatchError("Gram matrix", (rank, rank), self.gram.shape)

    @classmethod
    def of(cls, model: PairModel, trained: int | None = None) -> "FoldIn":
        """Make the Gram matrix of a model.

        Args:
            model: the weights.
            trained: how many of its items it was trained with; None for all of them.

        Raises:
            ShapeMismatchError: it is no ranking model: it has no objective, or linear terms.
        """
        rank = model.item_factors.shape[1]
        gram = np.zeros((rank, rank))
        trained = model.items if trained is None else trained
        for some in _blocks(trained, rank):
            factors = model.item_factors[:trained][some].astype(np.float64)
            gram += factors.T @ factors
        return cls(model, gram, trained)

    def user(
        self, items: Integers, weights: Floats, prior: Floats | None = None
    ) -> tuple[Float64s, int]:
        """Fold one user in.

        Args:
            items: ``(n,)`` numbers of items, in any order; -1, an unknown one, is left out.
            weights: ``(n,)`` their weights, at least 0; those of a repeated item add up.
            prior: ``(k,)`` where the vector is drawn to instead of to zero.

        Returns:
            ``(k,)`` float64, and the number of different known items that it was made of.

        Raises:
            ShapeMismatchError: lengths differ, a number is outside, or a weight is negative.
        """
        given = WeightedItems.from_pairs(np.zeros(items.size, np.int64), items, weights, 1)
        folded = self.users(given, None if prior is None else prior[None])
        return folded.vectors[0], int(folded.counts[0])

    def users(self, given: WeightedItems, priors: Floats | None = None) -> FoldedUsers:
        """Fold many users in, in blocks of bounded memory.

        A block takes some 50 MB, or as much as one user's items need: ``8 k`` bytes each, twice.

        Args:
            given: what is known of each of ``m`` users.
            priors: ``(m, k)`` where each vector is drawn to instead of to zero.

        Raises:
            ShapeMismatchError: an item's number is outside, or the priors are not ``(m, k)``.
        """
        rank, counts = self.gram.shape[0], given.counts
        check_numbers("item number", given.items, self.model.items)
        if priors is not None and priors.shape != (len(given), rank):
            raise ShapeMismatchError("priors", (len(given), rank), priors.shape)
        vectors = np.zeros((len(given), rank))
        # Users with as many items stand together, so that little is filled up with zeros.
        order = np.argsort(counts, kind="stable")
        for rows in _blocks_of_users(order, counts, rank):
            factors, weights = self._padded(given, rows)
            weighted = factors * weights[:, :, None]
            matrices = self._matrices(weighted, factors, counts[rows])
            right = weighted.sum(axis=1)
            if priors is not None:
                right += self._penalties(counts[rows])[:, None] * priors[rows]
            vectors[rows] = np.linalg.solve(matrices, right[:, :, None])[:, :, 0]
        return FoldedUsers(vectors, counts)

    def explain(
        self,
        items: Integers,
        weights: Floats,
        explained: Integers,
        prior: Floats | None = None,
    ) -> Explanation:
        """Say exactly which of a user's items a score comes from.

        The score of item ``j`` is ``sum_i c_i h_j' A^-1 h_i + p h_j' A^-1 prior``.

        Args:
            items: ``(n,)`` numbers of the user's items, as `user` takes them.
            weights: ``(n,)`` their weights.
            explained: ``(r,)`` numbers of the items whose scores are explained.
            prior: ``(k,)``, as `user` takes it.

        Raises:
            ShapeMismatchError: lengths differ, a number is outside, or a weight is negative.
        """
        given = WeightedItems.from_pairs(np.zeros(items.size, np.int64), items, weights, 1)
        check_numbers("item number", given.items, self.model.items)
        if explained.size and int(explained.min()) < 0:
            raise ShapeMismatchError("explained items", "known ones", int(explained.min()))
        check_numbers("item number", explained, self.model.items)
        rank = self.gram.shape[0]
        drawn_to = np.zeros(rank) if prior is None else np.asarray(prior, np.float64)
        if drawn_to.shape != (rank,):
            raise ShapeMismatchError("prior", (rank,), drawn_to.shape)
        factors = self.model.item_factors[given.items].astype(np.float64)
        weighted = factors * given.weights[:, None]
        matrix = self._matrices(weighted[None], factors[None], given.counts)[0]
        asked = self.model.item_factors[explained].astype(np.float64)
        pull = float(self._penalties(given.counts)[0]) * drawn_to
        right = np.column_stack((asked.T, weighted.sum(axis=0) + pull))
        solved = np.linalg.solve(matrix, right)
        towards, vector = solved[:, :-1].T, solved[:, -1]
        shares = towards @ weighted.T
        order = np.argsort(-shares, axis=1, kind="stable")
        return Explanation(
            items=given.items[order],
            shares=np.take_along_axis(shares, order, axis=1),
            prior=towards @ pull,
            scores=asked @ vector,
        )

    def model_of(self, folded: FoldedUsers) -> PairModel:
        """The same items with the folded users in place of those of the training.

        Its scores are of float32 factors, as those of a trained model.
        """
        return replace(
            self.model,
            user_weights=np.zeros(len(folded.vectors), np.float32),
            user_factors=folded.vectors.astype(np.float32),
        )

    def _penalties(self, counts: Integers) -> Float64s:
        distinct, place = np.unique(counts, return_inverse=True)
        objective = _objective_of(self.model)
        values = [objective.penalty(count, self.trained) for count in distinct.tolist()]
        return np.array(values)[place]

    def _matrices(self, weighted: Float64s, factors: Float64s, counts: Integers) -> Float64s:
        """``(m, k, k)`` matrices ``A``: of ``(m, l, k)`` factors, times weights and plain."""
        matrices: Float64s = np.matmul(weighted.transpose(0, 2, 1), factors)
        matrices += _objective_of(self.model).unobserved_weight * self.gram
        diagonal = np.einsum("mkk->mk", matrices)  # a view
        trace = diagonal.sum(axis=1)
        least = np.where(trace > 0, _SMALLEST_PENALTY * trace, 1.0)
        diagonal += np.maximum(self._penalties(counts), least)[:, None]
        return matrices

    def _padded(self, given: WeightedItems, rows: Integers) -> tuple[Float64s, Float64s]:
        """Factors ``(m, l, k)`` and weights ``(m, l)`` of users' items, zeros behind the last."""
        counts = given.counts[rows]
        places = np.arange(int(counts.max(initial=0)))
        there = places < counts[:, None]
        at = np.where(there, given.offsets[:-1][rows][:, None] + places, 0)
        if not given.items.size:
            return np.zeros((rows.size, 0, self.gram.shape[0])), np.zeros((rows.size, 0))
        # The weight alone keeps what fills a row up out of every sum.
        weights = np.where(there, given.weights[at], 0.0)
        return self.model.item_factors[given.items[at]].astype(np.float64), weights


def _objective_of(model: PairModel) -> ImplicitObjective:
    if model.objective is None:
        raise ShapeMismatchError("model to fold users in", "a ranking model", "no objective")
    return model.objective


def _blocks(rows: int, width: int) -> Iterator[slice]:
    step = max(1, _NUMBERS_AT_ONCE // max(1, width))
    for first in range(0, rows, step):
        yield slice(first, first + step)


def _blocks_of_users(order: Integers, counts: Integers, rank: int) -> Iterator[Integers]:
    """Cut users in ascending order of their counts, so that no block takes too many numbers."""
    first = 0
    while first < order.size:
        widest = np.maximum(counts[order[first:]], rank).astype(np.int64) * rank
        sizes = widest * np.arange(1, widest.size + 1)
        size = max(1, int(np.searchsorted(sizes, _NUMBERS_AT_ONCE, "right")))
        yield order[first : first + size]
        first += size
