"""MXNet's file of named arrays (``params``), in both directions, without MXNet.

::

    u64 0x112, u64 0, u64 number of arrays, arrays, u64 number of names, (u64 length, name) each

One array, as every MXNet since 1.0 writes it (V2)::

    u32 0xF993FAC9, i32 storage (0 dense, 1 row_sparse), [shape of the stored rows], shape,
    i32 device type, i32 device id, i32 number type, [i32 index type, shape of the index],
    data, [index]

What stands in brackets is there for row_sparse only. A shape is u32 number of axes, then i64
sizes. V1 (0xF993FAC8) has no storage type; before V1 an array began with its shape, whose sizes
were u32.
"""

import math
import struct
from collections.abc import Mapping

import numpy as np

from recommender.features import Float32s, Integers

_LIST_MAGIC = 0x112
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA  # V3 differs in sizes that are unknown or zero
_DENSE, _ROW_SPARSE = 0, 1
_CPU = 1
_FLOAT32 = 0
_NUMBER_TYPES = {0: "<f4", 1: "<f8", 2: "<f2", 4: "<i4", 6: "<i8"}
_FLOAT_TYPES = (0, 1, 2)
_INDEX_TYPES = (4, 6)
_MOST_AXES = 8
_MOST_ARRAYS = 1 << 10


class ArraysError(ValueError):
    """The bytes are not a file of named arrays, or one that is not taken."""


def read_arrays(data: bytes, most_numbers: int) -> dict[str, Float32s]:
    """Read every array by its name, without the prefix ``arg:`` or ``aux:``.

    Args:
        data: the whole file.
        most_numbers: limit for the numbers of all arrays together, so that a sparse array of a
            few bytes cannot ask for all memory.

    Returns:
        Dense float32 arrays; a number that float32 cannot hold becomes infinite.

    Raises:
        ArraysError: the file is cut, too large, or not the format.
    """
    reader = _Reader(data, most_numbers)
    magic, _ = reader.take("<QQ")
    if magic != _LIST_MAGIC:
        raise ArraysError(f"begins with {magic:#x}, not with {_LIST_MAGIC:#x}")
    arrays = [reader.array() for _ in range(reader.count("arrays"))]
    names = [reader.name() for _ in range(reader.count("names"))]
    if len(names) != len(arrays):
        raise ArraysError(f"{len(arrays)} arrays, {len(names)} names")
    if reader.at != len(data):
        raise ArraysError(f"{len(data) - reader.at} bytes follow the last name")
    if len(set(names)) != len(names):
        raise ArraysError(f"a name stands twice in {names}")
    return dict(zip(names, arrays, strict=True))


def write_arrays(arrays: Mapping[str, Float32s]) -> bytes:
    """Write dense float32 arrays under ``arg:`` and their names.

    Args:
        arrays: arrays of at least one axis, in the order to write.

    Returns:
        The file, as MXNet 1.x writes it.
    """
    parts = [struct.pack("<QQQ", _LIST_MAGIC, 0, len(arrays))]
    for array in arrays.values():
        axes = array.ndim
        parts.append(struct.pack(f"<IiI{axes}q", _V2, _DENSE, axes, *array.shape))
        parts.append(struct.pack("<iii", _CPU, 0, _FLOAT32))
        parts.append(np.ascontiguousarray(array, "<f4").tobytes())
    parts.append(struct.pack("<Q", len(arrays)))
    for name in arrays:
        written = f"arg:{name}".encode()
        parts.append(struct.pack("<Q", len(written)) + written)
    return b"".join(parts)


class _Reader:
    """A place in the file, moved forward by everything that is read."""

    def __init__(self, data: bytes, most_numbers: int) -> None:
        self.data, self.at, self.numbers_left = data, 0, most_numbers

    def take(self, form: str) -> tuple[int, ...]:
        try:
            numbers = struct.unpack_from(form, self.data, self.at)
        except struct.error:
            raise ArraysError(f"is cut at byte {len(self.data)}") from None
        self.at += struct.calcsize(form)
        return numbers

    def count(self, what: str) -> int:
        (count,) = self.take("<Q")
        if count > _MOST_ARRAYS:
            raise ArraysError(f"claims {count} {what}")
        return count

    def name(self) -> str:
        (length,) = self.take("<Q")
        raw = self.data[self.at : self.at + length]
        if len(raw) != length:
            raise ArraysError(f"is cut at byte {len(self.data)}")
        self.at += length
        try:
            return raw.decode().removeprefix("arg:").removeprefix("aux:")
        except UnicodeDecodeError:
            raise ArraysError("an array's name is not UTF-8") from None

    def shape(self, axes: int | None = None, size: str = "q") -> tuple[int, ...]:
        if axes is None:
            (axes,) = self.take("<I")
        if not 1 <= axes <= _MOST_AXES:
            raise ArraysError(f"an array of {axes} axes")
        shape = self.take(f"<{axes}{size}")
        if min(shape) < 0:
            raise ArraysError(f"an array of the shape {shape}")
        return shape

    def numbers(self, shape: tuple[int, ...], kind: int) -> np.ndarray[tuple[int, ...], np.dtype]:
        dtype = np.dtype(_NUMBER_TYPES[kind])
        count = math.prod(shape)
        if count * dtype.itemsize > len(self.data) - self.at:
            raise ArraysError(f"an array of the shape {shape} is cut")
        numbers = np.frombuffer(self.data, dtype, count, self.at).reshape(shape)
        self.at += numbers.nbytes
        return numbers

    def array(self) -> Float32s:
        (magic,) = self.take("<I")
        stored: tuple[int, ...] | None = None
        if magic in (_V2, _V3):
            (storage,) = self.take("<i")
            if storage not in (_DENSE, _ROW_SPARSE):
                raise ArraysError(f"an array of storage type {storage}")
            stored = self.shape() if storage == _ROW_SPARSE else None
            shape = self.shape()
        elif magic == _V1:
            shape = self.shape()
        else:
            shape = self.shape(magic, "I")
        self.numbers_left -= math.prod(shape)
        if self.numbers_left < 0:
            raise ArraysError(f"an array of the shape {shape} is larger than this reader takes")
        _, _, kind = self.take("<iii")
        if kind not in _FLOAT_TYPES:
            raise ArraysError(f"an array of number type {kind}")
        if stored is None:
            return _float32(self.numbers(shape, kind))
        return self._row_sparse(shape, stored, kind)

    def _row_sparse(self, shape: tuple[int, ...], stored: tuple[int, ...], kind: int) -> Float32s:
        (index_kind,) = self.take("<i")
        index_shape = self.shape()
        if index_kind not in _INDEX_TYPES:
            raise ArraysError(f"an index of number type {index_kind}")
        if stored[1:] != shape[1:] or index_shape != stored[:1]:
            raise ArraysError(f"stores {stored} by {index_shape} of an array of the shape {shape}")
        values = _float32(self.numbers(stored, kind))
        index: Integers = self.numbers(index_shape, index_kind).astype(np.int64)
        if index.size and not 0 <= int(index.min()) <= int(index.max()) < shape[0]:
            raise ArraysError(f"an index outside {shape[0]} rows")
        dense = np.zeros(shape, np.float32)
        dense[index] = values
        return dense


def _float32(numbers: np.ndarray[tuple[int, ...], np.dtype]) -> Float32s:
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)
