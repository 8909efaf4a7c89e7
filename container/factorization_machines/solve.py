"""Fit with the solver that the hyperparameters name."""

from collections.abc import Callable

import numpy as np
from recommender.features import FeatureRows, Float32s
from recommender.hyperparameters.settings import Hyperparameters
from recommender.hyperparameters.shared import ALS, GIBBS

from factorization_machines.adam.fit import fit
from factorization_machines.fitted import EpochSummary, Fitted, SweepSummary


def solve(
    rows: FeatureRows,
    labels: Float32s,
    settings: Hyperparameters,
    after_epoch: Callable[[EpochSummary | SweepSummary], None],
    say: Callable[[str], None],
) -> Fitted:
    """Fit a machine to rows and labels.

    Args:
        rows: ``n >= 1`` rows over ``settings.feature_dim`` columns, distinct within a row.
        labels: ``(n,)`` labels as the train channel holds them.
        settings: what to fit, and how.
        after_epoch: called after every epoch, or every few sweeps of the sampler.
        say: called with a sentence for people.

    Returns:
        The machine and what goes with it. The same arguments give the same bits.

    Raises:
        DivergedError: a parameter, a score or the loss is no longer finite.
        InvalidChannelError: als is given rows that are no pairs, or none to learn from.
    """
    if settings.solver == ALS:
        from factorization_machines.als.fit import fit_ranking

        return fit_ranking(rows, labels, settings, after_epoch, say)
    if settings.solver == GIBBS:
        # Imports the compiler, which takes a while.
        from factorization_machines.gibbs.fit import fit_by_sampling

        return fit_by_sampling(rows, labels, settings, after_epoch, say)
    if settings.classifies:
        labels = as_likes(labels, settings.like_threshold)
    return Fitted(fit(rows, labels, settings, after_epoch))


def as_likes(labels: Float32s, like_threshold: float | None) -> Float32s:
    """Turn ratings into 1 for a like and 0 else; without a threshold they are that already."""
    if like_threshold is None:
        return labels
    return np.asarray(labels >= like_threshold, np.float32)
