"""Model archives: both layouts, the same bytes every time, and nothing hostile gets through.

The files ``fixtures/mxnet-1.9.1-*.params`` were written by MXNet (``python -m testbed.mxnet``).
What it makes of our own files is tested by ``make oracle``.
"""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommender.errors import DamagedArtifactError
from recommender.model import artifact
from recommender.model.artifact import (
    pack_archive,
    read_artifact,
    read_model_zip,
    write_artifact,
    write_model_zip,
)
from recommender.model.machine import FactorizationMachine, LikeLink

FIXTURES = Path(__file__).parent / "fixtures"
WHERE = "s3://bucket/model.tar.gz"

# What the fixtures hold.
FACTORS = np.arange(15).reshape(5, 3) / 8 - 0.5
LINEAR = np.arange(5) / 4 - 0.5
LINEAR_COLUMN = LINEAR.reshape(-1, 1)
BIAS = 0.25


def make_machine(dimension=40, rank=3, predictor_type="binary_classifier"):
    rng = np.random.default_rng(dimension)
    return FactorizationMachine(
        bias=float(np.float32(rng.normal())),
        linear=rng.normal(size=dimension).astype(np.float32),
        factors=rng.normal(size=(dimension, rank)).astype(np.float32),
        predictor_type=predictor_type,
    )


def make_zip(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_json", ".json"), content)
    return stream.getvalue()


def make_tar(members: dict[str, bytes], form=tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=form) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def v2(array, storage=0, kind=0) -> bytes:
    array = np.asarray(array)
    return (
        struct.pack(f"<IiI{array.ndim}q", 0xF993FAC9, storage, array.ndim, *array.shape)
        + struct.pack("<iii", 1, 0, kind)
        + array.astype({0: "<f4", 1: "<f8"}.get(kind, "<f4")).tobytes()
    )


def make_params(arrays: dict[str, bytes]) -> bytes:
    names = [struct.pack("<Q", len(name)) + name.encode() for name in arrays]
    count = struct.pack("<Q", len(arrays))
    return (
        struct.pack("<QQ", 0x112, 0) + count + b"".join(arrays.values()) + count + b"".join(names)
    )


def layout_1(factors=FACTORS, linear=LINEAR_COLUMN, bias=(BIAS,)) -> dict[str, bytes]:
    return {"arg:v": v2(factors), "arg:w1_weight": v2(linear), "arg:w0_weight": v2(bias)}


def assert_is_the_fixture(machine: FactorizationMachine) -> None:
    assert np.array_equal(machine.factors, FACTORS)
    assert np.array_equal(machine.linear, LINEAR)
    assert machine.bias == BIAS


@pytest.mark.parametrize("predictor_type", ["binary_classifier", "regressor"])
@pytest.mark.parametrize(("dimension", "rank"), [(40, 3), (3, 40), (7, 7), (1, 2), (2625, 64)])
def test_a_model_is_read_back_as_it_was_written(dimension, rank, predictor_type):
    machine = make_machine(dimension, rank, predictor_type)
    again = read_artifact(write_artifact(machine, {"epochs": "25"}), WHERE)
    assert np.array_equal(again.factors, machine.factors)
    assert np.array_equal(again.linear, machine.linear)
    assert (again.bias, again.predictor_type) == (machine.bias, predictor_type)
    assert (again.factors.dtype, again.linear.dtype) == (np.float32, np.float32)


def meta(**parameters: object) -> bytes:
    return json.dumps({"training_parameters": parameters}).encode()


def test_how_ratings_become_likes_is_read_back_to_the_last_bit():
    link = LikeLink(0.1 + 0.2, -1 / 3)
    machine = replace(make_machine(predictor_type="regressor"), like_link=link)
    written = write_model_zip(machine, {"like_threshold": "4"})
    assert read_model_zip(written, WHERE).like_link == link
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        told = json.loads(archive.read("meta.json"))["training_parameters"]
    assert (float(told["like_scale"]), float(told["like_shift"])) == (link.scale, link.shift)


def test_numbers_instead_of_texts_tell_how_ratings_become_likes_too():
    told = meta(predictor_type="regressor", like_scale=1.5, like_shift=-5)
    machine = read_model_zip(make_zip(params=make_params(layout_1()), meta_json=told), WHERE)
    assert machine.like_link == LikeLink(1.5, -5.0)


def test_a_regressor_that_tells_nothing_of_likes_has_no_link():
    machine = read_model_zip(write_model_zip(make_machine(predictor_type="regressor"), {}), WHERE)
    assert machine.like_link is None


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"like_scale": "1.5"}, "like_scale without like_shift"),
        ({"like_shift": "1.5"}, "like_shift without like_scale"),
        ({"like_scale": "1.5", "like_shift": "nan"}, "like_shift 'nan', expected two finite"),
        ({"like_scale": "-inf", "like_shift": "0"}, "like_scale '-inf'"),
        ({"like_scale": "1e999", "like_shift": "0"}, "like_scale '1e999'"),
        ({"like_scale": "much", "like_shift": "0"}, "like_scale 'much'"),
        ({"like_scale": None, "like_shift": "0"}, "like_scale 'None'"),
        ({"like_scale": "", "like_shift": "0"}, "like_scale ''"),
    ],
)
def test_a_like_link_that_is_half_there_or_no_number_is_refused(told, reason):
    told = meta(predictor_type="regressor", **told)
    with pytest.raises(DamagedArtifactError, match=reason) as caught:
        read_model_zip(make_zip(params=make_params(layout_1()), meta_json=told), WHERE)
    assert str(caught.value).startswith(f"{WHERE}: meta.json ")


def test_a_classifier_with_a_like_link_is_refused():
    told = meta(predictor_type="binary_classifier", like_scale="1", like_shift="0")
    with pytest.raises(DamagedArtifactError, match="predictor_type binary_classifier"):
        read_model_zip(make_zip(params=make_params(layout_1()), meta_json=told), WHERE)


@pytest.mark.parametrize("form", ["layout-1", "layout-2", "float64", "float16", "numpy-shapes"])
def test_what_mxnet_wrote_is_read(form):
    params = (FIXTURES / f"mxnet-1.9.1-{form}.params").read_bytes()
    assert_is_the_fixture(read_model_zip(make_zip(params=params), WHERE))


def test_row_sparse_weights_that_mxnet_wrote_are_read():
    params = (FIXTURES / "mxnet-1.9.1-row-sparse.params").read_bytes()
    machine = read_model_zip(make_zip(params=params), WHERE)
    assert np.array_equal(machine.factors, FACTORS * np.isin(np.arange(5), [1, 3])[:, None])
    assert np.array_equal(machine.linear, LINEAR * np.isin(np.arange(5), [0, 4]))


def test_row_sparse_weights_without_a_row_are_zeros():
    params = (FIXTURES / "mxnet-1.9.1-row-sparse-without-rows.params").read_bytes()
    machine = read_model_zip(make_zip(params=params), WHERE)
    assert np.array_equal(machine.factors, np.zeros((5, 3)))
    assert np.array_equal(machine.linear, np.zeros(5))
    assert machine.bias == BIAS


@pytest.mark.parametrize(
    ("form", "reason"), [("csr", "storage type 2"), ("int32", "number type 4")]
)
def test_forms_that_no_training_writes_are_refused_by_name(form, reason):
    params = (FIXTURES / f"mxnet-1.9.1-{form}.params").read_bytes()
    with pytest.raises(DamagedArtifactError, match=reason):
        read_model_zip(make_zip(params=params), WHERE)


def test_params_are_written_as_mxnet_writes_them():
    machine = FactorizationMachine(BIAS, LINEAR.astype(np.float32), FACTORS.astype(np.float32))
    written = write_model_zip(machine, {})
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert archive.read("params") == (FIXTURES / "mxnet-1.9.1-layout-1.params").read_bytes()


@pytest.mark.parametrize("version", [0, 1])
def test_arrays_of_older_versions_are_read(version):
    def old(array):
        array = np.asarray(array)
        if version:
            head = struct.pack(f"<II{array.ndim}q", 0xF993FAC8, array.ndim, *array.shape)
        else:
            head = struct.pack(f"<I{array.ndim}I", array.ndim, *array.shape)
        return head + struct.pack("<iii", 1, 0, 0) + array.astype("<f4").tobytes()

    arrays = {"v": old(FACTORS), "w1_weight": old(LINEAR_COLUMN), "w0_weight": old([BIAS])}
    assert_is_the_fixture(read_model_zip(make_zip(params=make_params(arrays)), WHERE))


def test_doubles_are_read():
    arrays = {**layout_1(), "arg:v": v2(FACTORS, kind=1)}
    assert_is_the_fixture(read_model_zip(make_zip(params=make_params(arrays)), WHERE))


@pytest.mark.parametrize("square", [True, False])
def test_the_names_decide_how_square_factors_lie_and_the_sizes_how_others_do(square):
    size = 3 if square else 5
    factors, linear = FACTORS[:size], LINEAR[:size]
    first = layout_1(factors, linear.reshape(-1, 1))
    turned = layout_1(factors if square else factors.T, linear.reshape(-1, 1))
    second = {
        "arg:v": v2(factors.T),
        "arg:Linear_Plus_Bias_weight": v2(linear.reshape(1, -1)),
        "arg:Linear_Plus_Bias_bias": v2([BIAS]),
    }
    for arrays in (first, turned, second):
        machine = read_model_zip(make_zip(params=make_params(arrays)), WHERE)
        assert np.array_equal(machine.factors, factors)


def test_the_same_model_gives_the_same_bytes(monkeypatch):
    before = write_artifact(make_machine(), {"epochs": "3", "mini_batch_size": "300"})
    monkeypatch.setattr("time.time", lambda: 4e9)
    after = write_artifact(make_machine(), {"mini_batch_size": "300", "epochs": "3"})
    assert before == after
    assert before[4:8] == bytes(4)  # gzip's own time


def test_the_archive_holds_what_sagemaker_s_holds():
    machine = make_machine(6, 2, "regressor")
    data = write_artifact(machine, {"epochs": "3", "feature_dim": "wrong"})
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        assert archive.getnames() == ["model_algo-1"]
        inner = archive.extractfile("model_algo-1").read()
    assert inner == write_model_zip(machine, {"epochs": "3"})
    with zipfile.ZipFile(io.BytesIO(inner)) as model:
        assert model.namelist() == ["symbol.json", "params", "meta.json"]
        assert {member.date_time for member in model.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(model.read("meta.json"))["training_parameters"] == {
            "epochs": "3",
            "feature_dim": "6",
            "num_factors": "2",
            "predictor_type": "regressor",
        }


def test_the_graph_computes_the_scores_of_the_model():
    # The operators of the graph in numpy; MXNet itself computes it in `make oracle`.
    operators = {
        "dot": lambda a, b: a @ b,
        "square": np.square,
        "elemwise_sub": np.subtract,
        "elemwise_add": np.add,
        "broadcast_add": np.add,
        "sum": lambda a, axis, keepdims: a.sum(axis=int(axis), keepdims=keepdims == "True"),
        "_mul_scalar": lambda a, scalar: a * float(scalar),
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    }
    for kind in ("regressor", "binary_classifier"):
        machine = make_machine(6, 2, kind)
        with zipfile.ZipFile(io.BytesIO(write_model_zip(machine, {}))) as archive:
            graph = json.loads(archive.read("symbol.json"))
        x = np.random.default_rng(0).normal(size=(4, 6))
        inputs = {"data": x, "v": machine.factors, "w1_weight": machine.linear.reshape(-1, 1)}
        inputs["w0_weight"] = np.array([machine.bias])
        values = []
        for node in graph["nodes"]:
            if node["op"] == "null":
                values.append(inputs[node["name"]].astype(float))
                continue
            arguments = [values[place] for place, _, _ in node["inputs"]]
            values.append(operators[node["op"]](*arguments, **node.get("attrs", {})))
        pairs = (machine.factors @ machine.factors.T).astype(float)
        raw = machine.bias + x @ machine.linear + np.einsum("ni,nj,ij->n", x, x, np.triu(pairs, 1))
        expected = raw if kind == "regressor" else 1 / (1 + np.exp(-raw))
        np.testing.assert_allclose(values[graph["heads"][0][0]][:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["model_algo-1", "./model_algo-1", "model/model_algo-1"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_any_tar_that_holds_the_member_is_read(name, form):
    inner = make_zip(params=make_params(layout_1()))
    data = make_tar({"./": b"", "notes.txt": b"x" * 9999, name: inner, "after": b"y"}, form)
    assert_is_the_fixture(read_artifact(data, WHERE))


def test_archives_are_packed_in_the_order_of_their_names():
    assert pack_archive({"b": b"2", "a": b"1"}) == pack_archive({"a": b"1", "b": b"2"})


def test_a_model_that_says_nothing_of_its_kind_is_a_classifier():
    machine = read_model_zip(make_zip(params=make_params(layout_1())), WHERE)
    assert machine.predictor_type == "binary_classifier"


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
    ("meta", "reason"),
    [
        ({"feature_dim": 6}, "feature_dim 6, and params have 5"),
        ({"num_factors": "64"}, "num_factors 64, and params have 3"),
        ({"predictor_type": "ranker"}, "ranker"),
    ],
)
def test_meta_that_contradicts_the_weights_is_refused(meta, reason):
    data = make_zip(
        params=make_params(layout_1()), meta_json=json.dumps({"training_parameters": meta}).encode()
    )
    with pytest.raises(DamagedArtifactError, match=reason):
        read_model_zip(data, WHERE)


@pytest.mark.parametrize(
    "meta", [b"{", b"\xff", b"[]", b'{"training_parameters": 3}', b"[" * 100_000]
)
def test_meta_that_is_no_object_is_refused(meta):
    with pytest.raises(DamagedArtifactError, match=r"meta\.json"):
        read_model_zip(make_zip(params=make_params(layout_1()), meta_json=meta), WHERE)


def test_numbers_in_meta_count_as_their_text():
    meta = {"training_parameters": {"feature_dim": 5, "predictor_type": "regressor", "eps": None}}
    data = make_zip(params=make_params(layout_1()), meta_json=json.dumps(meta).encode())
    assert read_model_zip(data, WHERE).predictor_type == "regressor"


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
