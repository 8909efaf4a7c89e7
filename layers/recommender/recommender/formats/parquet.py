"""Columns of Parquet files as numpy arrays: flat columns, in the encodings that writers default to.

Arrow's own reader is 171 MB unpacked. A table of ratings needs little of the format.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from recommender.formats.thrift import Struct, ThriftError, Value, read_struct

MAGIC = b"PAR1"
MOST_PAGE_BYTES = 256 << 20
MOST_FOOTER_BYTES = 64 << 20

_INT32, _INT64, _INT96, _FLOAT, _DOUBLE, _BYTE_ARRAY = 1, 2, 3, 4, 5, 6
_NUMBERS = {_INT32: "<i4", _INT64: "<i8", _FLOAT: "<f4", _DOUBLE: "<f8"}
_TYPE_NAMES = {0: "booleans", 7: "bytes of a fixed length"}
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
_ENCODING_NAMES = {
    4: "BIT_PACKED",
    5: "DELTA_BINARY_PACKED",
    6: "DELTA_LENGTH_BYTE_ARRAY",
    7: "DELTA_BYTE_ARRAY",
    9: "BYTE_STREAM_SPLIT",
}
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 0, 2, 3
_UNCOMPRESSED, _SNAPPY, _GZIP, _BROTLI, _ZSTD, _LZ4_RAW = 0, 1, 2, 4, 6, 7
_CODEC_NAMES = {3: "LZO", 5: "LZ4 (Hadoop's)"}
_JULIAN_DAY_OF_1970 = 2_440_588
_SECONDS_OF_A_DAY = 86_400

Numbers = npt.NDArray[np.generic]


class ParquetError(ValueError):
    """A file that cannot be read; the message ends a sentence about it."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column of some rows.

    Attributes:
        values: ``(m,)`` distinct values or all of them: numbers, or a list of bytes.
        which: ``(n,)`` int32 index into ``values``; -1 for null.
    """

    values: Numbers | list[bytes]
    which: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Field:
    """A column as the schema has it.

    Attributes:
        name: its name.
        kind: physical type.
        optional: whether it may hold nulls.
        per_second: if it holds points in time as integers, how many of its units make a second.
    """

    name: str
    kind: int
    optional: bool
    per_second: int


class ParquetFile:
    """A Parquet file, opened; row groups are read one by one."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the footer.

        Raises:
            ParquetError: it is damaged, encrypted or cut.
        """
        self._file = file
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if size < 12 or tail[4:] == b"PARE":
            raise ParquetError("is an encrypted Parquet file" if size > 12 else "is cut off")
        if tail[4:] != MAGIC or length > min(size - 12, MOST_FOOTER_BYTES):
            raise ParquetError("is a Parquet file that is cut off or damaged")
        file.seek(size - 8 - length)
        try:
            self._meta, _ = read_struct(file.read(length))
            elements = [_as_struct(one) for one in _list(self._meta, 2)]
            self._groups = [_as_struct(one) for one in _list(self._meta, 4)]
            self.fields = {field.name: field for field in _flat_fields(elements)}
        except ThriftError as error:
            raise ParquetError(f"is a Parquet file whose footer {error}") from None

    def row_groups(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Read some columns, one row group after the other.

        Raises:
            ParquetError: they are damaged, or use what is not read here.
        """
        for group in self._groups:
            try:
                chunks = _chunks_by_name(group)
                rows = _int(group, 3)
            except ThriftError as error:
                raise ParquetError(f"is a Parquet file whose footer {error}") from None
            columns = {}
            for name in names:
                if name not in chunks:
                    raise ParquetError(f"has a row group without the column {name!r}")
                columns[name] = self._column(self.fields[name], chunks[name], rows)
            yield columns

    def _column(self, field: Field, meta: Struct, rows: int) -> Column:
        try:
            return self._read_column(field, meta, rows)
        except ParquetError as error:
            raise ParquetError(f"has a column {field.name!r} that {error}") from None
        except (ValueError, IndexError, zlib.error):
            raise ParquetError(f"has a column {field.name!r} that is damaged") from None

    def _read_column(self, field: Field, meta: Struct, rows: int) -> Column:
        if field.kind not in (*_NUMBERS, _INT96, _BYTE_ARRAY):
            raise ParquetError(f"holds {_TYPE_NAMES.get(field.kind, 'values of an unknown type')}")
        start = _int(meta, 9)
        if 11 in meta:
            start = min(start, _int(meta, 11)) or start
        size = _int(meta, 7)
        if not 0 < size <= 8 * MOST_PAGE_BYTES or not 0 <= rows < 1 << 31:
            raise ParquetError(f"takes {size:,} bytes for {rows:,} rows")
        self._file.seek(start)
        data = self._file.read(size)
        return _Pages(field, _int(meta, 4), data, rows).read()


class _Pages:
    """The pages of one column chunk."""

    def __init__(self, field: Field, codec: int, data: bytes, rows: int) -> None:
        self._field, self._codec, self._data, self._rows = field, codec, data, rows
        self._dictionary: Numbers | list[bytes] | None = None
        self._parts: list[Column] = []

    def read(self) -> Column:
        at = found = 0
        while found < self._rows:
            header, at = read_struct(self._data, at)
            size = _int(header, 3)
            if at + size > len(self._data) or size < 0:
                raise ParquetError("is cut off")
            body = self._data[at : at + size]
            at += size
            kind = _int(header, 1)
            if kind == _DICTIONARY_PAGE:
                page = _sub(header, 7)
                body = self._unpacked(body, _int(header, 2))
                self._dictionary = _plain(body, self._field.kind, _int(page, 1))
            elif kind == _DATA_PAGE:
                found += self._add_v1(_sub(header, 5), body, _int(header, 2))
            elif kind == _DATA_PAGE_V2:
                found += self._add_v2(_sub(header, 8), body, _int(header, 2))
        if found != self._rows:
            raise ParquetError(f"has {found:,} values in {self._rows:,} rows")
        return _joined(self._parts)

    def _unpacked(self, body: bytes, size: int) -> bytes:
        if not 0 <= size <= MOST_PAGE_BYTES:
            raise ParquetError(f"has a page of {size:,} bytes")
        if self._codec == _UNCOMPRESSED:
            return body
        if self._codec in _CODEC_NAMES or self._codec > _LZ4_RAW:
            raise ParquetError(
                f"is compressed with {_CODEC_NAMES.get(self._codec, 'an unknown codec')}; "
                "use snappy, gzip, zstd, brotli or lz4_raw"
            )
        if self._codec == _GZIP:
            page = zlib.decompressobj(wbits=31).decompress(body, size)
        else:
            page = _decompressed(body, self._codec, size)
        if len(page) != size:
            raise ParquetError("has a page of another size than it says")
        return page

    def _add_v1(self, page: Struct, body: bytes, size: int) -> int:
        count, encoding = _int(page, 1), _int(page, 2)
        body = self._unpacked(body, size)
        present, at = None, 0
        if self._field.optional:
            length = int.from_bytes(body[:4], "little")
            present = _levels(body[4 : 4 + length], count)
            at = 4 + length
        self._add(body[at:], encoding, count, present)
        return count

    def _add_v2(self, page: Struct, body: bytes, size: int) -> int:
        count, encoding = _int(page, 1), _int(page, 4)
        levels, repetitions = _int(page, 5), _int(page, 6)
        head = levels + repetitions
        present = None
        if self._field.optional:
            present = _levels(body[repetitions:head], count)
        rest = body[head:]
        if page.get(7, True):
            rest = self._unpacked(rest, size - head) if size > head else b""
        self._add(rest, encoding, count, present)
        return count

    def _add(
        self, body: bytes, encoding: int, count: int, present: npt.NDArray[np.bool_] | None
    ) -> None:
        filled = count if present is None else int(np.count_nonzero(present))
        if encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY):
            if self._dictionary is None:
                raise ParquetError("has no dictionary")
            values = self._dictionary
            which = _hybrid(body[1:], body[0], filled) if filled else np.zeros(0, np.int32)
            if filled and int(which.max()) >= len(values):
                raise ParquetError("points behind the end of its dictionary")
        elif encoding == _PLAIN:
            values = _plain(body, self._field.kind, filled)
            which = np.arange(filled, dtype=np.int32)
        else:
            raise ParquetError(
                f"is encoded as {_ENCODING_NAMES.get(encoding, 'something unknown')}; "
                "write it plain or with a dictionary, as is usual"
            )
        if present is not None:
            spread = np.full(count, -1, np.int32)
            spread[present] = which
            which = spread
        self._parts.append(Column(values, which))


def _decompressed(body: bytes, codec: int, size: int) -> bytes:
    import cramjam  # only such files need it

    out = bytearray(size)
    try:
        if codec == _SNAPPY:
            taken = cramjam.snappy.decompress_raw_into(body, out)
        elif codec == _LZ4_RAW:
            taken = cramjam.lz4.decompress_block_into(body, out, output_len=size)
        elif codec == _BROTLI:
            taken = cramjam.brotli.decompress_into(body, out)
        else:
            taken = cramjam.zstd.decompress_into(body, out)
    except (cramjam.DecompressionError, OSError):
        raise ParquetError("is damaged") from None
    return bytes(out[:taken])


def _joined(parts: Sequence[Column]) -> Column:
    """Join pages; those that share a dictionary go on sharing it."""
    groups: list[Numbers | list[bytes]] = []
    which: list[npt.NDArray[np.int32]] = [np.zeros(0, np.int32)]
    base = size = 0
    for part in parts:
        if not groups or part.values is not groups[-1]:
            groups.append(part.values)
            base, size = size, size + len(part.values)
        which.append(np.where(part.which < 0, -1, part.which + base).astype(np.int32))
    joined = np.concatenate(which)
    if not groups or isinstance(groups[0], list):
        return Column([text for group in groups for text in cast("list[bytes]", group)], joined)
    return Column(np.concatenate(cast("list[Numbers]", groups)), joined)


def _plain(body: bytes, kind: int, count: int) -> Numbers | list[bytes]:
    if kind in _NUMBERS:
        return np.frombuffer(body, _NUMBERS[kind], count)
    if kind == _INT96:
        stamps = np.frombuffer(body, [("nanoseconds", "<u8"), ("day", "<u4")], count)
        days = stamps["day"].astype(np.int64) - _JULIAN_DAY_OF_1970
        seconds = (stamps["nanoseconds"] // np.uint64(10**9)).astype(np.int64)
        return np.asarray(days * _SECONDS_OF_A_DAY + seconds)
    texts: list[bytes] = []
    at = 0
    for _ in range(count):
        length = int.from_bytes(body[at : at + 4], "little")
        at += 4 + length
        if at > len(body):
            raise ParquetError("is cut off")
        texts.append(body[at - length : at])
    return texts


def _levels(body: bytes, count: int) -> npt.NDArray[np.bool_]:
    """Definition levels of a flat column: whether each value is there."""
    return np.asarray(_hybrid(body, 1, count) != 0)


def _hybrid(body: bytes, width: int, count: int) -> npt.NDArray[np.int32]:
    """Read numbers that are run lengths and packed bits in turns: ``(count,)``."""
    if not 0 <= width <= 31:
        raise ParquetError("is damaged")
    out = np.zeros(count, np.int32)
    found = at = 0
    whole = (width + 7) // 8
    while found < count:
        head = shift = 0
        while True:
            byte = body[at]
            at += 1
            head |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 35:
                raise ParquetError("is damaged")
        if head & 1:
            numbers = (head >> 1) * 8
            size = (head >> 1) * width
            taken = min(numbers, count - found)
            if at + (taken * width + 7) // 8 > len(body):
                raise ParquetError("is cut off")
            bits = np.frombuffer(body, np.uint8, min(size, len(body) - at), at)
            out[found : found + taken] = _unpacked_bits(bits, width, taken)
            at += size
        else:
            taken = min(head >> 1, count - found)
            if not taken or at + whole > len(body):
                raise ParquetError("is damaged")
            out[found : found + taken] = int.from_bytes(body[at : at + whole], "little")
            at += whole
        found += taken
    return out


def _unpacked_bits(packed: npt.NDArray[np.uint8], width: int, count: int) -> npt.NDArray[np.int64]:
    """Read ``count`` numbers of ``width`` bits each, the lowest bit first."""
    if not width:
        return np.zeros(count, np.int64)
    padded = np.concatenate((packed, np.zeros(8, np.uint8)))
    windows = np.ndarray((packed.size + 1,), "<u8", buffer=padded, strides=(1,))
    first = np.arange(count, dtype=np.int64) * width
    words = windows[first >> 3] >> (first & 7).astype(np.uint64)
    return np.asarray(words & np.uint64((1 << width) - 1), np.int64)


def _flat_fields(elements: Sequence[Struct]) -> Iterator[Field]:
    """The columns directly below the root; groups are passed over with all they hold."""
    inside = 0
    for element in elements[1:]:
        children = _int(element, 5) if 5 in element else 0
        repeated = element.get(3) == 2
        if not inside and not children and not repeated and 1 in element:
            name = _text(element.get(4))
            yield Field(name, _int(element, 1), element.get(3) == 1, _units_per_second(element))
        inside = max(0, inside - 1) + children


def _units_per_second(element: Struct) -> int:
    logical = element.get(10)
    if isinstance(logical, Mapping) and 8 in logical:
        unit = _sub(_sub(logical, 8), 2)
        return {1: 10**3, 2: 10**6, 3: 10**9}.get(next(iter(unit), 0), 0)
    converted = element.get(6)
    return {9: 10**3, 10: 10**6}.get(converted, 0) if isinstance(converted, int) else 0


def _chunks_by_name(group: Struct) -> dict[str, Struct]:
    """The column chunks of a row group, by the path of their column."""
    metas = [_sub(_as_struct(chunk), 3) for chunk in _list(group, 1)]
    return {".".join(_text(part) for part in _list(meta, 3)): meta for meta in metas}


def _as_struct(value: Value | None) -> Struct:
    if not isinstance(value, dict):
        raise ThriftError("lacks a structure")
    return value


def _sub(struct: Struct, field: int) -> Struct:
    return _as_struct(struct.get(field))


def _text(value: Value | None) -> str:
    if not isinstance(value, bytes):
        raise ThriftError("lacks a name")
    return value.decode("utf-8", "replace")


def _int(struct: Struct, field: int) -> int:
    value = struct.get(field)
    if not isinstance(value, int):
        raise ThriftError(f"lacks the number {field}")
    return value


def _list(struct: Struct, field: int) -> list[Value]:
    value = struct.get(field, [])
    if not isinstance(value, list):
        raise ThriftError(f"lacks the list {field}")
    return value
