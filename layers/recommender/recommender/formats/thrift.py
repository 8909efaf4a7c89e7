"""Thrift's compact protocol, as far as the metadata of Parquet files needs it."""

from collections.abc import Callable, Mapping

Value = int | float | bool | bytes | list["Value"] | dict[int, "Value"]
Struct = Mapping[int, Value]
"""Number of a field -> its value."""

_MOST_NESTING = 32
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
        if kind not in self._readers:
            raise ThriftError(f"holds a value of the unknown kind {kind}")
        return self._readers[kind](depth)

    def _list(self, depth: int) -> list[Value]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        kind = head & 15
        if kind in (_TRUE, _FALSE):
            return [self._byte() == _TRUE for _ in range(self._possible(size))]
        return [self._value(kind, depth + 1) for _ in range(self._possible(size))]

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
