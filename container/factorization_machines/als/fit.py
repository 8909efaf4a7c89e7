"""Fit a ranking model: choose its settings, minimise its loss, and make a plain machine of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from recommender.features import FeatureRows, Float32s, Float64s
from recommender.hyperparameters.als import MOST_SWEEPS
from recommender.hyperparameters.settings import Hyperparameters, Ranking
from recommender.model.machine import FactorizationMachine
from recommender.model.objective import ImplicitObjective

from factorization_machines.als.held_out import (
    HeldOut,
    hold_out,
    likes_of,
    most_judged,
    sample_users,
)
from factorization_machines.als.observed import Observed, Partners, grouped, observe
from factorization_machines.als.search import (
    MIDDLE_RANK,
    Fixed,
    Search,
    default_settings,
    describe,
)
from factorization_machines.als.solver import Settings, Side, Solver
from factorization_machines.als.threads import Threads
from factorization_machines.errors import DivergedError, InvalidChannelError
from factorization_machines.fields import Field, Pairs, SideFeatures, find_pairs
from factorization_machines.fitted import Fitted, SweepSummary

# Catalogs of as many pairs are searched whole, whatever share of the job that is.
_SEARCHED_WHOLE = 300_000
# The map of more features than these is a system that takes longer than all sweeps.
_MOST_FEATURES = 2000


@dataclass(frozen=True)
class _Data:
    """The train channel.

    Attributes:
        pairs: its rows.
        observed: those of a weight above 0.
        passed: those of weight 0, by user: no list may hold them, and they teach nothing.
    """

    pairs: Pairs
    observed: Observed
    passed: Partners

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of users and of items."""
        return self.pairs.user_field.size, self.pairs.item_field.size


def fit_ranking(
    rows: FeatureRows,
    labels: Float32s,
    settings: Hyperparameters,
    after_sweep: Callable[[SweepSummary], None],
    say: Callable[[str], None],
) -> Fitted:
    """Fit by alternating least squares, on all processors, to the same bytes on any number.

    Args:
        rows: ``n >= 1`` rows that hold one user and one item each, over ``settings.feature_dim``
            columns; further columns that depend on one of the two are its side features.
        labels: ``(n,)`` weight of each pair, at least 0.
        settings: what to fit, and how.
        after_sweep: called after every sweep of the final fit.
        say: called with a sentence on what is searched and chosen.

    Returns:
        A machine whose bias and weights are zero, with its objective: a score is the product of
        two vectors. A user's vector is what folding in his items gives.

    Raises:
        InvalidChannelError: the rows are no pairs, or no weight is above 0.
        DivergedError: the objective is no longer finite.
    """
    given = settings.ranking
    data = _read(rows, labels, settings)
    sizes = data.sizes
    say(f"als: {data.observed.by_user.others.size} pairs of {sizes[0]} users and {sizes[1]} items")
    with Threads() as threads:
        held_out = _hold_out(data, settings, say)
        chosen = _choose(data, held_out, settings, threads, say)
        sweeps = given.sweeps or MOST_SWEEPS
        curve: list[Float64s] = []
        if held_out is not None:
            curve = _curve(held_out, chosen, sweeps, threads)
            sweeps = given.sweeps or _enough(curve)
            error = float(curve[sweeps - 1].std()) / math.sqrt(held_out.judged.size)
            told = f"{curve[sweeps - 1].mean():.4f} +- {error:.4f} after {sweeps} sweeps"
            say(f"als: chosen: {describe(chosen)}: held out NDCG@10 {told}")
        features = (
            _features(data.pairs.user_field, given, say),
            _features(data.pairs.item_field, given, say),
        )
        solver = Solver(data.observed, chosen, threads, features, given.feature_strength)
        for sweep in range(sweeps):
            solver.sweep()
            loss = solver.loss()
            if not math.isfinite(loss):
                raise DivergedError(sweep, f"the objective is {loss}")
            ndcg = float(curve[sweep].mean()) if curve else None
            after_sweep(SweepSummary(sweep, sweeps, loss, ndcg))
        solver.finish()
    machine = _machine(data.pairs, solver, chosen, settings)
    if not machine.is_finite:
        raise DivergedError(sweeps - 1, "a parameter is not finite")
    objective = chosen.objective
    found = {
        "sweeps": str(sweeps),
        "num_factors": str(chosen.rank),
        "unobserved_weight": repr(objective.unobserved_weight),
        "regularization": repr(objective.regularization),
    }

    def judge_lists(rows: FeatureRows, labels: Float32s) -> Mapping[str, float]:
        return _judge(rows, labels, data, solver, settings, say)

    return Fitted(machine, chosen=found, judge_lists=judge_lists)


def _read(rows: FeatureRows, labels: Float32s, settings: Hyperparameters) -> _Data:
    pairs = find_pairs(rows, settings.field_sizes)
    if pairs is None:
        raise InvalidChannelError(
            "train", "", "als takes rows of one user and one item, and of what depends on either"
        )
    sizes = pairs.user_field.size, pairs.item_field.size
    observed = observe(pairs.users, pairs.items, labels, sizes)
    if not observed.by_user.others.size:
        raise InvalidChannelError("train", "", "no label is above 0: there is nothing to rank by")
    none = labels == 0
    passed = grouped(pairs.users[none], pairs.items[none], labels[none], sizes[0])
    return _Data(pairs, observed, passed)


def _features(field: Field, given: Ranking, say: Callable[[str], None]) -> SideFeatures | None:
    if not given.feature_strength or not field.features.size:
        return None
    if field.features.size > _MOST_FEATURES:
        say(f"als: {field.features.size} side features are too many to be looked at")
        return None
    return field.features


def _fixed(given: Ranking) -> Fixed:
    return Fixed(given.unobserved_weight, given.regularization, given.num_factors)


def _start(settings: Hyperparameters) -> Settings:
    """Everything that is not searched; the rest is replaced."""
    given = settings.ranking
    objective = ImplicitObjective(1.0, 1.0, given.regularization_exponent)
    return Settings(MIDDLE_RANK, objective, given.init_sigma, settings.seed)


def _hold_out(data: _Data, settings: Hyperparameters, say: Callable[[str], None]) -> HeldOut | None:
    """Hold likes out for the search and the learning curve, of some users where there are many."""
    given = settings.ranking
    if not given.search or not given.validation_fraction:
        return None
    observed = data.observed
    pairs = observed.by_user.others.size
    rank = given.num_factors or MIDDLE_RANK
    sweeps = given.sweeps or MOST_SWEEPS
    final = sweeps * rank * given.search_share / (1 - given.search_share)
    share = final / _fixed(given).arithmetic(sweeps)
    generator = np.random.Generator(np.random.PCG64([settings.seed, 0]))
    users = sample_users(observed, max(_SEARCHED_WHOLE, int(share * pairs)), generator)
    held_out = hold_out(
        observed,
        data.passed,
        given.hit_threshold,
        given.validation_fraction,
        users,
        most_judged(data.sizes[1]),
        generator,
    )
    if not held_out.judged.size:
        say("als: no user has two likes, so nothing is held out and nothing searched")
        return None
    say(
        f"als: {held_out.out.others.size} pairs of {held_out.judged.size} users are held out; "
        f"{held_out.left.by_user.others.size} pairs of {users.size} users are searched on"
    )
    return held_out


def _choose(
    data: _Data,
    held_out: HeldOut | None,
    settings: Hyperparameters,
    threads: Threads,
    say: Callable[[str], None],
) -> Settings:
    fixed, start = _fixed(settings.ranking), _start(settings)
    if held_out is None or fixed.leaves_nothing:
        mean_weight = float(data.observed.by_user.weights.mean(dtype=np.float64))
        return default_settings(fixed, mean_weight, start)
    return Search(held_out, fixed, start, threads, say).choose()


def _curve(held_out: HeldOut, chosen: Settings, sweeps: int, threads: Threads) -> list[Float64s]:
    """NDCG of each judged user after each sweep without the held out pairs."""
    solver = Solver(held_out.left, chosen, threads)
    curve = []
    for _ in range(sweeps):
        solver.sweep()
        curve.append(held_out.ndcg(solver.users.vectors, solver.items.vectors, threads))
    return curve


def _enough(curve: list[Float64s]) -> int:
    """All sweeps, or as many as are better than all by more than the difference's error."""
    best = max(range(len(curve)), key=lambda sweep: float(curve[sweep].mean()))
    gain = curve[best] - curve[-1]
    clearly = float(gain.mean()) > float(gain.std()) / math.sqrt(gain.size)
    return best + 1 if clearly else len(curve)


def _machine(
    pairs: Pairs, solver: Solver, chosen: Settings, settings: Hyperparameters
) -> FactorizationMachine:
    """Put the vectors into columns: own parts where entities are, maps where features are."""
    factors = np.zeros((settings.feature_dim, chosen.rank), np.float32)

    def put(field: Field, side: Side) -> None:
        factors[field.first : field.first + field.size] = side.own[:, : chosen.rank]
        if len(side.map):
            factors[field.columns] = side.map[:, : chosen.rank]

    put(pairs.user_field, solver.users)
    put(pairs.item_field, solver.items)
    return FactorizationMachine(
        bias=0.0,
        linear=np.zeros(settings.feature_dim, np.float32),
        factors=factors,
        predictor_type=settings.predictor_type,
        objective=chosen.objective,
    )


def _judge(
    rows: FeatureRows,
    labels: Float32s,
    data: _Data,
    solver: Solver,
    settings: Hyperparameters,
    say: Callable[[str], None],
) -> dict[str, float]:
    """NDCG and hit rate at 10 of lists that are to find the likes of the test channel."""
    sizes = data.sizes
    rest = settings.feature_dim - sum(sizes)
    pairs = find_pairs(rows, settings.field_sizes or (*sizes, *([rest] if rest else [])))
    if pairs is None:
        raise InvalidChannelError(
            "test", "", "als takes rows of one user and one item, and of what depends on either"
        )
    every = grouped(pairs.users, pairs.items, labels, sizes[0])
    liked = likes_of(every, settings.ranking.hit_threshold) & (every.weights > 0)
    out = grouped(every.owners[liked], every.others[liked], every.weights[liked], sizes[0])
    users = np.flatnonzero(out.counts)
    if not users.size:
        say("als: nobody likes anything in the test channel")
        return {}
    generator = np.random.Generator(np.random.PCG64([settings.seed, 1]))
    judged = np.sort(generator.permutation(users)[: most_judged(sizes[1])])
    say(f"als: lists of {judged.size} of {users.size} users with likes in the test channel")
    held_out = HeldOut(data.observed, out, data.passed, judged)
    with Threads() as threads:
        found = held_out.ndcg(solver.users.vectors, solver.items.vectors, threads)
    return {"ndcg": float(found.mean()), "hit_rate": float(np.mean(found > 0))}
