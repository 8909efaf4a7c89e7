"""RecordIO by hand."""

import struct

import numpy as np
from recommender.features import FeatureRows

MAGIC = bytes.fromhex("0a23d7ce")

# Two keys, 404 and 1052, of 2,625 columns, label 0: the record of the format's description.
ONE_RECORD = bytes.fromhex(
    "0a23d7ce 36000000 0a20 0a0676616c756573 1216 1214 0a08 0000803f0000803f 1204 9403 9c08"
    "1a02 c114 1212 0a0676616c756573 1208 1206 0a04 00000000 0000"
)


def framed(body: bytes) -> bytes:
    """A record of any body: magic number, length, body, and zeros up to a multiple of four."""
    return MAGIC + struct.pack("<I", len(body)) + body + b"\0" * (-len(body) % 4)


def assert_equal_rows(left: FeatureRows, right: FeatureRows) -> None:
    """Rows are the same to the last bit."""
    assert np.array_equal(left.offsets, right.offsets)
    assert np.array_equal(left.columns, right.columns)
    assert left.values.tobytes() == right.values.tobytes()
    assert left.dimension == right.dimension
