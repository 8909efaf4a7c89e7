"""The compiled inner loops of mini-batch Adam on a factorization machine.

Layout. All that belongs to one feature lies side by side in one record of float32, because the
speed of training is the speed of memory::

    [ V_1 … V_k, w | first moments of the same | second moments of the same ]

A mini-batch touches few features. Their gradients are gathered in batch-compact *slots*, so that
a feature that occurs a hundred times in a batch is fetched and stepped once. Its rows, which lie
all over the data, are first copied side by side, and records are asked for a few rows ahead.
"""

import math
from typing import NamedTuple

import numpy as np
from recommender.features import Float32s, Float64s, Floats, Integers

from factorization_machines.compiled.arrays import Int32s
from factorization_machines.compiled.compiling import compiled
from factorization_machines.compiled.prefetching import prefetch_row

FIRST_MOMENT_DECAY = 0.9
SECOND_MOMENT_DECAY = 0.999

# How many rows, or slots, ahead records are asked for.
_AHEAD = 3

# What one pass over rows adds up, by position.
LOSS, CORRECT, TRUE_POSITIVES, FALSE_POSITIVES, FALSE_NEGATIVES, ABSOLUTE_ERROR = range(6)
TOTALS = 6


def step_sizes() -> Float32s:
    """Bias-corrected factor of the learning rate at each step of a parameter.

    Returns:
        ``(n,)`` float32; entry ``t`` is for a parameter's ``t``-th own step, entry 0 is unused,
        and the last one holds for ever: float32 cannot tell it from 1.

    Source:
        Kingma and Ba, *Adam*, ICLR 2015, the efficient form at the end of section 2.
    """
    steps = np.arange(1, 20_001, dtype=np.float64)
    sizes = np.sqrt(1 - SECOND_MOMENT_DECAY**steps) / (1 - FIRST_MOMENT_DECAY**steps)
    return np.concatenate([[0.0], sizes, [1.0]]).astype(np.float32)


class Batch(NamedTuple):
    """Rows side by side.

    Attributes:
        offsets: ``(n + 1,)`` int64 row offsets.
        columns: ``(nnz,)`` int32 columns, distinct within a row.
        values: ``(nnz,)`` values.
        labels: ``(n,)`` labels.
    """

    offsets: Integers
    columns: Int32s
    values: Floats
    labels: Floats


@compiled
def copy_rows(order: Integers, first: int, last: int, data: Batch, batch: Batch) -> None:
    """Copy the rows ``order[first:last]`` of the data to the beginning of a batch.

    In a loop as short as this one the processor waits for many rows at a time.
    """
    end = 0
    batch.offsets[0] = 0
    for position in range(first, last):
        row = order[position]
        batch.labels[position - first] = data.labels[row]
        for entry in range(data.offsets[row], data.offsets[row + 1]):
            batch.columns[end] = data.columns[entry]
            batch.values[end] = data.values[entry]
            end += 1
        batch.offsets[position - first + 1] = end


@compiled
def add_gradients(  # noqa: C901 - compiled loops
    batch: Batch,
    count: int,
    classifier: bool,  # noqa: FBT001 - compiled code has no keywords
    records: Floats,
    bias: Floats,
    decays: Floats,
    bias_decay: Floats,
    slot_of: Int32s,
    touched: Int32s,
    gradients: Floats,
    work: Floats,
    totals: Float64s,
) -> tuple[int, np.floating]:
    """Add up the gradient of the first ``count`` rows, penalties included.

    The loss of a row is the logistic loss of a label in {0, 1}, or half the squared error, plus
    ``decay / 2 * weight**2`` for each weight of each feature that the row holds.

    Args:
        batch: the rows.
        count: how many of them.
        classifier: logistic loss instead of the squared error.
        records: ``(d, >= k + 1)``; ``[V, w]`` first.
        bias: ``(>= 1,)``; the bias first.
        decays: ``(k + 1,)`` penalty of each parameter in a record.
        bias_decay: ``(1,)`` penalty of the bias.
        slot_of: ``(d,)`` slot of each column, -1 for none; filled here.
        touched: column of each slot; filled here.
        gradients: ``(slots, k + 1)`` zeros; filled here, one row a slot.
        work: ``(2 * k,)`` work space.
        totals: ``(6,)`` float64 running totals of the rows' scores against their labels.

    Returns:
        Number of slots in use, and the bias's gradient.

    Source:
        Rendle, *Factorization Machines*, ICDM 2010, eq. 4.
    """
    real = records.dtype.type
    rank = decays.size - 1
    sums, squares = work[:rank], work[rank:]
    slots = 0
    bias_gradient = real(0.0)
    half = real(0.5)
    for row in range(count):
        begin, end = batch.offsets[row], batch.offsets[row + 1]
        if row + _AHEAD < count:
            for entry in range(batch.offsets[row + _AHEAD], batch.offsets[row + _AHEAD + 1]):
                prefetch_row(records, batch.columns[entry], rank + 1)
        score = bias[0]
        for f in range(rank):
            sums[f] = real(0.0)
            squares[f] = real(0.0)
        for entry in range(begin, end):
            column = batch.columns[entry]
            value = batch.values[entry]
            score += value * records[column, rank]
            for f in range(rank):
                term = value * records[column, f]
                sums[f] += term
                squares[f] += term * term
        # Four running sums, always the same four: additions overlap in the processor, and their
        # order does not depend on how wide the processor is.
        lane0 = real(0.0)
        lane1 = real(0.0)
        lane2 = real(0.0)
        lane3 = real(0.0)
        whole = rank - rank % 4
        for f in range(0, whole, 4):
            lane0 += sums[f] * sums[f] - squares[f]
            lane1 += sums[f + 1] * sums[f + 1] - squares[f + 1]
            lane2 += sums[f + 2] * sums[f + 2] - squares[f + 2]
            lane3 += sums[f + 3] * sums[f + 3] - squares[f + 3]
        for f in range(whole, rank):
            lane0 += sums[f] * sums[f] - squares[f]
        score += half * ((lane0 + lane1) + (lane2 + lane3))

        slope = real(_slope_of_loss(float(score), float(batch.labels[row]), classifier, totals))
        bias_gradient += slope + bias_decay[0] * bias[0]
        for entry in range(begin, end):
            column = batch.columns[entry]
            slot = slot_of[column]
            if slot < 0:
                slot = slots
                slot_of[column] = slot
                touched[slot] = column
                slots += 1
            value = batch.values[entry]
            pull = slope * value
            for f in range(rank):
                factor = records[column, f]
                gradients[slot, f] += pull * (sums[f] - value * factor) + decays[f] * factor
            gradients[slot, rank] += pull + decays[rank] * records[column, rank]
    return slots, bias_gradient


@compiled
def _slope_of_loss(
    score: float,
    label: float,
    classifier: bool,  # noqa: FBT001 - compiled code has no keywords
    totals: Float64s,
) -> float:
    """Derivative of one row's loss by its score; books the row in ``totals``."""
    if not classifier:
        error = score - label
        totals[LOSS] += error * error
        totals[ABSOLUTE_ERROR] += abs(error)
        return error
    # exp of a number never above zero: neither branch can overflow.
    small = math.exp(-abs(score))
    probability = 1.0 / (1.0 + small) if score >= 0.0 else small / (1.0 + small)
    totals[LOSS] += math.log1p(small) + (max(score, 0.0) - label * score)
    liked = score >= 0.0
    if label > 0.5:
        if liked:
            totals[CORRECT] += 1.0
            totals[TRUE_POSITIVES] += 1.0
        else:
            totals[FALSE_NEGATIVES] += 1.0
    elif liked:
        totals[FALSE_POSITIVES] += 1.0
    else:
        totals[CORRECT] += 1.0
    return probability - label


@compiled
def _step(
    parameters: Floats,
    gradients: Floats,
    rates: Floats,
    size: float,
    scale: float,
    clip: float,
    eps: float,
) -> None:
    """Move ``[parameters | first moments | second moments]`` by one Adam step; zero gradients."""
    real = parameters.dtype.type
    width = rates.size
    keep1 = real(FIRST_MOMENT_DECAY)
    keep2 = real(SECOND_MOMENT_DECAY)
    new1 = real(1.0 - FIRST_MOMENT_DECAY)
    new2 = real(1.0 - SECOND_MOMENT_DECAY)
    for f in range(width):
        gradient = min(max(gradients[f] * scale, -clip), clip)
        gradients[f] = real(0.0)
        moment1 = keep1 * parameters[width + f] + new1 * gradient
        moment2 = keep2 * parameters[2 * width + f] + new2 * gradient * gradient
        parameters[width + f] = moment1
        parameters[2 * width + f] = moment2
        parameters[f] -= rates[f] * size * moment1 / (math.sqrt(moment2) + eps)


@compiled
def train_epoch(
    order: Integers,
    data: Batch,
    batch: Batch,
    classifier: bool,  # noqa: FBT001 - compiled code has no keywords
    records: Floats,
    bias: Floats,
    steps_of: Int32s,
    sizes: Float32s,
    rates: Float32s,
    bias_rate: Float32s,
    decays: Floats,
    bias_decay: Floats,
    limits: Float32s,
    slot_of: Int32s,
    touched: Int32s,
    gradients: Floats,
    totals: Float64s,
) -> None:
    """Train on all rows once, in mini-batches and in place.

    A feature's moments move only in batches that hold it, and its bias correction counts its own
    steps; so a rare feature is not thrown by a first step that is corrected as if it were late.

    Args:
        order: row numbers, in the order of training.
        data: all rows, float32.
        batch: room for the rows of a mini-batch, as many as it has labels; the last mini-batch
            may be smaller.
        classifier: logistic loss instead of the squared error.
        records: ``(d, 3 * (k + 1))`` float32, see the module.
        bias: ``(3,)`` float32: the bias and its moments.
        steps_of: ``(d + 1,)`` int32 steps taken by each feature, the bias last.
        sizes: what `step_sizes` returns.
        rates: ``(k + 1,)`` float32 learning rates of this epoch.
        bias_rate: ``(1,)`` float32 learning rate of this epoch.
        decays: ``(k + 1,)`` float32 penalties.
        bias_decay: ``(1,)`` float32 penalty.
        limits: ``(3,)`` float32: gradient scale, clip, epsilon.
        slot_of: ``(d,)`` int32, all -1 before and after.
        touched: ``(slots,)`` work space for columns.
        gradients: ``(slots, k + 1)`` float32, all zero before and after.
        totals: ``(6,)`` float64, added to.
    """
    rank = rates.size - 1
    work = np.empty(2 * rank, records.dtype)
    bias_slope = np.empty(1, records.dtype)
    scale, clip, eps = limits[0], limits[1], limits[2]
    last_size = sizes.size - 1
    bias_index = steps_of.size - 1
    for begin in range(0, order.size, batch.labels.size):
        end = min(begin + batch.labels.size, order.size)
        copy_rows(order, begin, end, data, batch)
        slots, bias_gradient = add_gradients(
            batch,
            end - begin,
            classifier,
            records,
            bias,
            decays,
            bias_decay,
            slot_of,
            touched,
            gradients,
            work,
            totals,
        )
        for slot in range(slots):
            if slot + _AHEAD < slots:
                prefetch_row(records, touched[slot + _AHEAD], records.shape[1])
            column = touched[slot]
            slot_of[column] = -1
            taken = min(steps_of[column] + 1, last_size)
            steps_of[column] = taken
            _step(records[column], gradients[slot], rates, sizes[taken], scale, clip, eps)
        bias_slope[0] = bias_gradient
        taken = min(steps_of[bias_index] + 1, last_size)
        steps_of[bias_index] = taken
        _step(bias, bias_slope, bias_rate, sizes[taken], scale, clip, eps)
