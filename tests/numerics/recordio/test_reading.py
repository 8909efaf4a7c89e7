"""Rows are read in every form that writers give them."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import DamagedRecordError
from recommender.features import FeatureRows
from recommender.recordio import reading
from recommender.recordio.reading import read_rows
from recommender.recordio.writing import write_pairs, write_rows

from testbed.numerics.records import assert_equal_rows, framed


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize(
    ("count", "dimension", "rows"),
    [
        (0, 10, 50),
        (1, 2**31 - 2, 400),
        (2, 2**14, 40_000),  # more than are looked at at once
        (2, 2**28, 300),
        (2, 2**31 - 2, 300),  # two keys of up to ten bytes
        (2, 2**31 - 2, 5),
        (2, 300, 7),
        (0, 10, 1),
        (3, 300, 300),
        (40, 10**6, 30),
    ],
)
def test_many_records_of_few_forms_are_read_as_they_were_written(count, dimension, rows, labelled):
    rng = np.random.default_rng(dimension)
    spread = (dimension - 1) ** rng.random((rows, count))  # as many short as long varints
    bits = rng.integers(0, 2**32, rows * count, dtype=np.uint64).astype(np.uint32)
    written = FeatureRows(
        np.arange(rows + 1) * count,
        np.sort(spread.astype(np.int64)).reshape(-1),
        bits.view(np.float32),
        dimension,
    )
    labels = rng.normal(size=rows).astype(np.float32) if labelled else None
    again, read_labels = read_rows(write_rows(written, labels))
    assert_equal_rows(again, written)
    assert labels.tobytes() == read_labels.tobytes() if labelled else read_labels is None


def pairs_of(columns, dimension, *, labelled) -> bytes:
    columns = np.array(columns, np.int64)
    labels = np.arange(len(columns), dtype=np.float32) if labelled else None
    return write_pairs(columns[:, 0], columns[:, 1], dimension, labels)


STREAMS = [
    pairs_of([[5, 20], [100, 90]], 127, labelled=True),
    pairs_of([[404, 1052], [7, 2000], [12, 13]], 2625, labelled=True),
    pairs_of([[404, 1052], [7, 2000], [900, 1000]], 2625, labelled=False),
    pairs_of([[3, 2**27], [2**27, 5], [2**20, 2**21]], 2**28, labelled=False),
]


STREAMS += [stream * 4 for stream in STREAMS]  # few records are read in another way than many


def outcome(data: bytes) -> tuple[object, ...]:
    """Everything that reading gives, or the refusal."""
    try:
        rows, labels = read_rows(data)
    except DamagedRecordError as error:
        return error.offset, str(error)
    parts = (rows.offsets, rows.columns, rows.values, labels)
    return rows.dimension, *(None if part is None else part.tobytes() for part in parts)


@given(
    stream=st.sampled_from(STREAMS),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3),
)
@settings(max_examples=400)
def test_a_common_form_is_read_as_any_other_is(stream, changes):
    data = bytearray(stream)
    for place, byte in changes:
        data[place % len(data)] = byte
    found = outcome(bytes(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "read_by_form", lambda *_: None)
        patch.setattr(reading, "_read_regular", refuse)
        assert outcome(bytes(data)) == found


def refuse(*_: object) -> None:
    raise reading._IrregularError


def test_dense_records_of_the_sdk_are_read_as_their_entries(sdk):
    dense = np.array([[0, 1.5, 0, -2], [0, 0, 0, 0], [4, 3, 2, 1]], np.float32)
    stream = io.BytesIO()
    sdk.write_numpy_to_dense_tensor(stream, dense, np.array([1, 0, 1], np.float32))
    rows, labels = read_rows(stream.getvalue())
    full = np.zeros(dense.shape, np.float32)
    full[np.repeat(np.arange(3), np.diff(rows.offsets)), rows.columns] = rows.values
    assert np.array_equal(full, dense)
    assert labels.tolist() == [1, 0, 1]


def test_a_record_with_unknown_fields_and_unpacked_numbers_is_read(sdk):
    tensor = b"\x0d" + struct.pack("<f", 2.5) + b"\x10\x07" + b"\x18\x0a"  # none of them packed
    value = b"\x12" + bytes([len(tensor)]) + tensor
    entry = b"\x0a\x06values\x12" + bytes([len(value)]) + value
    body = b"\x1a\x03uid" + b"\x0a" + bytes([len(entry)]) + entry
    data = framed(body)
    rows, labels = read_rows(data)
    (record,) = sdk.read_records(io.BytesIO(data))
    assert list(record.features["values"].float32_tensor.keys) == rows.columns.tolist() == [7]
    assert (rows.values.tolist(), rows.dimension, labels) == ([2.5], 10, None)
