"""Files of every common writer and option: read to the rows that pyarrow reads, or refused."""

import datetime as dt
import io
import uuid
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import MalformedRatingsError

from testbed.ratings.datasets import parse_ratings
from testbed.ratings.parquet_writers import WRITERS, Options, by_duckdb, by_pyarrow
from testbed.ratings.tables import meaning_of

ROWS = 60
ROLES = ("user", "item", "rating", "timestamp")
# Ends of the reasons for which a whole file may be refused though pyarrow reads it.
REFUSALS = ("as user ids", "as item ids", "holds booleans", "holds times of day")
START = 1_600_000_000


def with_nulls(values: list[object], every: int) -> list[object]:
    return [None if n % every == every - 1 else value for n, value in enumerate(values)]


def usual() -> dict[str, pa.Array]:
    return {
        "user": pa.array([n % 7 for n in range(ROWS)]),
        "item": pa.array([f"i{n % 11}" for n in range(ROWS)]),
        "rating": pa.array([n % 10 / 2 for n in range(ROWS)]),
        "timestamp": pa.array([START + n for n in range(ROWS)]),
    }


def tables() -> Iterator[tuple[str, pa.Table]]:
    """Tables of ratings whose columns are of every type that may be met."""

    def table(**columns: pa.Array) -> pa.Table:
        return pa.table({**usual(), **columns})

    numbers = list(range(ROWS))
    texts = [f"naïve ü{n % 7}" for n in numbers]
    halves = [n % 10 / 2 for n in numbers]
    moments = [dt.datetime(2009, 2, 13, 23, 31, 30, 5, dt.UTC) + dt.timedelta(n) for n in numbers]
    yield "usual", table()
    for bits in (8, 16, 32, 64):
        whole, natural = getattr(pa, f"int{bits}")(), getattr(pa, f"uint{bits}")()
        greatest = 2**bits - 1
        yield (
            f"integers of {bits} bits",
            table(
                user=pa.array([n - ROWS // 2 for n in numbers], whole),
                item=pa.array([greatest - n for n in numbers], natural),
                rating=pa.array([n % 5 for n in numbers], natural),
                timestamp=pa.array([greatest - n for n in numbers], natural),
            ),
        )
    for size, kind in (("half", pa.float16()), ("single", pa.float32())):
        column = pa.array([np.float16(half) for half in halves], pa.float16()).cast(kind)
        yield f"{size} floats", table(rating=column, timestamp=column)
    yield "floats as ids", table(user=pa.array(halves))
    for digits in (3, 12, 30):
        column = pa.array([Decimal(n) / 2 for n in numbers], pa.decimal128(digits, 1))
        ids = pa.array([Decimal(10) ** (digits - 1) + n for n in numbers], pa.decimal128(digits, 0))
        yield f"decimals of {digits} digits", table(user=ids, rating=column, timestamp=column)
    wide = pa.array([Decimal(10) ** 50 + n for n in numbers], pa.decimal256(60, 0))
    yield "decimals of 60 digits", table(user=wide)
    yield "truth", table(rating=pa.array([n % 3 == 0 for n in numbers]))
    for kind in (pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()):
        yield str(kind), table(user=pa.array(texts).cast(kind), item=pa.array(texts).cast(kind))
    yield "categories", table(user=pa.array(texts).dictionary_encode())
    ids = [uuid.UUID(int=2**127 + n % 9) for n in numbers]
    yield "UUIDs", table(user=pa.array([one.bytes for one in ids], pa.uuid()))
    fixed = pa.array([f"u{n % 7:03}".encode() for n in numbers], pa.binary(4))
    yield "bytes of one length", table(user=fixed)
    yield (
        "texts of numbers",
        table(
            user=pa.array([str(n) for n in numbers]),
            rating=pa.array([str(half) for half in halves]),
            timestamp=pa.array([moment.isoformat() for moment in moments]),
        ),
    )
    for unit in ("s", "ms", "us", "ns"):
        for zone in ("UTC", None):
            column = pa.array(moments, pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit, zone))
            yield f"times in {unit}, zone {zone}", table(timestamp=column)
    yield "dates", table(timestamp=pa.array([m.date() for m in moments], pa.date32()))
    before = pa.array([dt.datetime(1969, 12, 31, 23, 59, 59, n) for n in numbers])
    yield "times before 1970", table(timestamp=before)
    yield "times of day", table(timestamp=pa.array([m.time() for m in moments], pa.time64("us")))
    yield "no times", table(timestamp=pa.nulls(ROWS))
    yield (
        "nulls",
        pa.table(
            {
                name: pa.array(with_nulls(column.to_pylist(), 3 + at), column.type)
                for at, (name, column) in enumerate(usual().items())
            }
        ),
    )
    yield (
        "columns beside",
        pa.table(
            {
                "größe": pa.array([{"user": n, "rating": [n] * (n % 3)} for n in numbers]),
                **usual(),
                "多層": pa.array([[[n], []] if n % 2 else None for n in numbers]),
                "tags": pa.array([["a", None][: n % 3] for n in numbers]),
            }
        ),
    )
    yield "no rows", table().slice(0, 0)


TABLES = dict(tables())


# What a writer cannot write.
CANNOT = {
    "polars": {"decimals of 60 digits", "UUIDs"},
    "duckdb": {"decimals of 60 digits", "half floats"},
    "fastparquet": {
        *("half floats", "UUIDs", "string_view", "columns beside", "no times"),
        *("times of day", "dates", "bytes of one length"),
        *(name for name in TABLES if name.startswith(("decimals", "times in s", "times in ms"))),
    },
}
WAYS = [(writer, options) for writer, (_, ways) in WRITERS.items() for options in ways]
SAMPLES = ("usual", "nulls", "texts of numbers")
UNREADABLE = {"no rows"}


def check(data: bytes) -> bool:
    """Compare what we read with what pyarrow reads; whether we read anything."""
    try:
        table = pq.read_table(io.BytesIO(data), coerce_int96_timestamp_unit="us")
    except OSError:
        with pytest.raises(MalformedRatingsError):
            parse_ratings("a.parquet", data, 1.0)
        return False
    rows, rejected = meaning_of(table, {role: role for role in ROLES})
    try:
        found, rejects = parse_ratings("a.parquet", data, 1.0)
    except MalformedRatingsError as error:
        refused = error.reason
    else:
        columns = (found.lines, found.users, found.items, found.values, found.timestamps)
        assert list(zip(*map(list, columns), strict=True)) == rows
        assert [reject.line for reject in rejects] == rejected
        return True
    assert not rows or any(words in refused for words in REFUSALS), refused
    return False


@pytest.mark.parametrize(
    ("writer", "name"),
    [(writer, name) for writer in WRITERS for name in TABLES if name not in CANNOT.get(writer, ())],
)
def test_every_type_of_column_is_read_or_refused(writer: str, name: str) -> None:
    write, ways = WRITERS[writer]
    assert check(write(TABLES[name], ways[0])) == (name not in UNREADABLE)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize(("writer", "options"), WAYS, ids=str)
def test_every_way_of_writing_is_read(writer: str, options: Options, name: str) -> None:
    write, _ = WRITERS[writer]
    assert check(write(TABLES[name], options))


@pytest.mark.parametrize("encoding", ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "PLAIN"])
@pytest.mark.parametrize("of_texts", ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "PLAIN"])
@pytest.mark.parametrize("page", ["1.0", "2.0"])
def test_every_encoding_is_read(encoding: str, of_texts: str, page: str) -> None:
    flags = pa.array([n % 3 == 0 for n in range(ROWS)])
    table = pa.table({**usual(), "rating": flags})
    encodings = {"user": encoding, "timestamp": encoding, "item": of_texts, "rating": "RLE"}
    options = {"use_dictionary": False, "column_encoding": encodings, "data_page_version": page}
    assert check(by_pyarrow(table, options))


def test_numbers_that_duckdb_alone_can_read_are_refused() -> None:
    """Unsigned ones above 2^31, as deltas: its first value has more bits than the format allows."""
    assert not check(by_duckdb(TABLES["integers of 32 bits"], {"PARQUET_VERSION": "V2"}))
    assert check(by_duckdb(TABLES["integers of 64 bits"], {"PARQUET_VERSION": "V2"}))


# --- random tables --------------------------------------------------------------------------------

WHOLE = [getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))


def integers(kind: pa.DataType) -> st.SearchStrategy[int]:
    if pa.types.is_unsigned_integer(kind):
        return st.integers(0, 2**kind.bit_width - 1)
    return st.integers(-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1)


def of(kind: pa.DataType, values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple]:  # type: ignore[type-arg]
    return st.tuples(st.just(kind), st.just(values))


DECIMALS = st.tuples(st.integers(1, 38), st.integers(0, 9)).flatmap(
    lambda size: of(
        pa.decimal128(max(size), size[1]),
        st.decimals(
            min_value=-(10 ** (max(size) - size[1])) + 1,
            max_value=10 ** (max(size) - size[1]) - 1,
            places=size[1],
        ),
    )
)
INTEGERS = st.sampled_from(WHOLE).flatmap(lambda kind: of(kind, integers(kind)))
STRINGS = st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]).flatmap(
    lambda kind: of(kind, TEXTS)
)
FLOATS = st.sampled_from([(pa.float32(), 32), (pa.float64(), 64)]).flatmap(
    lambda one: of(one[0], st.floats(width=one[1]))
)
TIMES = st.sampled_from(["s", "ms", "us", "ns"]).flatmap(
    lambda unit: of(pa.timestamp(unit), MOMENTS)
)
KINDS = {
    "user": INTEGERS | STRINGS | of(pa.uuid(), st.uuids().map(lambda one: one.bytes)),
    "item": INTEGERS | STRINGS | of(pa.binary(), st.binary(max_size=5)),
    "rating": INTEGERS | FLOATS | DECIMALS | of(pa.bool_(), st.booleans()),
    "timestamp": INTEGERS | FLOATS | TIMES | of(pa.date32(), MOMENTS.map(dt.datetime.date)),
}


@st.composite
def random_tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 30))
    columns = {}
    for role in draw(st.permutations(ROLES)):
        kind, values = draw(KINDS[role])
        cells = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        columns[role] = pa.array(cells, kind)
    return pa.table(columns)


@settings(max_examples=100, deadline=None)
@given(
    random_tables(),
    st.sampled_from([way for way in WAYS if way[0] != "fastparquet"]),
)
def test_a_random_table_means_what_pyarrow_reads(table: pa.Table, way: tuple[str, Options]) -> None:
    writer, options = way
    if writer != "pyarrow" and pa.uuid() in table.schema.types:
        writer, options = "pyarrow", {}
    check(WRITERS[writer][0](table, options))
