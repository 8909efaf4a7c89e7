"""RecordIO-protobuf to rows and predictions, whoever wrote them."""

import numpy as np

from recommender.errors import DamagedRecordError
from recommender.features import FeatureRows, Float32s, Integers
from recommender.recordio.forms import read_by_form
from recommender.recordio.records import (
    LABEL_PREFIX,
    PREDICTED_LABEL,
    SCORE,
    VALUES,
    VALUES_KEY,
    Tensor,
    frames,
    parse_record,
    prediction_record,
)
from recommender.recordio.wire import (
    Bytes,
    packed_varints,
    spans,
    varints_at,
    window,
)


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
    for names in ((SCORE, PREDICTED_LABEL), (SCORE,)):
        template, places = prediction_record(*names)
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
        if SCORE not in found:
            raise DamagedRecordError(start, f"the record has no {SCORE!r}")
        scores.append(_single(found[SCORE], SCORE))
        if PREDICTED_LABEL in found:
            classes.append(_single(found[PREDICTED_LABEL], PREDICTED_LABEL))
        if len(classes) not in (0, len(scores)):
            raise DamagedRecordError(start, f"some records have a {PREDICTED_LABEL!r}, some none")
    return np.array(scores, np.float32), np.array(classes, np.float32) if classes else None
