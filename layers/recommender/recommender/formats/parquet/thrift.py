"""Thrift's compact protocol, both ways, as far as the metadata of Parquet files needs it."""

from collections.abc import Callable, Mapping, Sequence

Value = int | float | bool | bytes | list["Value"] | dict[int, "Value"]
Struct = Mapping[int, Value]
"""Number of a field -> its value."""
Written = tuple[int, bytes]
"""A kind of value, and its bytes."""

_MOST_NESTING = 32
_MOST_VALUES = 4_000_000  # a byte can stand for one, which takes seventy times as much in memory
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


class ThriftError(ValueError):
    """Bytes that are no thrift structure."""


def read_struct(data: bytes, at: int = 0) -> tuple[Struct, int]:
    """Read one structure.

    Args:
        data: bytes that hold it.
        at: where it begins.

    Returns:
        The structure, and the place behind it.

    Raises:
        ThriftError: it is cut, nested too deeply or no such thing.
    """
    reader = _Reader(data, at)
    try:
        return reader.struct(0), reader.at
    except IndexError:
        raise ThriftError("is cut") from None


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data, self.at = data, at
        self._left = _MOST_VALUES
        self._readers: Mapping[int, Callable[[int], Value]] = {
            _BYTE: lambda _: self._byte(),
            _I16: lambda _: self._zigzag(),
            _I32: lambda _: self._zigzag(),
            _I64: lambda _: self._zigzag(),
            _DOUBLE: lambda _: self._take(8),
            _BINARY: lambda _: self._take(self._varint()),
            _LIST: self._list,
            _SET: self._list,
            _STRUCT: self.struct,
        }

    def struct(self, depth: int) -> dict[int, Value]:
        fields: dict[int, Value] = {}
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            if kind in (_TRUE, _FALSE):
                fields[number] = kind == _TRUE
            else:
                fields[number] = self._value(kind, depth + 1)
        return fields

    def _value(self, kind: int, depth: int) -> Value:
        if depth > _MOST_NESTING:
            raise ThriftError("is nested too deeply")
        self._count(1)
        if kind not in self._readers:
            raise ThriftError(f"holds a value of the unknown kind {kind}")
        return self._readers[kind](depth)

    def _list(self, depth: int) -> list[Value]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        kind = head & 15
        if kind in (_TRUE, _FALSE):
            self._count(size)
            return [self._byte() == _TRUE for _ in range(self._possible(size))]
        return [self._value(kind, depth + 1) for _ in range(self._possible(size))]

    def _count(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise ThriftError(f"holds more than {_MOST_VALUES:,} values")

    def _possible(self, size: int) -> int:
        if size > len(self._data) - self.at:
            raise ThriftError("is cut")
        return size

    def _byte(self) -> int:
        byte = self._data[self.at]
        self.at += 1
        return byte

    def _take(self, size: int) -> bytes:
        taken = self._data[self.at : self.at + self._possible(size)]
        self.at += size
        return taken

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
            if shift > 63:
                raise ThriftError("holds a number longer than 64 bits")

    def _zigzag(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)


def i32(number: int) -> Written:
    """Write a number of up to 32 bits."""
    return _I32, _zigzag(number)


def i64(number: int) -> Written:
    """Write a number of up to 64 bits."""
    return _I64, _zigzag(number)


def binary(data: bytes) -> Written:
    """Write bytes, or text in UTF-8."""
    return _BINARY, _varint(len(data)) + data


def list_of(items: Sequence[Written]) -> Written:
    """Write a list of values of one kind; an empty one is of structures."""
    kind = items[0][0] if items else _STRUCT
    size = bytes([len(items) << 4 | kind]) if len(items) < 15 else b""
    head = size or bytes([0xF0 | kind]) + _varint(len(items))
    return _LIST, head + b"".join(data for _, data in items)


def struct(fields: Mapping[int, Written]) -> Written:
    """Write a structure whose fields' numbers ascend in steps of at most 15."""
    out = bytearray()
    last = 0
    for number, (kind, data) in fields.items():
        out.append((number - last) << 4 | kind)
        out += data
        last = number
    return _STRUCT, bytes(out) + b"\0"


def _zigzag(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else ~(number << 1))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
