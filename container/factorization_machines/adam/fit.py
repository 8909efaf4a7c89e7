"""Fit a factorization machine to rows and labels by mini-batch Adam."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
from recommender.features import FeatureRows, Float32s, Float64s, Integers
from recommender.hyperparameters.settings import Hyperparameters, Term
from recommender.model.machine import FactorizationMachine

from factorization_machines.adam.epoch_choice import EpochChoice, split_off
from factorization_machines.errors import DivergedError
from factorization_machines.fitted import EpochSummary


def fit(
    rows: FeatureRows,
    labels: Float32s,
    settings: Hyperparameters,
    after_epoch: Callable[[EpochSummary], None],
) -> FactorizationMachine:
    """Fit by mini-batch Adam, in one thread, reproducibly.

    Args:
        rows: ``n >= 1`` rows over ``settings.feature_dim`` columns, distinct within a row.
        labels: ``(n,)`` labels: 0 or 1 for a classifier, any finite number for a regressor.
        settings: what to fit, and how.
        after_epoch: called after every epoch, in the caller's thread.

    Returns:
        The machine after the last epoch, or what averaging and held out rows make of it. The same
        arguments give the same bits.

    Raises:
        DivergedError: a parameter or the loss is no longer finite.

    Source:
        Rendle, *Factorization Machines*, ICDM 2010; Kingma and Ba, *Adam*, ICLR 2015, moments
        updated only for the features of a batch.
    """
    loops = _compiled_loops()
    generator = np.random.Generator(np.random.PCG64(settings.seed))
    rank, dimension = settings.num_factors, settings.feature_dim
    width = rank + 1

    bias = np.zeros(3, np.float32)
    bias[:1] = _initial(settings.bias, (1,), generator)
    records = np.zeros((dimension, 3 * width), np.float32)
    records[:, rank] = _initial(settings.linear, (dimension,), generator)
    records[:, :rank] = _initial(settings.factors, (dimension, rank), generator)

    rows, labels, holdout = split_off(rows, labels, settings.holdout_fraction, settings.seed)
    count = len(rows)
    choice = EpochChoice(settings, holdout)
    # Room for the longest rows that one mini-batch can hold, and for their different columns.
    entries = _most_entries(rows, settings.mini_batch_size)
    slots = min(rows.dimension, entries)
    rates = np.append(
        np.full(rank, settings.factors.learning_rate), settings.linear.learning_rate
    ).astype(np.float32)
    bias_rate = np.array([settings.bias.learning_rate], np.float32)
    decays = np.append(
        np.full(rank, settings.factors.weight_decay), settings.linear.weight_decay
    ).astype(np.float32)
    clip = np.inf if settings.clip_gradient is None else settings.clip_gradient
    data = loops.Batch(rows.offsets, rows.columns.astype(np.int32), rows.values, labels)
    batch = loops.Batch(
        np.empty(settings.mini_batch_size + 1, np.int64),
        np.empty(entries, np.int32),
        np.empty(entries, np.float32),
        np.empty(settings.mini_batch_size, np.float32),
    )
    steps_of = np.zeros(dimension + 1, np.int32)
    slot_of = np.full(dimension, -1, np.int32)
    touched = np.empty(slots, np.int32)
    gradients = np.zeros((slots, width), np.float32)
    sizes = loops.step_sizes()

    for epoch in range(settings.epochs):
        totals = np.zeros(loops.TOTALS, np.float64)
        order: Integers = generator.permutation(count)
        decay = np.float32(settings.learning_rate_decay**epoch)
        loops.train_epoch(
            order,
            data,
            batch,
            settings.classifies,
            records,
            bias,
            steps_of,
            sizes,
            rates * decay,
            bias_rate * decay,
            decays,
            np.array([settings.bias.weight_decay], np.float32),
            np.array([settings.rescale_grad, clip, settings.eps], np.float32),
            slot_of,
            touched,
            gradients,
            totals,
        )
        summary = _summarise(loops, totals, epoch, settings, count)
        if not np.isfinite(summary.loss):
            raise DivergedError(epoch, f"the mean loss is {summary.loss}")
        held_out = choice.add(float(bias[0]), records[:, :width])
        after_epoch(replace(summary, held_out_loss=held_out))
        if choice.is_over:
            break
    return choice.machine()


def _initial(term: Term, shape: tuple[int, ...], generator: np.random.Generator) -> Float32s:
    """Draw the first values of a term; every method takes as many draws as it needs, no more."""
    if term.init_method == "normal":
        drawn = generator.standard_normal(shape, dtype=np.float32)
        return drawn * np.float32(term.init_sigma)
    if term.init_method == "uniform":
        drawn = generator.random(shape, dtype=np.float32)
        return (drawn * 2 - 1) * np.float32(term.init_scale or 0.0)
    return np.full(shape, term.init_value or 0.0, np.float32)


def _most_entries(rows: FeatureRows, batch: int) -> int:
    """Bound how many entries the rows of one batch can hold, whatever the order of the rows."""
    longest = int(np.diff(rows.offsets).max(initial=0))
    return max(1, min(rows.columns.size, batch * longest))


def _summarise(
    loops: ModuleType, totals: Float64s, epoch: int, settings: Hyperparameters, count: int
) -> EpochSummary:
    positives = 2 * totals[loops.TRUE_POSITIVES]
    beside = positives + totals[loops.FALSE_POSITIVES] + totals[loops.FALSE_NEGATIVES]
    return EpochSummary(
        epoch=epoch,
        epochs=settings.epochs,
        rows=count,
        loss=float(totals[loops.LOSS] / count),
        accuracy=float(totals[loops.CORRECT] / count),
        f1=float(positives / beside) if beside else 0.0,
        absolute_error=float(totals[loops.ABSOLUTE_ERROR] / count),
    )


def _compiled_loops() -> ModuleType:
    """Import the compiled loops, which takes a while, on first use."""
    from factorization_machines.adam import loops

    return loops
