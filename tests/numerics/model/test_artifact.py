"""Model archives: both layouts, and the same bytes every time.

The files ``fixtures/mxnet-1.9.1-*.params`` were written by MXNet (``python -m
testbed.numerics.mxnet``). What it makes of our own files is tested by ``make oracle``.
"""

import io
import json
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from recommender.errors import DamagedArtifactError
from recommender.model.artifact import (
    pack_archive,
    read_artifact,
    read_model_zip,
    write_artifact,
    write_model_zip,
)
from recommender.model.machine import FactorizationMachine

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


@pytest.mark.parametrize("predictor_type", ["binary_classifier", "regressor"])
@pytest.mark.parametrize(("dimension", "rank"), [(40, 3), (3, 40), (7, 7), (1, 2), (2625, 64)])
def test_a_model_is_read_back_as_it_was_written(dimension, rank, predictor_type):
    machine = make_machine(dimension, rank, predictor_type)
    again = read_artifact(write_artifact(machine, {"epochs": "25"}), WHERE)
    assert np.array_equal(again.factors, machine.factors)
    assert np.array_equal(again.linear, machine.linear)
    assert (again.bias, again.predictor_type) == (machine.bias, predictor_type)
    assert (again.factors.dtype, again.linear.dtype) == (np.float32, np.float32)


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
