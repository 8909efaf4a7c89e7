"""Model archives that are damaged or hostile: nothing gets through, and what is wrong is said."""

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import DamagedArtifactError
from recommender.model import artifact
from recommender.model.artifact import (
    read_artifact,
    read_model_zip,
    write_artifact,
    write_model_zip,
)

from testbed.numerics.artifacts import (
    BIAS,
    FACTORS,
    LINEAR,
    LINEAR_COLUMN,
    WHERE,
    assert_is_the_fixture,
    layout_1,
    make_machine,
    make_params,
    make_tar,
    make_zip,
    v2,
)
from testbed.numerics.mxnet import FIXTURES
from testbed.ratings import hostile


def test_an_archive_cut_anywhere_is_refused():
    data = write_artifact(make_machine(12, 2), {"epochs": "3"})
    for cut in range(len(data)):
        with pytest.raises(DamagedArtifactError, match=r"s3://bucket/model\.tar\.gz"):
            read_artifact(data[:cut], WHERE)


def test_a_zip_cut_anywhere_is_refused():
    data = write_model_zip(make_machine(12, 2), {"epochs": "3"})
    for cut in range(len(data)):
        with pytest.raises(DamagedArtifactError):
            read_model_zip(data[:cut], WHERE)


def test_params_cut_anywhere_are_refused():
    params = (FIXTURES / "mxnet-1.9.1-row-sparse.params").read_bytes()
    for cut in range(len(params)):
        with pytest.raises(DamagedArtifactError):
            read_model_zip(make_zip(params=params[:cut]), WHERE)


@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4)
)
@settings(max_examples=300)
def test_changed_params_give_finite_weights_or_a_refusal(changes):
    params = bytearray((FIXTURES / "mxnet-1.9.1-row-sparse.params").read_bytes())
    for place, byte in changes:
        params[place % len(params)] = byte
    try:
        machine = read_model_zip(make_zip(params=bytes(params)), WHERE)
    except DamagedArtifactError:
        return
    assert np.isfinite(machine.factors).all()
    assert machine.factors.shape[0] == machine.dimension


@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4)
)
@settings(max_examples=300)
def test_a_changed_zip_gives_finite_weights_or_a_refusal(changes):
    data = bytearray(write_model_zip(make_machine(5, 2), {"epochs": "3"}))
    for place, byte in changes:
        data[place % len(data)] = byte
    try:
        machine = read_model_zip(bytes(data), WHERE)
    except DamagedArtifactError:
        return
    assert np.isfinite(machine.factors).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["factors", "linear", "bias"])
def test_weights_that_are_not_finite_are_refused(part, bad):
    whole = {"factors": FACTORS, "linear": LINEAR_COLUMN, "bias": np.array([BIAS])}
    damaged = whole[part].copy()
    damaged.flat[-1] = bad
    with pytest.raises(DamagedArtifactError, match="not finite"):
        read_model_zip(make_zip(params=make_params(layout_1(**{part: damaged}))), WHERE)


def test_a_double_beyond_float32_is_refused():
    arrays = {**layout_1(), "arg:v": v2(FACTORS * 1e300, kind=1)}
    with pytest.raises(DamagedArtifactError, match="not finite"):
        read_model_zip(make_zip(params=make_params(arrays)), WHERE)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (layout_1(factors=FACTORS[:4]), r"\(4, 3\) beside 5"),
        (layout_1(factors=FACTORS.reshape(5, 3, 1)), r"\(5, 3, 1\) beside 5"),
        (layout_1(linear=LINEAR[:4].reshape(2, 2)), r"\(2, 2\)"),
        (layout_1(bias=(1.0, 2.0)), r"\(2,\)"),
        ({"arg:v": v2(FACTORS)}, "no known set"),
        ({"w1_weight": v2(LINEAR), "w0_weight": v2([1.0])}, "no known set"),
        ({**layout_1(), "arg:v": v2(FACTORS, storage=2)}, "storage type 2"),
        ({**layout_1(), "arg:v": v2(FACTORS, kind=3)}, "number type 3"),
        ({**layout_1(), "v": v2(FACTORS)}, "twice"),
        ({**layout_1(), "arg:v": struct.pack("<IiI2q", 0xF993FAC9, 0, 2, 1 << 40, 64)}, "larger"),
        ({**layout_1(), "arg:v": struct.pack("<IiI2q", 0xF993FAC9, 0, 2, -5, 3)}, "shape"),
        ({**layout_1(), "arg:v": struct.pack("<IiI", 0xF993FAC9, 0, 0)}, "0 axes"),
        ({**layout_1(), "arg:v": struct.pack("<I", 0xDEADBEEF)}, "axes"),
    ],
)
def test_params_that_do_not_fit_are_refused(arrays, reason):
    with pytest.raises(DamagedArtifactError, match=reason):
        read_model_zip(make_zip(params=make_params(arrays)), WHERE)


def test_bytes_behind_the_last_name_are_refused():
    with pytest.raises(DamagedArtifactError, match="1 bytes follow"):
        read_model_zip(make_zip(params=make_params(layout_1()) + b"x"), WHERE)


def test_a_sparse_array_cannot_ask_for_all_memory():
    sparse = struct.pack("<IiI2qI2q", 0xF993FAC9, 1, 2, 0, 1 << 20, 2, 1 << 20, 1 << 20)
    sparse += struct.pack("<iiiiIq", 1, 0, 0, 6, 1, 0)
    with pytest.raises(DamagedArtifactError, match="larger than this reader takes"):
        read_model_zip(make_zip(params=make_params({**layout_1(), "arg:v": sparse})), WHERE)


@pytest.mark.parametrize(
    "name", ["../model_algo-1", "/model_algo-1", "a/../../model_algo-1", "..\\x"]
)
def test_a_tar_with_a_name_that_leaves_its_folder_is_refused(name):
    inner = make_zip(params=make_params(layout_1()))
    for data in (make_tar({name: inner}), make_tar({"model_algo-1": inner, name: b""})):
        with pytest.raises(DamagedArtifactError, match="is named"):
            read_artifact(data, WHERE)


def test_a_zip_with_a_name_that_leaves_its_folder_is_refused():
    stream = io.BytesIO(make_zip(params=make_params(layout_1())))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("../params", b"")
    with pytest.raises(DamagedArtifactError, match="is named"):
        read_model_zip(stream.getvalue(), WHERE)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_a_member_that_is_no_plain_file_is_refused(kind):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("model_algo-1")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(DamagedArtifactError, match="not a plain file"):
        read_artifact(stream.getvalue(), WHERE)


def test_a_member_that_claims_an_impossible_size_is_refused_before_it_is_read():
    member = tarfile.TarInfo("model_algo-1")
    member.size = 1 << 40
    data = gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(DamagedArtifactError, match="claims 1099511627776 bytes"):
        read_artifact(data, WHERE)


def test_an_archive_that_inflates_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(artifact, "_MOST_BYTES", 1 << 20)
    inner = make_zip(params=make_params(layout_1()))
    assert_is_the_fixture(read_artifact(make_tar({"model_algo-1": inner}), WHERE))
    for members in (
        {"padding": bytes(1 << 24), "model_algo-1": inner},
        {"model_algo-1": inner, "padding": bytes(1 << 24)},
    ):
        with pytest.raises(DamagedArtifactError, match="inflates to more than 1048576 bytes"):
            read_artifact(make_tar(members), WHERE)


def test_params_that_inflate_past_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(artifact, "_MOST_BYTES", 1 << 20)
    with pytest.raises(DamagedArtifactError, match="params claims 2097152 bytes"):
        read_model_zip(make_zip(params=bytes(1 << 21)), WHERE)


def test_an_archive_of_a_few_kilobytes_that_says_it_is_a_gigabyte_is_refused_by_saying_so():
    data = hostile.model_archive(256 << 20)
    assert len(data) < 4000
    tracemalloc.start()
    with pytest.raises(DamagedArtifactError, match="params claims 268435456 bytes; 67108864 are"):
        read_artifact(data, WHERE)
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_an_archive_may_unpack_to_as_many_times_its_size_as_weights_do(monkeypatch):
    monkeypatch.setattr(artifact, "_RATIO_IS_CHECKED_FROM", 1)
    data = write_artifact(make_machine(2000, 8), {"epochs": "3"})
    assert read_artifact(data, WHERE).dimension == 2000


def test_two_models_in_one_archive_are_refused():
    inner = make_zip(params=make_params(layout_1()))
    with pytest.raises(DamagedArtifactError, match="twice"):
        read_artifact(make_tar({"model_algo-1": inner, "a/model_algo-1": inner}), WHERE)


def test_a_tar_of_very_many_members_is_refused():
    with pytest.raises(DamagedArtifactError, match="members"):
        read_artifact(make_tar({str(number): b"" for number in range(1001)}), WHERE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an archive",
        gzip.compress(b""),
        gzip.compress(b"not a tar"),
        make_tar({}),
        make_tar({"other": b"x"}),
        make_tar({"model_algo-1": b"not a zip"}),
        make_tar({"model_algo-1": make_zip(meta_json=b"{}")}),
    ],
)
def test_what_holds_no_model_is_refused(data):
    with pytest.raises(DamagedArtifactError):
        read_artifact(data, WHERE)
