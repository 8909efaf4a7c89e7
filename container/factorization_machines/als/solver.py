"""Alternating least squares: sweeps that lower the objective, and a last one that is exact."""

from dataclasses import dataclass

import numpy as np
from recommender.features import Float32s, Float64s, Floats
from recommender.model.objective import ImplicitObjective

from factorization_machines.als.features import FeatureMap
from factorization_machines.als.half_sweeps import improve, observed_loss, solve
from factorization_machines.als.observed import Observed, Partners
from factorization_machines.als.products import BLOCK, gram_of
from factorization_machines.als.start import first_items
from factorization_machines.als.threads import Threads, cuts_of_work
from factorization_machines.fields import SideFeatures

# Beside its pairs, an entity costs as much as so many.
_COST_OF_AN_ENTITY = 32


@dataclass(frozen=True)
class Settings:
    """What is minimised, and from where.

    Attributes:
        rank: factors of a vector.
        objective: the loss.
        init_sigma: length of the items' first vectors, root mean square.
        seed: of these.
    """

    rank: int
    objective: ImplicitObjective
    init_sigma: float
    seed: int


class Side:
    """One side's vectors, and what draws them.

    Attributes:
        vectors: ``(m, w)`` float32; the rank rounded up to whole blocks, the rest zero.
        map: ``(f, w)`` float64 what the features' map is now; no rows without features.
    """

    def __init__(
        self,
        partners: Partners,
        others: int,
        width: int,
        objective: ImplicitObjective,
        features: tuple[SideFeatures, float] | None,
    ) -> None:
        self._partners = partners
        self._cuts = cuts_of_work(partners.counts + _COST_OF_AN_ENTITY)
        counts = partners.counts.astype(np.float64)
        amounts = counts + objective.unobserved_weight * others
        self._penalties = objective.regularization * amounts**objective.exponent
        self._penalties32 = self._penalties.astype(np.float32)
        self._unobserved_weight = objective.unobserved_weight
        self.vectors: Float32s = np.zeros((partners.entities, width), np.float32)
        self.map: Float64s = np.zeros((0, width))
        self._priors: Float32s = np.zeros((0, width), np.float32)
        self._features: FeatureMap | None = None
        if features is not None and features[0].size:
            self._features = FeatureMap(features[0], self._penalties, counts > 0, features[1])
            self.map = np.zeros((features[0].size, width))
            self._priors = np.zeros_like(self.vectors)

    def improve(self, others: Float32s, threads: Threads) -> None:
        """Lower the objective block by block, given the other side's vectors."""
        gram = gram_of(others, threads).astype(np.float32)
        weight = np.float32(self._unobserved_weight)

        def work(first: int, last: int) -> None:
            improve(
                first,
                last,
                self.vectors,
                others,
                gram,
                self._partners,
                weight,
                self._penalties32,
                self._priors,
            )

        threads.over(self._cuts, work)
        if self._features is not None:
            self.map = self._features.fit(self.vectors)
            self._priors = self._features.priors(self.map)

    def solve(self, others: Float32s, threads: Threads) -> None:
        """Go to the objective's minimum, given the other side's vectors and the features' map."""
        gram = gram_of(others, threads)

        def work(first: int, last: int) -> None:
            solve(
                first,
                last,
                self.vectors,
                others,
                gram,
                self._partners,
                self._unobserved_weight,
                self._penalties,
                self._priors,
            )

        threads.over(self._cuts, work)

    @property
    def own(self) -> Float32s:
        """``(m, w)`` vectors less what their features say."""
        return self.vectors - self._priors if len(self._priors) else self.vectors

    def loss(self) -> float:
        """The part of the objective that holds this side's vectors down."""
        squares = np.einsum("ij,ij->i", self.own, self.own, dtype=np.float64)
        total = float((self._penalties * squares).sum())
        if self._features is not None:
            total += self._features.ridge * float(np.square(self.map).sum())
        return total

    def observed_loss(self, others: Float32s, threads: Threads) -> float:
        """The part of the objective that is a sum over the observed pairs."""

        def work(first: int, last: int) -> float:
            return observed_loss(first, last, self.vectors, others, self._partners)

        return float(sum(threads.over(self._cuts, work)))


class Solver:
    """Both sides' vectors on their way down the objective."""

    def __init__(
        self,
        observed: Observed,
        settings: Settings,
        threads: Threads,
        features: tuple[SideFeatures | None, SideFeatures | None] = (None, None),
        feature_strength: float = 1.0,
    ) -> None:
        """Begin with items where they are before the first sweep, and users at zero."""
        self._settings, self._threads = settings, threads
        width = -(-settings.rank // BLOCK) * BLOCK
        users, items = observed.by_user.entities, observed.by_item.entities
        by_user, by_item = (None if one is None else (one, feature_strength) for one in features)
        self.users = Side(observed.by_user, items, width, settings.objective, by_user)
        self.items = Side(observed.by_item, users, width, settings.objective, by_item)
        self.items.vectors[:] = first_items(
            observed, settings.rank, width, settings.init_sigma, settings.seed, threads
        )

    def sweep(self) -> None:
        """Improve the users, then the items."""
        self.users.improve(self.items.vectors, self._threads)
        self.items.improve(self.users.vectors, self._threads)

    def finish(self) -> None:
        """Solve for the users exactly: each is then what folding in their items gives."""
        self.users.solve(self.items.vectors, self._threads)

    def loss(self) -> float:
        """The objective."""
        users, items = self.users.vectors, self.items.vectors
        every = float((gram_of(users, self._threads) * gram_of(items, self._threads)).sum())
        return (
            self.users.observed_loss(items, self._threads)
            + self._settings.objective.unobserved_weight * every
            + self.users.loss()
            + self.items.loss()
        )

    @property
    def factors(self) -> tuple[Floats, Floats]:
        """``(u, k)`` and ``(i, k)``: the vectors of users and items, views."""
        rank = self._settings.rank
        return self.users.vectors[:, :rank], self.items.vectors[:, :rank]
