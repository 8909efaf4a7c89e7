"""Damaged streams are refused, and the refusal names the byte."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import DamagedRecordError
from recommender.features import FeatureRows
from recommender.recordio.reading import read_rows
from recommender.recordio.writing import write_pairs, write_rows

from testbed.numerics.matrices import random_rows
from testbed.numerics.records import MAGIC, ONE_RECORD, framed


def test_a_length_near_the_largest_is_no_short_record():
    # With the pad it would pass 32 bits, and look like the empty ones before it.
    data = (MAGIC + bytes(4)) * 3 + MAGIC + b"\xff" * 4
    with pytest.raises(DamagedRecordError, match="4294967296 bytes, and 0 are left"):
        read_rows(data)


def sample() -> bytes:
    rows = random_rows([2, 2, 0, 5, 2], 300, np.random.default_rng(8), ascending=True)
    return write_rows(rows, np.ones(5, np.float32))


def damage_found(data: bytes) -> int | None:
    """The byte that a refusal names; nothing if the rows were read and are consistent."""
    try:
        rows, labels = read_rows(data)
    except DamagedRecordError as error:
        return error.offset
    rows.check()
    assert labels is None or labels.size == len(rows)
    return None


def test_a_stream_cut_anywhere_but_between_records_is_refused():
    data = sample()
    whole = {0, len(data)}
    at = 0
    while at < len(data):
        at += 8 + (struct.unpack_from("<I", data, at + 4)[0] + 3 & ~3)
        whole.add(at)
    for cut in range(len(data)):
        if cut in whole:
            assert len(read_rows(data[:cut])[0]) < 5
        else:
            with pytest.raises(DamagedRecordError):
                read_rows(data[:cut])


@given(place=st.integers(0, len(sample()) - 1), byte=st.integers(0, 255))
@settings(max_examples=300)
def test_a_changed_byte_gives_consistent_rows_or_a_damaged_record(place, byte):
    data = bytearray(sample())
    data[place] = byte
    offset = damage_found(bytes(data))
    assert offset is None or 0 <= offset <= len(data)


@given(data=st.binary(max_size=200))
@settings(max_examples=200)
def test_any_body_gives_rows_or_a_damaged_record(data):
    offset = damage_found(ONE_RECORD + framed(data))
    assert offset is None or offset >= len(ONE_RECORD)


def test_a_wrong_magic_number_is_named_by_its_byte():
    data = bytearray(ONE_RECORD * 3)
    data[2 * len(ONE_RECORD)] ^= 1
    with pytest.raises(DamagedRecordError) as caught:
        read_rows(bytes(data))
    assert caught.value.offset == 2 * len(ONE_RECORD)
    assert "0xced7230b" in str(caught.value)


def test_numbers_that_are_not_float32_are_refused_by_name(sdk, sdk_write):
    rows = random_rows([2, 2], 10, np.random.default_rng(1), ascending=True)
    doubles = FeatureRows(rows.offsets, rows.columns, rows.values.astype(np.float64), 10)
    with pytest.raises(DamagedRecordError, match="float64_tensor"):
        read_rows(sdk_write(doubles, None))
    with pytest.raises(DamagedRecordError, match="int32_tensor"):
        read_rows(sdk_write(rows, np.array([0, 1])))


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (write_pairs(np.array([1]), np.array([2]), 99, np.ones(1, np.float32)), "99 columns"),
        (write_pairs(np.array([1]), np.array([2]), 2625, None), "some have none"),
        (MAGIC + bytes(4), "no feature tensor"),
    ],
)
def test_records_that_do_not_belong_together_are_refused(second, reason):
    with pytest.raises(DamagedRecordError, match=reason) as caught:
        read_rows(ONE_RECORD + second)
    assert caught.value.offset >= len(ONE_RECORD)


def test_a_key_that_runs_over_the_end_of_its_row_is_refused():
    rows = FeatureRows(
        np.array([0, 2, 4]), np.array([5, 20, 3, 1031]), np.ones(4, np.float32), 100_000
    )
    data = write_rows(rows, None)
    # As many numbers as values, but the second one begins in one row and ends in the next.
    data = data.replace(bytes.fromhex("12020514"), bytes.fromhex("12020594"))
    data = data.replace(bytes.fromhex("1203038708"), bytes.fromhex("1203030708"))
    with pytest.raises(DamagedRecordError, match="cut"):
        read_rows(data)


def test_a_key_outside_the_shape_is_refused():
    data = ONE_RECORD.replace(bytes.fromhex("9c08"), bytes.fromhex("c114"))  # 2625 of 2625
    with pytest.raises(DamagedRecordError, match="key 2625"):
        read_rows(data)
