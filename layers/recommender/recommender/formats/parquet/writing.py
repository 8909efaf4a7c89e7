"""Small tables as Parquet, by the library that the layer has for reading it.

What is written here is ours, and so is what is read back: that needs no process of its own, unlike
the files of others.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recommender.json_text import utf8

_COMPRESSION = "snappy"  # which every reader of Parquet knows


@dataclass(frozen=True)
class WrittenColumn:
    """A column of a table.

    Attributes:
        holds: ``string``, ``int32``, ``int64``, ``float64`` or ``bool``.
        values: one a row; None where there is none, if the column is ``nullable``.
        nullable: whether a row may have no value.
    """

    holds: str
    values: Sequence[object]
    nullable: bool = False


def write_parquet(columns: Mapping[str, WrittenColumn]) -> bytes:
    """Write a table of flat columns, all of one length. Equal tables give equal bytes."""
    from arro3.core import Array, DataType, Field, Schema, Table  # others start sooner without it
    from arro3.io import write_parquet as write

    arrays, fields = [], []
    for name, column in columns.items():
        kind = getattr(DataType, column.holds)()
        # A title may hold half of a surrogate pair, which no UTF-8 can.
        values = [utf8(one).decode() if isinstance(one, str) else one for one in column.values]
        arrays.append(Array(values, type=kind))
        fields.append(Field(name, kind, nullable=column.nullable))
    out = io.BytesIO()
    table = Table.from_arrays(arrays, schema=Schema(fields))
    write(table, out, compression=_COMPRESSION, created_by="matinee", skip_arrow_metadata=True)
    return out.getvalue()


def read_written(data: bytes) -> dict[str, list[object]]:
    """Read what `write_parquet` wrote: column -> its values. Not for files of others."""
    from arro3.io import read_parquet

    table = read_parquet(io.BytesIO(data)).read_all()
    return {name: list(table.column(name).to_pylist()) for name in table.column_names}
