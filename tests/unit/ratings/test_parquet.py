"""Parquet files of ratings, as Arrow writes them in every way that writers default to."""

import datetime as dt
import gzip
import io
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.errors import MalformedRatingsError
from recommender.ratings.identifiers import NULL_WORDS, canonical_id

from testbed.ratings.datasets import Ratings, parse_ratings

KEY = "ratings/films/a.parquet"


def written(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def rows_of(found: Ratings) -> list[tuple[str, str, float, int]]:
    columns = (found.users, found.items, found.values.tolist(), found.timestamps.tolist())
    return list(zip(*columns, strict=True))


def table_of(n: int = 5000) -> pa.Table:
    rng = np.random.default_rng(4)
    return pa.table(
        {
            "timestamp": rng.integers(0, 2**33, n),
            "userId": rng.integers(1, 300, n, dtype=np.int32),
            "rating": rng.integers(1, 11, n) / 2,
            "movieId": [f"film {item}" for item in rng.integers(0, 90, n)],
            "comment": ["x"] * n,
        }
    )


def expected_of(table: pa.Table) -> list[tuple[str, str, float, int]]:
    names = ("userId", "movieId", "rating", "timestamp")
    return [
        (str(user), item, rating, time)
        for user, item, rating, time in zip(*(table[n].to_pylist() for n in names), strict=True)
    ]


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False, ["movieId"]])
def test_every_usual_way_of_writing_is_read(codec: str, version: str, dictionary: object) -> None:
    table = table_of()
    data = written(
        table,
        compression=codec,
        data_page_version=version,
        use_dictionary=dictionary,
        row_group_size=1999,
        data_page_size=3000,
    )
    found, rejects = parse_ratings(KEY, data, 0.1)
    assert rejects == []
    assert rows_of(found) == expected_of(table)
    assert found.lines.tolist() == list(range(1, 5001))


def test_a_parquet_file_may_be_gzipped() -> None:
    table = table_of(10)
    assert rows_of(parse_ratings(KEY, gzip.compress(written(table)), 0.1)[0]) == expected_of(table)


CELLS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=9))


@given(
    st.lists(st.tuples(CELLS, TEXTS, st.one_of(st.none(), st.floats(width=32)), CELLS), max_size=40)
)
def test_null_and_unusable_cells_cost_their_own_row(rows: list[tuple]) -> None:  # type: ignore[type-arg]
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    types = [pa.int64(), pa.string(), pa.float32(), pa.int64()]
    names = ["user", "item", "rating", "time"]
    table = pa.table(
        {
            name: pa.array(list(column), kind)
            for name, column, kind in zip(names, columns, types, strict=True)
        }
    )

    def usable(user: object, item: str | None, rating: float | None) -> bool:
        text = canonical_id(item or "")
        writable = (
            text
            and text not in NULL_WORDS
            and not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
        )
        return user is not None and bool(writable) and rating is not None and np.isfinite(rating)

    good = [
        (str(user), canonical_id(item), rating, -1 if time is None else max(-1, time))
        for user, item, rating, time in rows
        if usable(user, item, rating)
    ]
    try:
        found, rejects = parse_ratings(KEY, written(table), 1.0)
    except MalformedRatingsError:
        assert not good
        return
    assert rows_of(found) == good
    assert len(rejects) == len(rows) - len(good)
    assert all(reject.reason for reject in rejects)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_points_in_time_become_seconds(unit: str) -> None:
    moment = datetime(2009, 2, 13, 23, 31, 30, tzinfo=UTC)
    table = pa.table(
        {
            "user": [1],
            "item": [2],
            "rating": [3],
            "time": pa.array([moment], pa.timestamp(unit, "UTC")),
        }
    )
    assert rows_of(parse_ratings(KEY, written(table), 0.1)[0]) == [("1", "2", 3.0, 1234567890)]
    legacy = written(table, use_deprecated_int96_timestamps=True)
    assert rows_of(parse_ratings(KEY, legacy, 0.1)[0]) == [("1", "2", 3.0, 1234567890)]


def test_values_mean_what_the_file_says() -> None:
    def row_of(**columns: pa.Array) -> tuple[str, str, float, int]:
        usual = {"user": pa.array(["u1"]), "item": pa.array(["i1"]), "rating": pa.array([1.0])}
        (row,) = rows_of(parse_ratings(KEY, written(pa.table({**usual, **columns})), 0.0)[0])
        return row

    half = Decimal("4.5")
    for kind in (pa.decimal128(2, 1), pa.decimal128(12, 1), pa.decimal128(30, 1)):
        assert row_of(rating=pa.array([half], kind))[2] == 4.5
    assert row_of(user=pa.array([4_294_967_295], pa.uint32()))[0] == "4294967295"
    assert row_of(user=pa.array([2**63 + 5], pa.uint64()))[0] == "9223372036854775813"
    assert row_of(user=pa.array([Decimal(10**30)], pa.decimal128(38, 0)))[0] == str(10**30)
    one = uuid.UUID(int=10)
    assert row_of(user=pa.array([one.bytes], pa.uuid()))[0] == str(one)
    assert row_of(rating=pa.array([True]))[2] == 1.0
    assert row_of(date=pa.array([dt.date(2025, 6, 15)]))[3] == 1_749_945_600
    assert row_of(date=pa.array([dt.date(1969, 12, 31)]))[3] == -1
    assert row_of(timestamp=pa.array([1.75e18]))[3] == 1_750_000_000
    assert row_of(timestamp=pa.array([1.75]))[3] == 1
    assert row_of(timestamp=pa.array([np.float16(9.5)], pa.float16()))[3] == 9
    assert row_of(timestamp=pa.array([2**63], pa.uint64()))[3] == 9_223_372_036
    assert row_of(time=pa.array([dt.time(1)]))[3] == -1
    assert row_of(timestamp=pa.array(["2009-02-13T23:31:30Z"]))[3] == 1_234_567_890


def test_bytes_that_are_no_text_cost_their_own_row() -> None:
    user = pa.array([b"a\xff", "ü".encode(), b"b", None])
    rating = pa.array([b"1", b"2", b"\xfe", b"4"])
    table = pa.table({"user": user, "item": [1, 2, 3, 4], "rating": rating})
    found, rejects = parse_ratings(KEY, written(table), 1.0)
    assert rows_of(found) == [("ü", "2", 2.0, -1)]
    assert [(one.line, one.reason) for one in rejects] == [
        (1, "user id is not UTF-8"),
        (3, "rating is not UTF-8"),
        (4, "user id is null"),
    ]
    assert rejects[0].text == r"user=a\xff, item=1, rating=1"


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (pa.table({"user": [1], "film": [2]}), {}, ["no item and no rating", "'film'"]),
        (
            pa.table({"user": [1.5], "item": [2], "rating": [3]}),
            {},
            ["user id 1.5 is no whole number"],
        ),
        (pa.table({"user": [True], "item": [2], "rating": [3]}), {}, ["booleans"]),
        (
            pa.table({"user": [1], "item": [dt.time(3)], "rating": [3]}),
            {},
            ["'item' that holds times of day"],
        ),
        (
            pa.table(
                {
                    "user": pa.array([], pa.int64()),
                    "item": pa.array([], pa.int64()),
                    "rating": pa.array([], pa.int64()),
                }
            ),
            {},
            ["no rows"],
        ),
    ],
)
def test_what_cannot_be_read_is_named(
    table: pa.Table, options: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(MalformedRatingsError) as caught:
        parse_ratings(KEY, written(table, **options), 0.1)
    for word in words:
        assert word in caught.value.reason
