"""Fit by Gibbs sampling: the posterior's mean answer, as one plain factorization machine."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from recommender.features import FeatureRows, Float32s, Float64s
from recommender.hyperparameters.settings import Hyperparameters
from recommender.model.machine import FactorizationMachine, LikeLink

from factorization_machines.errors import DivergedError
from factorization_machines.fields import Pairs, find_pairs
from factorization_machines.fitted import (
    EpochSummary,
    Fitted,
    summarise_chances,
    summarise_ratings,
)
from factorization_machines.gibbs.calibration import Shift
from factorization_machines.gibbs.likelihoods import (
    MOST_LEVELS,
    Gaussian,
    Likelihood,
    OrderedProbit,
)
from factorization_machines.gibbs.pairs.implicit_features import add_implicit_features
from factorization_machines.gibbs.pairs.sampler import PairSampler, sample_probes
from factorization_machines.gibbs.randomness import RandomState, random_state
from factorization_machines.gibbs.rows.sampler import RowSampler

# Sweeps from one line of the log to the next.
_SWEEPS_A_LINE = 10

# Rows of any shape: draws that share the rank of the machine that is served.
_KEPT_OF_ROWS = 8


def fit_by_sampling(
    rows: FeatureRows,
    labels: Float32s,
    settings: Hyperparameters,
    after_sweeps: Callable[[EpochSummary], None],
    say: Callable[[str], None],
) -> Fitted:
    """Fit by Gibbs sampling, reproducibly on any number of threads.

    Args:
        rows: ``n >= 1`` rows over ``settings.feature_dim`` columns, distinct within a row.
        labels: ``(n,)``: 0 or 1, or any finite numbers for a regressor or with a like threshold.
        settings: what to fit, and how.
        after_sweeps: called after the first sweep, every tenth and the last.
        say: called with a sentence on how the rows were understood.

    Returns:
        The machine, of rank ``settings.num_factors``: for a classifier its log-odds are nearest
        to the posterior's own, for a regressor its ratings are. Features beyond user and item
        are folded into these two, and their own columns weigh nothing.

    Raises:
        DivergedError: a score is no longer finite.
    """
    pairs = find_pairs(rows, settings.field_sizes)
    if pairs is None:
        sampled = _sample_rows(rows, labels, settings, after_sweeps, say)
    else:
        sampled = _sample_pairs(pairs, rows.dimension, labels, settings, after_sweeps, say)
    with np.errstate(over="ignore"):  # what is too large is told below
        machine = FactorizationMachine(
            bias=float(np.float32(sampled.bias)),
            linear=sampled.weights.astype(np.float32),
            factors=sampled.factors.astype(np.float32),
            predictor_type=settings.predictor_type,
        )
    if not machine.is_finite:
        raise DivergedError(sampled.sweeps - 1, "a parameter is not finite")
    if settings.like_threshold is None or settings.classifies:
        return Fitted(machine)
    return Fitted(machine, LikeLink(sampled.like_link.scale, sampled.like_link.shift))


@dataclass(frozen=True, eq=False)
class _Sampled:
    """What the draws were made into: the parameters of one machine over all columns, float64."""

    bias: float
    weights: Float64s
    factors: Float64s
    like_link: Shift
    sweeps: int


def _sample_rows(
    rows: FeatureRows,
    labels: Float32s,
    settings: Hyperparameters,
    after_sweeps: Callable[[EpochSummary], None],
    say: Callable[[str], None],
) -> _Sampled:
    """Sample a machine over rows of any shape, in one chain."""
    rank = _rank(settings)
    sweeps = settings.burn_in + settings.draws
    kept = max(1, min(_KEPT_OF_ROWS, settings.num_factors // rank, settings.draws))
    every = settings.draws // kept
    say(
        "gibbs: rows of any shape, no pairs of one user and one item; "
        f"{kept} draws of {rank} factors are kept"
    )
    generator, state = _random(settings.seed, 0)
    likelihood = _likelihood(labels, settings, state, generator)
    sampler = RowSampler(rows, settings.field_sizes, likelihood, rank, state, generator)
    for sweep in range(sweeps):
        sampler.sweep()
        if sweep >= settings.burn_in and is_kept(sweep - settings.burn_in, every, kept):
            sampler.keep()
        _report(sweep, sweeps, likelihood, sampler.scores, labels, settings, after_sweeps)
    parameters, link = sampler.collapse(settings.num_factors, classifies=settings.classifies)
    return _Sampled(*parameters, link, sweeps)


def _sample_pairs(
    pairs: Pairs,
    dimension: int,
    labels: Float32s,
    settings: Hyperparameters,
    after_sweeps: Callable[[EpochSummary], None],
    say: Callable[[str], None],
) -> _Sampled:
    """Sample a machine over pairs; all columns but those of users and items weigh nothing."""
    if settings.implicit_features:
        pairs = add_implicit_features(pairs)
    say(_describe(pairs))
    sampler, sweeps = _run_chains(pairs, labels, settings, after_sweeps)
    collapsed = sampler.collapse(
        settings.num_factors, classifies=settings.classifies, seed=settings.seed
    )
    plain = collapsed.plain
    say(
        f"gibbs: the cut to {settings.num_factors} factors changes scores by "
        f"{collapsed.change:.2g} (root mean square)"
    )
    weights, factors = np.zeros(dimension), np.zeros((dimension, settings.num_factors))
    for field, own_weights, own_factors in (
        (pairs.user_field, plain.user_weights, plain.user_factors),
        (pairs.item_field, plain.item_weights, plain.item_factors),
    ):
        columns = slice(field.first, field.first + field.size)
        weights[columns], factors[columns] = own_weights, own_factors
    return _Sampled(plain.bias, weights, factors, collapsed.like_link, sweeps)


def _rank(settings: Hyperparameters) -> int:
    """Factors of one draw."""
    return min(settings.draw_factors, settings.num_factors)


def _run_chains(
    pairs: Pairs,
    labels: Float32s,
    settings: Hyperparameters,
    after_sweeps: Callable[[EpochSummary], None],
) -> tuple[PairSampler, int]:
    """Run independent chains side by side, a thread each, and put their draws together.

    A chain's numbers depend on the seed and its own number alone, so that the result does not
    depend on how many threads really run at once.

    Returns:
        The chains as one, and how many sweeps each made.
    """
    draws = -(-settings.draws // settings.chains)
    probes = sample_probes(pairs, _random(settings.seed, settings.chains)[0])
    chains: list[tuple[PairSampler, Likelihood]] = []
    for number in range(settings.chains):
        generator, state = _random(settings.seed, number)
        likelihood = _likelihood(labels, settings, state, generator)
        sampler = PairSampler(pairs, likelihood, _rank(settings), draws, state, generator, probes)
        chains.append((sampler, likelihood))
    first, likelihood = chains[0]
    sweeps = settings.burn_in + draws
    with ThreadPoolExecutor(settings.chains) as threads:
        for sweep in range(sweeps):
            for _ in threads.map(partial(_step, keep=sweep >= settings.burn_in), chains):
                pass
            _report(sweep, sweeps, likelihood, first.scores, labels, settings, after_sweeps)
    for other, _ in chains[1:]:
        first.absorb(other)
    return first, sweeps


def _step(chain: tuple[PairSampler, Likelihood], *, keep: bool) -> None:
    sampler, _ = chain
    sampler.sweep()
    if keep:
        sampler.keep()


def _random(seed: int, stream: int) -> tuple[np.random.Generator, RandomState]:
    return np.random.Generator(np.random.PCG64([seed, stream])), random_state(seed, stream + 1)


def is_kept(draw: int, every: int, kept: int) -> bool:
    """Tell whether the draw is one of ``kept`` evenly spaced ones."""
    return (draw + 1) % every == 0 and (draw + 1) // every <= kept


def _likelihood(
    labels: Float32s,
    settings: Hyperparameters,
    state: RandomState,
    generator: np.random.Generator,
) -> Likelihood:
    """Choose the likelihood that suits predictor, labels and threshold."""
    threshold = settings.like_threshold
    levels = np.unique(labels)
    few = 2 < levels.size <= MOST_LEVELS
    both = threshold is not None and levels[0] < threshold <= levels[-1]
    if settings.classifies:
        if threshold is not None and not (few and both):
            labels = (labels >= threshold).astype(np.float32)
        if threshold is None or not (few and both):
            threshold = 1.0
        return OrderedProbit(labels, threshold, state, generator)
    if threshold is not None and few and both:
        return OrderedProbit(labels, threshold, state, generator, predicts_rating=True)
    return Gaussian(labels, threshold, generator)


def _report(
    sweep: int,
    sweeps: int,
    likelihood: Likelihood,
    scores: Float64s,
    labels: Float32s,
    settings: Hyperparameters,
    after_sweeps: Callable[[EpochSummary], None],
) -> None:
    if not np.isfinite(scores).all():
        raise DivergedError(sweep, "a score is not finite")
    if sweep and (sweep + 1) % _SWEEPS_A_LINE and sweep + 1 < sweeps:
        return
    if settings.classifies:
        likes = labels >= (1.0 if settings.like_threshold is None else settings.like_threshold)
        after_sweeps(summarise_chances(sweep, sweeps, likes, likelihood.chances(scores)))
    else:
        after_sweeps(summarise_ratings(sweep, sweeps, labels, likelihood.expected(scores)))


def _describe(pairs: Pairs) -> str:
    users, items = pairs.user_field, pairs.item_field
    return (
        f"gibbs: pairs of {users.size} users and {items.size} items, with {users.features.size} "
        f"features of users and {items.features.size} of items"
    )
