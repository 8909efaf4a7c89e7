"""Rows and predictions as RecordIO-protobuf."""

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.features import FeatureRows, Float32s, Floats, Integers, check_columns
from recommender.recordio.layouts import records_by_layout
from recommender.recordio.pairs import MOST_COLUMNS, PairWriter
from recommender.recordio.records import (
    LABEL_PREFIX,
    LIKE_PROBABILITY,
    MAGIC,
    PREDICTED_LABEL,
    SCORE,
    VALUES_KEY,
    float32_labels,
    prediction_record,
    shape_field,
)
from recommender.recordio.wire import (
    Bytes,
    assemble,
    put_varints,
    varint_lengths,
    window,
)

# Work space of some rows stays in the processor's cache, and is not asked for again and again.
_ROWS_AT_ONCE = 8192


def write_rows(rows: FeatureRows, labels: Floats | None) -> bytes:
    """Write sparse rows as float32 records.

    Args:
        rows: ``n`` rows; entries are written in the order they have, zeros included.
        labels: ``(n,)``, written as float32; without them the records have no label map.

    Returns:
        The stream, equal byte for byte to what the SageMaker Python SDK 2.x writes for a float32
        matrix.

    Raises:
        ShapeMismatchError: the rows are inconsistent, or there are not ``n`` labels.
    """
    rows.check()
    labels32 = float32_labels(labels, len(rows))
    written = []
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        last = min(first + _ROWS_AT_ONCE, len(rows))
        some = rows.part(first, last)
        their_labels = None if labels32 is None else labels32[first:last]
        alike = records_by_layout(some, their_labels)
        written.append(_write_any(some, their_labels) if alike is None else alike)
    return b"".join(written)


def _write_any(rows: FeatureRows, labels32: Float32s | None) -> bytes:
    """Write checked rows, whatever they look like: byte by byte, but all rows at once."""
    counts = np.diff(rows.offsets)
    filled = counts > 0
    key_ends = np.concatenate(([0], np.cumsum(varint_lengths(rows.columns))))
    key_bytes = key_ends[rows.offsets[1:]] - key_ends[rows.offsets[:-1]]
    value_bytes = 4 * counts
    shape = shape_field(rows.dimension)

    lists = 2 + varint_lengths(value_bytes) + value_bytes + varint_lengths(key_bytes) + key_bytes
    tensor = len(shape) + np.where(filled, lists, 0)
    value = 1 + varint_lengths(tensor) + tensor
    entry = len(VALUES_KEY) + 1 + varint_lengths(value) + value
    body = 1 + varint_lengths(entry) + entry + (0 if labels32 is None else len(LABEL_PREFIX) + 4)
    sizes = 8 + (body + 3 & ~3)
    ends = np.cumsum(sizes)

    def fill(out: Bytes) -> None:
        word4, word8 = window(out, "<u4"), window(out, "<u8")
        at = ends - sizes
        word4[at] = MAGIC
        word4[at + 4] = body
        at = _put_length(out, at + 8, 0x0A, entry)
        word8[at] = np.frombuffer(VALUES_KEY, "<u8")[0]
        at = _put_length(out, at + 8, 0x12, value)
        at = _put_length(out, at, 0x12, tensor)
        first_entry = rows.offsets[:-1][filled]
        lists_at = _put_length(out, at[filled], 0x0A, value_bytes[filled])
        places = np.repeat(lists_at - 4 * first_entry, counts[filled])
        places += 4 * np.arange(rows.columns.size)
        word4[places] = np.ascontiguousarray(rows.values, "<f4").view("<u4")
        lists_at = _put_length(out, lists_at + value_bytes[filled], 0x12, key_bytes[filled])
        places = np.repeat(lists_at - key_ends[first_entry], counts[filled])
        put_varints(out, places + key_ends[:-1], rows.columns)
        at[filled] = lists_at + key_bytes[filled]
        for place, byte in enumerate(shape):
            out[at + place] = byte
        if labels32 is not None:
            at += len(shape)
            word8[at], word8[at + 8] = np.frombuffer(LABEL_PREFIX, "<u8")
            word4[at + len(LABEL_PREFIX)] = labels32.view("<u4")

    return assemble(int(ends[-1]) if ends.size else 0, fill)


def write_pairs(users: Integers, items: Integers, dimension: int, labels: Floats | None) -> bytes:
    """Write one-hot user + item rows as float32 records, several times faster than any rows.

    Args:
        users: ``(n,)`` column of each user.
        items: ``(n,)`` column (not number) of each item, behind the user's.
        dimension: number of columns.
        labels: ``(n,)``, written as float32; without them the records have no label map.

    Returns:
        The same bytes as ``write_rows(FeatureRows.pairs(users, items, dimension), labels)``.

    Raises:
        ShapeMismatchError: the arrays differ in length, or a column is outside.
    """
    if dimension > MOST_COLUMNS:
        return write_rows(FeatureRows.pairs(users, items, dimension), labels)
    if users.ndim != 1 or users.shape != items.shape:
        raise ShapeMismatchError("items beside users", users.shape, items.shape)
    check_columns(users, dimension)
    check_columns(items, dimension)
    writer = PairWriter(dimension, known_columns=dimension <= users.size)
    return writer.write(users, items, float32_labels(labels, users.size))


def _put_length(out: Bytes, at: Integers, tag: int, lengths: Integers) -> Integers:
    """Write a tag and a length at each place; return the places behind them."""
    out[at] = tag
    return put_varints(out, at + 1, lengths)


def write_predictions(
    scores: Floats, predicted_labels: Floats | None, like_probabilities: Floats | None = None
) -> bytes:
    """Write the records that the built-in algorithm answers with.

    Args:
        scores: ``(n,)`` probabilities of a classifier, or ratings of a regressor.
        predicted_labels: ``(n,)`` classes; a regressor has none.
        like_probabilities: ``(n,)``, of a regressor that knows how its ratings become likes.

    Returns:
        ``n`` records without features; their label maps hold ``score``, ``predicted_label`` and
        ``like_probability``, as far as they are given.

    Raises:
        ShapeMismatchError: there are not as many labels or probabilities as scores.
    """
    columns = {
        SCORE: float32_labels(scores, scores.size),
        PREDICTED_LABEL: float32_labels(predicted_labels, scores.size),
        LIKE_PROBABILITY: float32_labels(like_probabilities, scores.size),
    }
    written = {name: column for name, column in columns.items() if column is not None}
    template, places = prediction_record(*written)
    size = len(template)

    def fill(out: Bytes) -> None:
        out.view(f"V{size}")[:] = np.frombuffer(template, f"V{size}")
        for place, column in zip(places, written.values(), strict=True):
            window(out, "<u4")[place::size] = column.view("<u4")

    return assemble(scores.size * size, fill)
