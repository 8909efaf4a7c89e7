"""RecordIO-protobuf against the SageMaker Python SDK's own writer and reader."""

import io
import struct
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import DamagedRecordError, ShapeMismatchError
from recommender.features import FeatureRows
from recommender.recordio import reading
from recommender.recordio.reading import read_predictions, read_rows
from recommender.recordio.writing import write_pairs, write_predictions, write_rows

MAGIC = bytes.fromhex("0a23d7ce")

# Two keys, 404 and 1052, of 2,625 columns, label 0: the record of the format's description.
ONE_RECORD = bytes.fromhex(
    "0a23d7ce 36000000 0a20 0a0676616c756573 1216 1214 0a08 0000803f0000803f 1204 9403 9c08"
    "1a02 c114 1212 0a0676616c756573 1208 1206 0a04 00000000 0000"
)


@pytest.fixture(scope="session")
def sdk():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sagemaker.amazon.common as common
    return common


@pytest.fixture(scope="session")
def sdk_write(sdk) -> Callable[..., bytes]:
    from scipy.sparse import csr_matrix

    def write(rows: FeatureRows, labels) -> bytes:
        stream = io.BytesIO()
        matrix = csr_matrix(
            (rows.values, rows.columns, rows.offsets), shape=(len(rows), rows.dimension)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sdk.write_spmatrix_to_sparse_tensor(stream, matrix, labels)
        return stream.getvalue()

    return write


def make_rows(counts, dimension, rng) -> FeatureRows:
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    columns = [np.sort(rng.choice(dimension, count, replace=False)) for count in counts]
    return FeatureRows(
        offsets,
        np.concatenate([*columns, np.zeros(0, np.int64)]).astype(np.int64),
        rng.normal(size=int(offsets[-1])).astype(np.float32),
        dimension,
    )


def assert_equal_rows(left: FeatureRows, right: FeatureRows) -> None:
    assert np.array_equal(left.offsets, right.offsets)
    assert np.array_equal(left.columns, right.columns)
    assert left.values.tobytes() == right.values.tobytes()
    assert left.dimension == right.dimension


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
    rows = make_rows(counts, 100_000, rng)
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


def test_a_length_near_the_largest_is_no_short_record():
    # With the pad it would pass 32 bits, and look like the empty ones before it.
    data = (MAGIC + bytes(4)) * 3 + MAGIC + b"\xff" * 4
    with pytest.raises(DamagedRecordError, match="4294967296 bytes, and 0 are left"):
        read_rows(data)


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
    data = MAGIC + struct.pack("<I", len(body)) + body + b"\0" * (-len(body) % 4)
    rows, labels = read_rows(data)
    (record,) = sdk.read_records(io.BytesIO(data))
    assert list(record.features["values"].float32_tensor.keys) == rows.columns.tolist() == [7]
    assert (rows.values.tolist(), rows.dimension, labels) == ([2.5], 10, None)


def test_no_rows_are_no_bytes():
    none = np.zeros(0, np.int64)
    assert write_pairs(none, none, 10, np.zeros(0, np.float32)) == b""
    assert write_rows(FeatureRows.pairs(none, none, 10), None) == b""
    rows, labels = read_rows(b"")
    assert (len(rows), labels) == (0, None)


def sample() -> bytes:
    rows = make_rows([2, 2, 0, 5, 2], 300, np.random.default_rng(8))
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
    framed = MAGIC + struct.pack("<I", len(data)) + data + b"\0" * (-len(data) % 4)
    offset = damage_found(ONE_RECORD + framed)
    assert offset is None or offset >= len(ONE_RECORD)


def test_a_wrong_magic_number_is_named_by_its_byte():
    data = bytearray(ONE_RECORD * 3)
    data[2 * len(ONE_RECORD)] ^= 1
    with pytest.raises(DamagedRecordError) as caught:
        read_rows(bytes(data))
    assert caught.value.offset == 2 * len(ONE_RECORD)
    assert "0xced7230b" in str(caught.value)


def test_numbers_that_are_not_float32_are_refused_by_name(sdk, sdk_write):
    rows = make_rows([2, 2], 10, np.random.default_rng(1))
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


@pytest.mark.parametrize("with_classes", [True, False])
def test_predictions_are_read_back_and_by_the_sdk(sdk, with_classes):
    rng = np.random.default_rng(0)
    scores = rng.random(33).astype(np.float32)
    classes = (scores >= 0.5).astype(np.float32) if with_classes else None
    data = write_predictions(scores, classes)
    read_scores, read_classes = read_predictions(data)
    assert np.array_equal(read_scores, scores)
    assert (read_classes is None) if classes is None else np.array_equal(read_classes, classes)
    records = sdk.read_records(io.BytesIO(data))
    assert [r.label["score"].float32_tensor.values[0] for r in records] == scores.tolist()
    assert ("predicted_label" in records[0].label) == with_classes


def test_the_sdk_reads_like_probabilities_beside_ratings(sdk):
    ratings = np.array([3.5, -1.0, 5.25], np.float32)
    likes = np.array([0.25, 0.0, 1.0])
    data = write_predictions(ratings, None, likes)
    records = [record.label for record in sdk.read_records(io.BytesIO(data))]
    assert [set(label) for label in records] == [{"score", "like_probability"}] * 3
    told = [
        [label[name].float32_tensor.values[0] for label in records]
        for name in ("score", "like_probability")
    ]
    assert told == [ratings.tolist(), likes.tolist()]
    read_ratings, classes = read_predictions(data)
    assert (read_ratings.tolist(), classes) == (ratings.tolist(), None)


def test_as_many_like_probabilities_as_scores_are_needed():
    with pytest.raises(ShapeMismatchError):
        write_predictions(np.zeros(2), None, np.zeros(3))


def test_predictions_are_read_whatever_the_order_of_their_map(sdk):
    from sagemaker.amazon.record_pb2 import Record

    data, scores = b"", [0.25, 0.75, 0.5]
    for score in scores:
        record = Record()
        record.uid = "x"
        record.label["predicted_label"].float32_tensor.values.append(score > 0.5)
        record.label["score"].float32_tensor.values.append(score)
        body = record.SerializeToString()
        data += MAGIC + struct.pack("<I", len(body)) + body + b"\0" * (-len(body) % 4)
    read_scores, read_classes = read_predictions(data)
    assert (read_scores.tolist(), read_classes.tolist()) == (scores, [0, 1, 0])


def test_predictions_without_a_score_are_refused():
    with pytest.raises(DamagedRecordError, match="score"):
        read_predictions(ONE_RECORD)
    assert read_predictions(b"")[0].size == 0
