"""RecordIO-protobuf, the tensor format of SageMaker's built-in algorithms, in both directions.

One record, with its pad, is a multiple of four bytes::

    magic, body length, body, zero pad

The body holds a map of feature tensors and a map of label tensors; both maps have the one key
``values``. The framing escapes nothing, so a body may hold the magic number: only the chain of
lengths says where a record begins.
"""

from functools import cache

import numpy as np

from recommender.errors import DamagedRecordError, ShapeMismatchError
from recommender.features import FeatureRows, Float32s, Floats, Integers, check_columns
from recommender.recordio.forms import read_by_form
from recommender.recordio.layouts import records_by_layout
from recommender.recordio.pairs import MOST_COLUMNS, one_hot_records
from recommender.recordio.records import (
    LABEL_PREFIX,
    MAGIC,
    VALUES,
    VALUES_KEY,
    Tensor,
    float32_labels,
    framed,
    frames,
    label_entry,
    parse_record,
    shape_field,
)
from recommender.recordio.wire import (
    Bytes,
    assemble,
    packed_varints,
    put_varints,
    spans,
    varint_lengths,
    varints_at,
    window,
)

# Work space of some rows stays in the processor's cache, and is not asked for again and again.
_ROWS_AT_ONCE = 8192
_SCORE, _PREDICTED_LABEL, _LIKE_PROBABILITY = "score", "predicted_label", "like_probability"


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
    return one_hot_records(users, items, dimension, float32_labels(labels, users.size))


def _put_length(out: Bytes, at: Integers, tag: int, lengths: Integers) -> Integers:
    """Write a tag and a length at each place; return the places behind them."""
    out[at] = tag
    return put_varints(out, at + 1, lengths)


def read_rows(data: bytes) -> tuple[FeatureRows, Float32s | None]:
    """Read sparse rows and labels, whoever wrote them.

    Args:
        data: a whole stream. A dense tensor (no keys) is read as the row of its non-zero entries.

    Returns:
        The rows, in the order of the stream; ``(n,)`` labels, or nothing if no record has one.
        An empty stream gives no rows and the dimension 0.

    Raises:
        DamagedRecordError: the stream is cut or is not the format; a tensor is not float32; keys
            and values differ in number; records disagree on the dimension or on having a label.
    """
    starts, lengths = frames(data)
    if starts.size:
        alike = read_by_form(data, starts, lengths)
        if alike is not None:
            return alike
        try:
            return _read_regular(np.frombuffer(data, np.uint8), starts, starts + lengths)
        except _IrregularError:
            pass
    return _read_any(data, starts, starts + lengths)


class _IrregularError(Exception):
    """A record is not laid out as the common writers do, or is damaged."""


def _require(condition: object) -> None:
    if not condition:
        raise _IrregularError


def _open(data: Bytes, at: Integers, tag: int) -> tuple[Integers, Integers]:
    """Enter a delimited field at each place: where its payload begins and ends."""
    _require(np.all(data.take(at, mode="clip") == tag))
    opened = varints_at(data, at + 1)
    if opened is None:
        raise _IrregularError
    sizes, begin = opened
    _require(np.all(sizes <= data.size))
    return begin, begin + sizes


def _read_regular(
    data: Bytes, starts: Integers, ends: Integers
) -> tuple[FeatureRows, Float32s | None]:
    """Parse all bodies side by side; every length must lead to the end that encloses it."""
    _require(data.size >= 8)
    word4, word8 = window(data, "<u4"), window(data, "<u8")
    at, entry_end = _open(data, starts, 0x0A)
    _require(np.all(word8.take(at, mode="clip") == np.frombuffer(VALUES_KEY, "<u8")[0]))
    at, value_end = _open(data, at + 8, 0x12)
    at, tensor_end = _open(data, at, 0x12)
    _require(np.all(value_end == entry_end) and np.all(tensor_end == entry_end))

    filled = data.take(at, mode="clip") == 0x0A
    values_at, values_end = _open(data, at[filled], 0x0A)
    keys_at, keys_end = _open(data, values_end, 0x12)
    at[filled] = keys_end
    at, shape_end = _open(data, at, 0x1A)
    sizes = varints_at(data, at)
    if sizes is None:
        raise _IrregularError
    dimension = int(sizes[0][0])
    _require(np.all(sizes[0] == dimension) and np.all(sizes[1] == shape_end))
    _require(np.all(shape_end == tensor_end))

    labels = None
    rest = ends - entry_end
    if np.any(rest != 0):
        _require(np.all(rest == len(LABEL_PREFIX) + 4))
        prefix = np.frombuffer(LABEL_PREFIX, "<u8")
        _require(
            np.all(word8[entry_end] == prefix[0]) and np.all(word8[entry_end + 8] == prefix[1])
        )
        labels = word4[entry_end + 16].view(np.float32)

    value_bytes, key_bytes = values_end - values_at, keys_end - keys_at
    _require(not np.any(value_bytes & 3) and np.all(key_bytes > 0))
    counts = np.zeros(starts.size, np.int64)
    counts[filled] = value_bytes >> 2
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    unpacked = packed_varints(data[spans(keys_at, key_bytes)])
    if unpacked is None:
        raise _IrregularError
    columns, last = unpacked
    _require(columns.size == offsets[-1])
    # The last key of each row ends where the row's keys do: no number runs over a border.
    _require(np.all(last[offsets[1:][filled] - 1] == np.cumsum(key_bytes) - 1))
    _require(not columns.size or int(columns.max()) < dimension)
    places = np.repeat(values_at - 4 * offsets[:-1][filled], counts[filled])
    values = word4[places + 4 * np.arange(columns.size)].view(np.float32)
    return FeatureRows(offsets, columns, values, dimension), labels


def _read_any(data: bytes, starts: Integers, ends: Integers) -> tuple[FeatureRows, Float32s | None]:
    """Parse body after body, with an error that names the byte."""
    dimension: int | None = None
    offsets = [0]
    columns, values, labels = [], [], []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        features, targets = parse_record(data, start, end)
        if VALUES not in features:
            raise DamagedRecordError(start, f"the record has no feature tensor {VALUES!r}")
        tensor = features[VALUES]
        size = _dimension(tensor)
        dimension = size if dimension is None else dimension
        if size != dimension:
            raise DamagedRecordError(
                tensor.at, f"{size} columns, while the records before it have {dimension}"
            )
        row_columns, row_values = _entries(tensor, size)
        columns.append(row_columns)
        values.append(row_values)
        offsets.append(offsets[-1] + row_columns.size)
        if VALUES in targets:
            labels.append(_single(targets[VALUES], "label"))
        if len(labels) not in (0, len(offsets) - 1):
            raise DamagedRecordError(start, "some records have a label, and some have none")
    rows = FeatureRows(
        np.array(offsets, np.int64),
        np.concatenate((*columns, np.zeros(0, np.int64))),
        np.concatenate((*values, np.zeros(0, np.float32))),
        dimension or 0,
    )
    return rows, np.array(labels, np.float32) if labels else None


def _dimension(tensor: Tensor) -> int:
    if tensor.shape.size > 1:
        raise DamagedRecordError(tensor.at, f"a row has one size, and not {tensor.shape.tolist()}")
    if tensor.shape.size:
        return int(tensor.shape[0])
    if tensor.keys.size or not tensor.values.size:
        raise DamagedRecordError(tensor.at, "the tensor does not state its shape")
    return int(tensor.values.size)


def _entries(tensor: Tensor, dimension: int) -> tuple[Integers, Float32s]:
    if not tensor.keys.size and tensor.values.size == dimension:
        columns = np.flatnonzero(tensor.values)
        return columns, tensor.values[columns]
    if tensor.keys.size != tensor.values.size:
        raise DamagedRecordError(
            tensor.at, f"{tensor.keys.size} keys for {tensor.values.size} values"
        )
    if tensor.keys.size and int(tensor.keys.max()) >= dimension:
        raise DamagedRecordError(
            tensor.at, f"key {tensor.keys.max()} in a row of {dimension} columns"
        )
    return tensor.keys, tensor.values


def _single(tensor: Tensor, what: str) -> float:
    if tensor.values.size != 1:
        raise DamagedRecordError(tensor.at, f"{tensor.values.size} values as one {what}")
    return float(tensor.values[0])


@cache
def _prediction(*names: str) -> tuple[bytes, tuple[int, ...]]:
    """Make a record of zeros, with labels of these names; and where its floats stand."""
    body, places = b"", []
    for name in names:
        body += label_entry(name) + bytes(4)
        places.append(8 + len(body) - 4)
    return framed(body), tuple(places)


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
        _SCORE: float32_labels(scores, scores.size),
        _PREDICTED_LABEL: float32_labels(predicted_labels, scores.size),
        _LIKE_PROBABILITY: float32_labels(like_probabilities, scores.size),
    }
    written = {name: column for name, column in columns.items() if column is not None}
    template, places = _prediction(*written)
    size = len(template)

    def fill(out: Bytes) -> None:
        out.view(f"V{size}")[:] = np.frombuffer(template, f"V{size}")
        for place, column in zip(places, written.values(), strict=True):
            window(out, "<u4")[place::size] = column.view("<u4")

    return assemble(scores.size * size, fill)


def read_predictions(data: bytes) -> tuple[Float32s, Float32s | None]:
    """Read the records that the built-in algorithm answers with.

    Args:
        data: a whole stream.

    Returns:
        ``(n,)`` scores, and ``(n,)`` predicted labels if the records hold them.

    Raises:
        DamagedRecordError: the stream is cut or is not the format, a record has no score, or only
            some have a predicted label.
    """
    for names in ((_SCORE, _PREDICTED_LABEL), (_SCORE,)):
        template, places = _prediction(*names)
        if len(data) % len(template):
            continue
        records = np.frombuffer(data, np.uint8).reshape(-1, len(template)).copy()
        columns = []
        for place in places:
            columns.append(records[:, place : place + 4].copy().view("<f4").reshape(-1))
            records[:, place : place + 4] = 0
        if np.all(records == np.frombuffer(template, np.uint8)):
            return columns[0], columns[1] if len(names) == 2 else None
    return _read_any_predictions(data)


def _read_any_predictions(data: bytes) -> tuple[Float32s, Float32s | None]:
    scores, classes = [], []
    for start, length in zip(*(part.tolist() for part in frames(data)), strict=True):
        _, found = parse_record(data, start, start + length)
        if _SCORE not in found:
            raise DamagedRecordError(start, f"the record has no {_SCORE!r}")
        scores.append(_single(found[_SCORE], _SCORE))
        if _PREDICTED_LABEL in found:
            classes.append(_single(found[_PREDICTED_LABEL], _PREDICTED_LABEL))
        if len(classes) not in (0, len(scores)):
            raise DamagedRecordError(start, f"some records have a {_PREDICTED_LABEL!r}, some none")
    return np.array(scores, np.float32), np.array(classes, np.float32) if classes else None
