"""One record: its framing, its fixed parts, and its protobuf with every check that names a byte."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from recommender.errors import DamagedRecordError, ShapeMismatchError
from recommender.features import Float32s, Floats, Integers
from recommender.recordio.wire import LONGEST_VARINT, field, packed_varints, varint

MAGIC = 0xCED7230A
SCORE, PREDICTED_LABEL, LIKE_PROBABILITY = "score", "predicted_label", "like_probability"
VALUES = "values"  # the one key of either map

_HEAD = struct.Struct("<II")
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED_WIDTHS = {_FIXED64: 8, _FIXED32: 4}

# Field numbers of the record's protobuf definition.
_FEATURES, _LABEL = 1, 2
_MAP_KEY, _MAP_VALUE = 1, 2
_FLOAT32_TENSOR = 2
_OTHER_VALUES = {3: "float64_tensor", 7: "int32_tensor", 9: "bytes"}
_TENSOR_VALUES, _TENSOR_KEYS, _TENSOR_SHAPE = 1, 2, 3


def map_key(name: str) -> bytes:
    """Write the key of a map entry."""
    return field(0x0A, name.encode())


def label_entry(name: str) -> bytes:
    """Write an entry of the label map up to, and without, the four bytes of its one float."""
    entry = map_key(name) + b"\x12\x08\x12\x06\x0a\x04"
    return b"\x12" + varint(len(entry) + 4) + entry


def shape_field(dimension: int) -> bytes:
    """Write the shape of a row."""
    return field(0x1A, varint(dimension))


def framed(body: bytes) -> bytes:
    """Put magic number, length and pad around a body."""
    return _HEAD.pack(MAGIC, len(body)) + body.ljust(_padded(len(body)), b"\0")


VALUES_KEY = map_key(VALUES)  # eight bytes: one word
LABEL_PREFIX = label_entry(VALUES)  # sixteen: two


def float32_labels(labels: Floats | None, rows: int) -> Float32s | None:
    """Bring labels into the form in which they are stored.

    Args:
        labels: ``(rows,)`` of any float type, or nothing.
        rows: number of rows that they belong to.

    Returns:
        The labels, contiguous little-endian float32.

    Raises:
        ShapeMismatchError: there are not as many labels as rows.
    """
    if labels is None:
        return None
    if labels.shape != (rows,):
        raise ShapeMismatchError("labels", (rows,), labels.shape)
    return np.ascontiguousarray(labels, "<f4")


@dataclass(frozen=True)
class Tensor:
    """One float32 tensor of a record.

    Attributes:
        at: byte of the stream where it begins.
        values: its numbers.
        keys: column of each number; empty if the tensor is dense.
        shape: its sizes; may be empty if the tensor is dense.
    """

    at: int
    values: Float32s
    keys: Integers
    shape: Integers


@dataclass(frozen=True)
class Field:
    """One protobuf field: ``payload`` for a delimited or fixed one, ``number`` for a varint."""

    at: int
    tag: int
    kind: int
    number: int
    payload: slice


def frames(data: bytes) -> tuple[Integers, Integers]:
    """Walk the chain of lengths.

    Args:
        data: a whole stream.

    Returns:
        ``(n,)`` place of each body and ``(n,)`` length of each.

    Raises:
        DamagedRecordError: a record does not begin with the magic number, or is cut.
    """
    return _even_frames(data) or _linked_frames(data) or _walked_frames(data)


def _even_frames(data: bytes) -> tuple[Integers, Integers] | None:
    """Step from record to record, if all are as long as the first one."""
    if len(data) < _HEAD.size:
        return None
    magic, length = _HEAD.unpack_from(data)
    size = _HEAD.size + _padded(length)
    if len(data) == size and magic == MAGIC:
        return np.array([_HEAD.size]), np.array([length])
    if len(data) % size:
        return None
    heads = np.ndarray((len(data) // size, 2), "<u4", data, strides=(size, 4))
    lengths = heads[:, 1].astype(np.int64)
    if (heads[:, 0] != MAGIC).any():
        return None
    if not size - 3 <= _HEAD.size + int(lengths.min()) <= _HEAD.size + int(lengths.max()) <= size:
        return None
    return np.arange(_HEAD.size, len(data), size), lengths


def _linked_frames(data: bytes) -> tuple[Integers, Integers] | None:
    """Walk all records at once, if the magic number stands nowhere but at their beginnings.

    Then the record at each place of the magic number leads to the next such place, and the last
    one to the end. If that holds, the chain from byte 0 visits exactly these places.
    """
    words = np.frombuffer(data, "<u4", count=len(data) // 4)
    heads = np.flatnonzero(words[:-1] == MAGIC)
    if not heads.size or heads[0]:
        return None
    lengths = words[heads + 1].astype(np.int64)
    bodies = 4 * heads + _HEAD.size
    after = bodies + (lengths + 3 & ~3)
    if after[-1] != len(data) or np.any(after[:-1] != 4 * heads[1:]):
        return None
    return bodies, lengths


def _walked_frames(data: bytes) -> tuple[Integers, Integers]:
    starts, lengths = [], []
    at = 0
    while at < len(data):
        if at + _HEAD.size > len(data):
            raise DamagedRecordError(at, f"{len(data) - at} bytes are no record header of 8")
        magic, length = _HEAD.unpack_from(data, at)
        if magic != MAGIC:
            raise DamagedRecordError(at, f"expected the magic number {MAGIC:#x}, found {magic:#x}")
        body = at + _HEAD.size
        at = body + _padded(length)
        if at > len(data):
            raise DamagedRecordError(
                body, f"the record takes {at - body} bytes, and {len(data) - body} are left"
            )
        starts.append(body)
        lengths.append(length)
    return np.array(starts, np.int64), np.array(lengths, np.int64)


def _padded(length: int) -> int:
    return length + 3 & ~3


def parse_record(data: bytes, start: int, end: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parse one body.

    Args:
        data: the whole stream.
        start: first byte of the body.
        end: the byte behind it.

    Returns:
        The feature tensors and the label tensors, by their keys. Fields that are neither
        (``uid``, ``metadata``, ``configuration``) are passed over.

    Raises:
        DamagedRecordError: the bytes are not a record, or a tensor is not float32.
    """
    features: dict[str, Tensor] = {}
    labels: dict[str, Tensor] = {}
    for item in _fields(data, start, end):
        if item.tag in (_FEATURES, _LABEL):
            name, tensor = _map_entry(data, item)
            (features if item.tag == _FEATURES else labels)[name] = tensor
    return features, labels


def _map_entry(data: bytes, entry: Field) -> tuple[str, Tensor]:
    name = ""
    empty = np.zeros(0, np.int64)
    tensor = Tensor(entry.at, np.zeros(0, np.float32), empty, empty)
    for item in _fields(data, *_inside(entry)):
        if item.tag == _MAP_KEY:
            try:
                name = data[slice(*_inside(item))].decode()
            except UnicodeDecodeError as error:
                raise DamagedRecordError(item.at, "a map key is not UTF-8") from error
        elif item.tag == _MAP_VALUE:
            for value in _fields(data, *_inside(item)):
                if value.tag in _OTHER_VALUES:
                    raise DamagedRecordError(
                        value.at,
                        f"{name!r} is a {_OTHER_VALUES[value.tag]}; a factorization machine "
                        "takes float32_tensor only",
                    )
                if value.tag == _FLOAT32_TENSOR:
                    tensor = _tensor(data, value)
    return name, tensor


def _tensor(data: bytes, message: Field) -> Tensor:
    values: list[bytes] = []
    keys: list[Integers] = []
    shape: list[Integers] = []
    for item in _fields(data, *_inside(message)):
        if item.tag == _TENSOR_VALUES:
            if item.kind not in (_DELIMITED, _FIXED32):
                raise DamagedRecordError(item.at, "tensor values are not floats of 4 bytes")
            payload = data[item.payload]
            if len(payload) % 4:
                raise DamagedRecordError(item.at, f"{len(payload)} bytes are no floats of 4")
            values.append(payload)
        elif item.tag in (_TENSOR_KEYS, _TENSOR_SHAPE):
            (keys if item.tag == _TENSOR_KEYS else shape).append(_numbers(data, item))
    return Tensor(
        message.at,
        np.frombuffer(b"".join(values), "<f4").astype(np.float32),
        np.concatenate((*keys, np.zeros(0, np.int64))),
        np.concatenate((*shape, np.zeros(0, np.int64))),
    )


def _numbers(data: bytes, item: Field) -> Integers:
    if item.kind == _VARINT:  # a writer may leave the numbers unpacked
        return np.array([item.number], np.int64)
    unpacked = packed_varints(np.frombuffer(data[slice(*_inside(item))], np.uint8))
    if unpacked is None:
        raise DamagedRecordError(item.at, "packed numbers are cut or longer than 63 bits")
    return unpacked[0]


def _inside(item: Field) -> tuple[int, int]:
    if item.kind != _DELIMITED:
        raise DamagedRecordError(item.at, f"field {item.tag} has wire type {item.kind}, not 2")
    return item.payload.start, item.payload.stop


def _fields(data: bytes, at: int, end: int) -> Iterator[Field]:
    while at < end:
        begin = at
        head, at = _varint(data, at, end)
        tag, kind = head >> 3, head & 7
        number, width = 0, 0
        if kind == _VARINT:
            number, at = _varint(data, at, end)
        elif kind == _DELIMITED:
            width, at = _varint(data, at, end)
        elif kind in _FIXED_WIDTHS:
            width = _FIXED_WIDTHS[kind]
        else:
            raise DamagedRecordError(begin, f"field {tag} has wire type {kind}")
        if at + width > end:
            raise DamagedRecordError(
                begin, f"field {tag} takes {width} bytes, and {end - at} are left"
            )
        yield Field(begin, tag, kind, number, slice(at, at + width))
        at += width


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    number = 0
    for place in range(at, min(end, at + LONGEST_VARINT)):
        byte = data[place]
        number |= (byte & 0x7F) << 7 * (place - at)
        if byte < 0x80:
            return number, place + 1
    raise DamagedRecordError(at, "a number is cut or longer than 63 bits")


@cache
def prediction_record(*names: str) -> tuple[bytes, tuple[int, ...]]:
    """Make a record of zeros, with labels of these names; and where its floats stand."""
    body, places = b"", []
    for name in names:
        body += label_entry(name) + bytes(4)
        places.append(8 + len(body) - 4)
    return framed(body), tuple(places)
