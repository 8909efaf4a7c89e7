"""Our artifacts read and computed by MXNet, and MXNet's files read by us: ``make oracle``."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from factorization_machines import warm_up
from factorization_machines.job.train import train
from factorization_machines.process.paths import MODEL_FILE, Paths
from recommender.errors import DamagedArtifactError
from recommender.features import FeatureRows
from recommender.model.artifact import pack_archive, read_artifact, read_model_zip, write_model_zip
from recommender.model.machine import FactorizationMachine, predict
from recommender.model.ndarrays import read_arrays

from testbed.numerics import mxnet
from testbed.numerics.mxnet import Written

KINDS = ("binary_classifier", "regressor")
SIZES = ((1, 2), (3, 40), (7, 7), (40, 3), (2625, 64))
DRAWN = [f"{kind}-{dimension}-{rank}" for kind in KINDS for dimension, rank in SIZES]
TRAINED = list(warm_up.JOBS)
MOST_NUMBERS = 1 << 24
WHERE = "model"


def drawn_machine(name):
    kind, dimension, rank = name.rsplit("-", 2)
    rng = np.random.default_rng([int(dimension), int(rank)])
    return FactorizationMachine(
        bias=float(np.float32(rng.normal())),
        linear=rng.normal(size=int(dimension)).astype(np.float32),
        factors=(0.3 * rng.normal(size=(int(dimension), int(rank)))).astype(np.float32),
        predictor_type=kind,
    )


def some_rows(dimension):
    """Rows of no, one, two and many features, with values of either sign."""
    rng = np.random.default_rng(dimension)
    chosen = [
        np.sort(rng.permutation(dimension)[: min(count, dimension)])
        for count in (0, 1, 2, 2, 3, 20)
        for _ in range(5)
    ]
    columns = np.concatenate(chosen)
    return FeatureRows(
        offsets=np.concatenate([[0], np.cumsum([len(row) for row in chosen])]),
        columns=columns,
        values=rng.choice([1.0, 1.0, -0.5, 2.25], columns.size).astype(np.float32),
        dimension=dimension,
    )


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """``model_algo-1`` by name: drawn at random, and trained in every way that there is."""
    found = {name: write_model_zip(drawn_machine(name), {"epochs": "3"}) for name in DRAWN}
    for name in TRAINED:
        root = tmp_path_factory.mktemp(name)
        warm_up.lay_out(root, name)
        train(Paths(root))
        found[name] = (root / "model" / MODEL_FILE).read_bytes()
    return found


@pytest.fixture(scope="session")
def read_by_mxnet(models, tmp_path_factory):
    """The folder of each model after MXNet has read and computed it."""
    folder = tmp_path_factory.mktemp("read")
    for name, data in models.items():
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(folder / name)
        rows = some_rows(read_model_zip(data, WHERE).dimension)
        np.savez(
            folder / name / "rows.npz",
            offsets=rows.offsets,
            columns=rows.columns,
            values=rows.values,
            shape=(len(rows), rows.dimension),
        )
    mxnet.run("read", folder)
    return {name: folder / name for name in models}


@pytest.mark.parametrize("name", DRAWN + TRAINED)
def test_mxnet_holds_the_weights_bit_by_bit(models, read_by_mxnet, name):
    machine = drawn_machine(name) if name in DRAWN else read_model_zip(models[name], WHERE)

    held = np.load(read_by_mxnet[name] / "held.npz")

    expected = {
        "arg:v": machine.factors,
        "arg:w1_weight": machine.linear.reshape(-1, 1),
        "arg:w0_weight": np.array([machine.bias], np.float32),
    }
    assert held.files == list(expected)
    for each, array in expected.items():
        assert held[each].dtype == np.float32
        assert held[each].shape == array.shape
        assert held[each].tobytes() == array.tobytes()


@pytest.mark.parametrize("name", DRAWN + TRAINED)
def test_mxnet_saves_what_it_read_to_the_same_bytes(read_by_mxnet, name):
    folder = read_by_mxnet[name]
    assert (folder / "again").read_bytes() == (folder / "params").read_bytes()


@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("name", DRAWN + TRAINED)
def test_mxnet_computes_our_scores_from_the_graph(models, read_by_mxnet, name, form):
    machine = read_model_zip(models[name], WHERE)
    rows = some_rows(machine.dimension)

    scores = np.load(read_by_mxnet[name] / "scores.npz")[form]

    assert scores.shape == (len(rows), 1)
    np.testing.assert_allclose(scores[:, 0], predict(rows, machine), rtol=1e-5, atol=1e-5)


def test_the_trained_models_are_of_every_kind(models):
    """Else the tests above could agree about empty models."""
    machines = {name: read_model_zip(models[name], WHERE) for name in TRAINED}
    assert {machine.predictor_type for machine in machines.values()} == set(KINDS)
    assert all(machine.factors.any() and machine.linear.any() for machine in machines.values())
    with zipfile.ZipFile(io.BytesIO(models["gibbs-regressor-with-likes"])) as archive:
        told = json.loads(archive.read("meta.json"))["training_parameters"]
    assert {"like_scale", "like_shift"} <= told.keys()


def larger_cases():
    """A model as large as MovieLens', dense and with rows left out, in both layouts."""
    rng = np.random.default_rng(9)
    dimension, rank = 2625, 64
    factors, linear = rng.normal(size=(dimension, rank)), rng.normal(size=(dimension, 1))
    bias = rng.normal(size=1)
    seen = rng.random((dimension, 1)) < 0.7
    rows = {"v": "row_sparse", "w1_weight": "row_sparse"}
    sparse = {"v": factors * seen, "w1_weight": linear * seen, "w0_weight": bias}
    turned = {
        "v": factors.T,
        "Linear_Plus_Bias_weight": linear.T,
        "Linear_Plus_Bias_bias": bias,
    }
    return {
        "large": Written({"v": factors, "w1_weight": linear, "w0_weight": bias}, {}, {}),
        "large-row-sparse": Written(sparse, rows, {}),
        "large-row-sparse-of-doubles": Written(sparse, rows, dict.fromkeys(sparse, "float64")),
        "large-turned": Written(turned, {}, {}),
        "large-turned-of-halves": Written(turned, {}, dict.fromkeys(turned, "float16")),
    }


REFUSED = {
    "mxnet-1.9.1-csr.params": "storage type 2",
    "mxnet-1.9.1-int32.params": "number type 4",
}
TAKEN = [name for name in [*mxnet.fixtures(), *larger_cases()] if name not in REFUSED]


@pytest.fixture(scope="session")
def written_by_mxnet():
    with mxnet.written({**mxnet.fixtures(), **larger_cases()}) as folder:
        yield folder


def packed(params):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("params", params)
    return pack_archive({MODEL_FILE: stream.getvalue()})


@pytest.mark.parametrize("name", TAKEN)
def test_every_array_that_mxnet_writes_is_read_as_mxnet_holds_it(written_by_mxnet, name):
    held = np.load(written_by_mxnet / name / "held.npz")

    found = read_arrays((written_by_mxnet / name / "params").read_bytes(), MOST_NUMBERS)

    assert [f"arg:{each}" for each in found] == held.files
    for each, array in found.items():
        assert array.dtype == np.float32
        assert np.array_equal(array, held[f"arg:{each}"].astype(np.float32))


@pytest.mark.parametrize("name", TAKEN)
def test_a_model_that_mxnet_writes_is_the_machine_that_it_holds(written_by_mxnet, name):
    held = np.load(written_by_mxnet / name / "held.npz")

    machine = read_artifact(packed((written_by_mxnet / name / "params").read_bytes()), WHERE)

    v, weights, bias = (held[each].astype(np.float32) for each in held.files)
    assert np.array_equal(machine.factors, v.T if "Linear" in held.files[1] else v)
    assert np.array_equal(machine.linear, weights.ravel())
    assert machine.bias == float(bias[0])


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_what_no_training_writes_is_refused_by_name(written_by_mxnet, name, reason):
    with pytest.raises(DamagedArtifactError, match=reason):
        read_artifact(packed((written_by_mxnet / name / "params").read_bytes()), WHERE)


@pytest.mark.parametrize("name", mxnet.fixtures())
def test_the_fixtures_are_what_mxnet_writes(written_by_mxnet, name):
    written = (written_by_mxnet / name / "params").read_bytes()
    assert (mxnet.FIXTURES / name).read_bytes() == written


NUMBERS = np.arange(6, dtype="<f4").reshape(2, 3) / 4
PLACE_AND_KIND = struct.pack("<iii", 1, 0, 0)
OLD_FORMS = {
    "before-v1": struct.pack("<I2I", 2, 2, 3),
    "v1": struct.pack("<II2q", 0xF993FAC8, 2, 2, 3),
    "v1-with-32-bit-sizes": struct.pack("<II2I", 0xF993FAC8, 2, 2, 3),
}


def test_arrays_of_older_versions_are_read_as_mxnet_reads_them(tmp_path):
    """MXNet 1.9.1 does not write these any more, but reads them."""
    for name, head in OLD_FORMS.items():
        (tmp_path / name).mkdir()
        parts = [struct.pack("<QQQ", 0x112, 0, 1), head, PLACE_AND_KIND, NUMBERS.tobytes()]
        parts.append(struct.pack("<QQ", 1, 5) + b"arg:v")
        (tmp_path / name / "params").write_bytes(b"".join(parts))

    mxnet.run("read", tmp_path)

    for name in ("before-v1", "v1"):
        held = np.load(tmp_path / name / "held.npz")["arg:v"]
        found = read_arrays((tmp_path / name / "params").read_bytes(), MOST_NUMBERS)["v"]
        assert np.array_equal(held, NUMBERS)
        assert np.array_equal(found, held)
    wrong = tmp_path / "v1-with-32-bit-sizes"
    assert (wrong / "refused").is_file()
    with pytest.raises(ValueError, match=r"\w"):
        read_arrays((wrong / "params").read_bytes(), MOST_NUMBERS)
