"""Parquet files of ratings, as Arrow writes them in every way that writers default to."""

import gzip
import io
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.errors import MalformedRatingsError

from testbed.datasets import Ratings, parse_ratings

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
            "timestamp": rng.integers(0, 2**40, n),
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
        text = (item or "").strip()
        writable = text and not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
        return user is not None and bool(writable) and rating is not None and np.isfinite(rating)

    good = [
        (str(user), item.strip(), rating, -1 if time is None else max(-1, time))
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


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (pa.table({"user": [1], "film": [2]}), {}, ["no item and no rating", "'film'"]),
        (pa.table({"user": [1.5], "item": [2], "rating": [3]}), {}, ["fractions as user ids"]),
        (pa.table({"user": [True], "item": [2], "rating": [3]}), {}, ["booleans"]),
        (
            pa.table({"user": [1], "item": [2], "rating": [3]}),
            {"use_dictionary": False, "column_encoding": {"user": "DELTA_BINARY_PACKED"}},
            ["DELTA_BINARY_PACKED"],
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
