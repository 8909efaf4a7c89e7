"""Rows are written as the SageMaker Python SDK writes them, byte for byte."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import ShapeMismatchError
from recommender.features import FeatureRows
from recommender.recordio.reading import read_rows
from recommender.recordio.writing import write_pairs, write_rows

from testbed.numerics.matrices import random_rows
from testbed.numerics.records import MAGIC, ONE_RECORD, assert_equal_rows


def test_the_record_of_the_format_description_is_written_and_read():
    users, items = np.array([404]), np.array([1052])
    written = write_pairs(users, items, 2625, np.zeros(1, np.float32))
    assert written == ONE_RECORD
    rows, labels = read_rows(ONE_RECORD)
    assert_equal_rows(rows, FeatureRows.pairs(users, items, 2625))
    assert labels.tolist() == [0.0]


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize(
    "counts",
    [
        [1],
        [0],
        [0, 0, 0],
        [2, 2, 2],
        [3, 0, 1, 40, 0, 7],
        [27, 28, 29, 30, 31, 32, 33],  # lengths pass 127
        [6000],
        [6000, 1, 0, 5999],
        [5],
        list(range(40)),
    ],
)
def test_rows_are_written_as_the_sdk_writes_them(sdk_write, counts, labelled):
    rng = np.random.default_rng(len(counts))
    rows = random_rows(counts, 100_000, rng, ascending=True)
    labels = rng.normal(size=len(rows)).astype(np.float32) if labelled else None
    written = write_rows(rows, labels)
    assert written == sdk_write(rows, labels)
    again, read_labels = read_rows(written)
    assert_equal_rows(again, rows)
    assert (read_labels is None) == (not labelled)
    assert labels is None or labels.tobytes() == read_labels.tobytes()


def test_columns_on_both_sides_of_every_varint_length_are_written_as_the_sdk_does(sdk_write):
    edges = [0, 1, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**28 - 1, 2**28, 2**31 - 2]
    columns = np.array(edges, np.int64)
    one_each = FeatureRows(
        np.arange(len(edges) + 1), columns, np.ones(len(edges), np.float32), 2**31 - 1
    )
    together = FeatureRows(
        np.array([0, len(edges)]), columns, np.ones(len(edges), np.float32), 2**31 - 1
    )
    for rows in (one_each, together):
        labels = np.ones(len(rows), np.float32)
        assert write_rows(rows, labels) == sdk_write(rows, labels)
        assert_equal_rows(read_rows(write_rows(rows, labels))[0], rows)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize(
    ("users", "items", "count"),
    [
        (5, 9, 30),
        (100, 27, 300),
        (100, 28, 300),
        (943, 1682, 500),
        (16000, 384, 100),
        (16000, 385, 100),  # 16,385 columns: keys no longer fit half a word
        (300, 40000, 400),
        (2_000_000, 200_000, 200),
        (200_000_000, 68_435_456, 50),  # 2**28 columns, the most of the fast writer
        (200_000_000, 68_435_457, 50),
        (1, 2**31 - 2, 50),
    ],
)
def test_pairs_are_written_as_the_sdk_writes_them(sdk_write, users, items, count, labelled):
    rng = np.random.default_rng(users)
    left, right = rng.integers(0, users, count), users + rng.integers(0, items, count)
    left[:2], right[:2] = (0, users - 1), (users, users + items - 1)
    labels = rng.integers(0, 2, count).astype(np.float32) if labelled else None
    rows = FeatureRows.pairs(left, right, users + items)
    written = write_pairs(left, right, users + items, labels)
    assert written == sdk_write(rows, labels)
    again, read_labels = read_rows(written)
    assert_equal_rows(again, rows)
    assert (read_labels is None) == (not labelled)


def test_every_record_of_movielens_100k_takes_64_bytes():
    rng = np.random.default_rng(100)
    users, items = rng.integers(0, 943, 90_570), 943 + rng.integers(0, 1682, 90_570)
    assert len(write_pairs(users, items, 2625, np.ones(90_570, np.float32))) == 5_796_480


@given(
    counts=st.lists(st.integers(0, 70), min_size=1, max_size=12),
    dimension=st.integers(70, 2**31 - 2),
    labelled=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40)
def test_any_rows_are_written_as_the_sdk_writes_them(sdk_write, counts, dimension, labelled, seed):
    rng = np.random.default_rng(seed)
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    spread = (dimension - 1) ** rng.random(int(offsets[-1]))  # as many short as long varints
    columns = np.concatenate(
        [np.sort(part) for part in np.split(spread.astype(np.int64), offsets[1:-1])]
    )
    # Any bits at all: not-a-number, infinities and the magic number among them.
    bits = rng.integers(0, 2**32, columns.size, dtype=np.uint64).astype(np.uint32)
    rows = FeatureRows(offsets, columns, bits.view(np.float32), dimension)
    labels = rng.normal(size=len(counts)).astype(np.float32) if labelled else None
    written = write_rows(rows, labels)
    again, read_labels = read_rows(written)
    assert_equal_rows(again, rows)
    assert labels is None or np.array_equal(labels, read_labels)
    if not np.isnan(rows.values).any():  # Python's floats do not keep the bits of a NaN
        assert written == sdk_write(rows, labels)


@given(
    dimension=st.sampled_from([2, 3, 130, 16384, 16385, 70_000, 2**28, 2**28 + 1]),
    count=st.integers(0, 40),
    labelled=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_the_fast_writer_of_pairs_agrees_with_the_general_one(dimension, count, labelled, seed):
    rng = np.random.default_rng(seed)
    users = ((dimension - 1) ** rng.random(count)).astype(np.int64) - 1
    items = users + 1 + rng.integers(0, dimension - 1 - users) if count else users
    items = np.minimum(items, dimension - 1)
    labels = rng.normal(size=count).astype(np.float32) if labelled else None
    rows = FeatureRows.pairs(users, items, dimension)
    assert write_pairs(users, items, dimension, labels) == write_rows(rows, labels)


def test_the_magic_number_inside_a_payload_is_data(sdk_write):
    # The varints of these keys hold the four bytes of the magic number, on a multiple of four.
    found = 0
    for lead in range(8):
        columns = np.array([1] * lead + [10, 35, 26455], np.int64)
        value = np.frombuffer(MAGIC, np.float32)[0]
        values = np.full(columns.size, value, np.float32)
        rows = FeatureRows(
            np.array([0, columns.size, 2 * columns.size]),
            np.tile(columns, 2),
            np.concatenate((values, np.ones(columns.size, np.float32))),
            30_000,
        )
        labels = np.array([value, 1.0], np.float32)
        written = write_rows(rows, labels)
        found += written.count(MAGIC) > 2
        assert written == sdk_write(rows, labels)
        again, read_labels = read_rows(written)
        assert_equal_rows(again, rows)
        assert np.array_equal(read_labels, labels)
    assert found == 8


def test_the_sdk_reads_what_is_written(sdk):
    rng = np.random.default_rng(3)
    users, items = rng.integers(0, 300, 50), 300 + rng.integers(0, 20_000, 50)
    labels = rng.integers(0, 2, 50).astype(np.float32)
    records = sdk.read_records(io.BytesIO(write_pairs(users, items, 20_300, labels)))
    tensors = [record.features["values"].float32_tensor for record in records]
    assert [list(tensor.keys) for tensor in tensors] == np.stack([users, items], 1).tolist()
    assert [record.label["values"].float32_tensor.values[0] for record in records] == list(labels)


def test_no_rows_are_no_bytes():
    none = np.zeros(0, np.int64)
    assert write_pairs(none, none, 10, np.zeros(0, np.float32)) == b""
    assert write_rows(FeatureRows.pairs(none, none, 10), None) == b""
    rows, labels = read_rows(b"")
    assert (len(rows), labels) == (0, None)


@pytest.mark.parametrize(
    ("users", "items", "labels"),
    [
        ([0, 1], [5], None),
        ([0, -1], [5, 6], None),
        ([0, 1], [5, 10], None),
        ([0, 1], [5, 6], [1.0]),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_both_writers(users, items, labels):
    users, items = np.array(users), np.array(items)
    labels = None if labels is None else np.array(labels, np.float32)
    with pytest.raises(ShapeMismatchError):
        write_pairs(users, items, 10, labels)
    with pytest.raises(ShapeMismatchError):
        write_rows(FeatureRows.pairs(users, items, 10), labels)
