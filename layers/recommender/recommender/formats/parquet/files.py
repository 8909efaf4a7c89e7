"""Columns of Parquet files as numpy arrays.

The pages are decoded by a library (`pages`) that reads every column of a file
and does not tell what its footer says. So the footer is read here: which columns there are, and how
much the file claims to hold. Another one, with the wanted columns alone, is written behind it.
"""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from recommender.errors import shown
from recommender.formats.compression import (
    MAX_INFLATED_BYTES,
    MAX_INFLATION_RATIO,
    RATIO_IS_CHECKED_FROM,
)
from recommender.formats.parquet import pages
from recommender.formats.parquet.kinds import FIXED, Kind, Values, kind_of
from recommender.formats.parquet.thrift import (
    Struct,
    ThriftError,
    Value,
    Written,
    binary,
    i32,
    i64,
    list_of,
    read_struct,
    struct,
)
from recommender.formats.uploads import PARQUET_MAGIC

MOST_FOOTER_BYTES = 64 << 20
BYTES_OF_A_ROW = 16  # what a rating takes further on: a byte of a file can stand for many rows

_CODECS = (0, 1, 2, 4, 5, 6, 7)
_CODEC_NAMES = {3: "LZO"}
_REPEATED = 2
_KINDS_OF_ERROR = re.compile(r"\A(?:[A-Z][\w ]*: )+")  # of the library, before what it says


class ParquetError(ValueError):
    """A file that cannot be read; the message ends a sentence about it."""


@dataclass(frozen=True)
class Field:
    """A column as the schema has it.

    Attributes:
        name: its name.
        place: its place among all columns that hold values, nested ones included.
        kind: its type.
        optional: whether it may hold nulls.
    """

    name: str
    place: int
    kind: Kind
    optional: bool

    @property
    def shown(self) -> str:
        """The name, for messages."""
        return shown(repr(self.name))


@dataclass(frozen=True, eq=False)
class Column:
    """One column of some rows.

    Attributes:
        values: ``(m,)`` distinct values or all of them: numbers or texts. Points in time are
            nanoseconds since 1970; bytes that are not UTF-8 stand in texts as lone surrogates.
        which: ``(n,)`` int32 index into ``values``; -1 for null.
    """

    values: Values
    which: npt.NDArray[np.int32]


class ParquetFile:
    """A Parquet file, opened; its rows are read batch by batch.

    Attributes:
        fields: the columns directly below the root; groups are passed over with all they hold.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Read the footer.

        Args:
            file: a file of the operating system that is ours to write to.

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
        if tail[4:] != PARQUET_MAGIC or length > min(size - 12, MOST_FOOTER_BYTES):
            raise ParquetError("is a Parquet file that is cut off or damaged")
        self._end = file.seek(size - 8 - length)
        try:
            meta, _ = read_struct(file.read(length))
            self._rows = _int(meta, 3)
            self._groups = [_as_struct(one) for one in _list(meta, 4)]
            elements = [_as_struct(one) for one in _list(meta, 2)]
            self.fields, self._width = _flat_fields(elements)
        except ThriftError as error:
            raise ParquetError(f"is a Parquet file whose footer {error}") from None

    def batches(self, fields: Sequence[Field]) -> Generator[list[Column]]:
        """Read some columns, some rows at a time.

        Args:
            fields: the wanted columns.

        Raises:
            ParquetError: they are damaged, or claim to hold more than such a file should.
        """
        try:
            rows, footer = self._footer_of(fields)
        except ThriftError as error:
            raise ParquetError(f"is a Parquet file whose footer {error}") from None
        self._file.seek(0, 2)
        self._file.write(footer + len(footer).to_bytes(4, "little") + PARQUET_MAGIC)
        self._file.flush()
        found = 0
        try:
            for count, raw in pages.decode(self._file, len(fields)):
                found += count
                yield [_column(*one, count) for one in zip(fields, raw, strict=True)]
        except pages.PagesError as error:
            told = _KINDS_OF_ERROR.sub("", str(error)).partition("\n")[0][:200]
            raise ParquetError(f"is a Parquet file that is damaged: {told}") from None
        if found != rows:
            raise ParquetError(
                f"is a Parquet file that is damaged: it has {found:,} rows instead of {rows:,}"
            )

    def _footer_of(self, fields: Sequence[Field]) -> tuple[int, bytes]:
        """How many rows the file says it has, and a footer with nothing but some columns.

        Raises:
            ParquetError: what the file says of itself cannot be, or is too much.
            ThriftError: it does not say enough.
        """
        groups: list[Written] = []
        rows = packed = unpacked = 0
        for group in self._groups:
            chunks, count = _list(group, 1), _int(group, 3)
            if len(chunks) != self._width or count < 0:
                raise ParquetError("is a Parquet file that is damaged: its row groups differ")
            kept = []
            for field in fields if count else ():
                meta = self._checked(field, _as_struct(chunks[field.place]), count)
                packed += _int(meta, 7)
                unpacked += _int(meta, 6)
                kept.append(_written_chunk(field, meta))
            if count:
                groups.append(struct({1: list_of(kept), 2: i64(unpacked), 3: i64(count)}))
            rows += count
        if rows != self._rows:
            raise ParquetError(
                f"is a Parquet file that is damaged: its row groups have {rows:,} rows, and all of "
                f"it {self._rows:,}"
            )
        _refuse_too_much(self._end, rows, packed, unpacked)
        schema = [struct({4: binary(b"rows"), 5: i32(len(fields))}), *map(_written_field, fields)]
        _, footer = struct({1: i32(1), 2: list_of(schema), 3: i64(rows), 4: list_of(groups)})
        return rows, footer

    def _checked(self, field: Field, chunk: Struct, rows: int) -> Struct:
        """The metadata of a column chunk that may be as it says."""
        if chunk.get(1):
            raise ParquetError("is only an index of other Parquet files; upload those")
        if 8 in chunk:
            raise ParquetError(f"has a column {field.shown} that is encrypted")
        meta = _as_struct(chunk.get(3))
        codec, start, size = _int(meta, 4), _start(meta), _int(meta, 7)
        if codec not in _CODECS:
            raise ParquetError(
                f"has a column {field.shown} that is compressed with "
                f"{_CODEC_NAMES.get(codec, 'an unknown codec')}; "
                "use snappy, gzip, zstd, brotli or lz4_raw"
            )
        if _int(meta, 5) != rows:
            raise ParquetError(
                f"is a Parquet file that is damaged: its column {field.shown} has "
                f"{_int(meta, 5):,} values in {rows:,} rows"
            )
        if start < len(PARQUET_MAGIC) or size <= 0 or start + size > self._end or _int(meta, 6) < 0:
            raise ParquetError(
                f"is a Parquet file that is damaged: its column {field.shown} is said to take "
                f"{size:,} bytes from byte {start:,} on"
            )
        return meta


def _refuse_too_much(size: int, rows: int, packed: int, unpacked: int) -> None:
    """Refuse a file that claims to hold more than its size allows."""
    if packed > size:
        raise ParquetError("is a Parquet file that is damaged: its columns overlap")
    allowed = min(MAX_INFLATED_BYTES, max(RATIO_IS_CHECKED_FROM, MAX_INFLATION_RATIO * size))
    taken = max(unpacked, BYTES_OF_A_ROW * rows)
    if taken > allowed:
        raise ParquetError(
            f"is a Parquet file of {size:,} bytes with {rows:,} rows, which take {taken:,} bytes; "
            f"at most {MAX_INFLATION_RATIO} times its size and {MAX_INFLATED_BYTES >> 30} GiB are "
            "allowed"
        )


def _column(field: Field, raw: pages.RawColumn, rows: int) -> Column:
    here = slice(raw.offset, raw.offset + rows)
    if raw.which:
        which = np.frombuffer(raw.which, "<i4")[here]
    else:
        which = np.arange(here.start, here.stop, dtype=np.int32)
    if raw.present:
        bits = np.unpackbits(np.frombuffer(raw.present, np.uint8), bitorder="little")
        which = np.where(bits[here], which, np.int32(-1))
    try:
        return Column(field.kind.values(raw), which)
    except ValueError as error:
        raise ParquetError(f"has a column {field.shown} that is damaged: {error}") from None


def _flat_fields(elements: Sequence[Struct]) -> tuple[list[Field], int]:
    """The columns directly below the root, and how many columns there are below and below those."""
    found = []
    inside = place = 0
    for element in elements[1:]:
        children = _int(element, 5) if 5 in element else 0
        kind = kind_of(element)
        if not inside and not children and kind and element.get(3) != _REPEATED:
            found.append(Field(_text(element.get(4)), place, kind, element.get(3) == 1))
        inside = max(0, inside - 1) + children
        place += 1 in element
    return found, place


def _written_field(field: Field) -> Written:
    """An element of a schema: what is needed to decode a column, and nothing of what it means."""
    width = {2: i32(field.kind.width)} if field.kind.stored == FIXED else {}
    name = binary(str(field.place).encode())
    return struct({1: i32(field.kind.stored), **width, 3: i32(int(field.optional)), 4: name})


def _written_chunk(field: Field, meta: Struct) -> Written:
    start = _start(meta)
    first = {9: i64(_int(meta, 9))}
    if start < _int(meta, 9):
        first[11] = i64(start)
    facts = {
        1: i32(field.kind.stored),
        2: list_of([i32(0)]),  # the pages tell their encodings
        3: list_of([binary(str(field.place).encode())]),
        4: i32(_int(meta, 4)),
        **{number: i64(_int(meta, number)) for number in (5, 6, 7)},
        **first,
    }
    return struct({2: i64(start), 3: struct(facts)})


def _start(meta: Struct) -> int:
    """Where a column chunk begins: with its dictionary, if it has one. 0 is no place for one."""
    return min(_int(meta, 9), _int(meta, 11) or _int(meta, 9)) if 11 in meta else _int(meta, 9)


def _as_struct(value: Value | None) -> Struct:
    if not isinstance(value, dict):
        raise ThriftError("lacks a structure")
    return value


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
