"""Model archives by hand: one small model, and every part that an archive is made of."""

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from recommender.model.machine import FactorizationMachine
from recommender.predictor_types import BINARY_CLASSIFIER

WHERE = "s3://bucket/model.tar.gz"

# The model of MXNet's fixtures.
FACTORS = np.arange(15).reshape(5, 3) / 8 - 0.5
LINEAR = np.arange(5) / 4 - 0.5
LINEAR_COLUMN = LINEAR.reshape(-1, 1)
BIAS = 0.25


def make_machine(
    dimension: int = 40, rank: int = 3, predictor_type: str = BINARY_CLASSIFIER
) -> FactorizationMachine:
    """A machine of random weights, the same for the same sizes."""
    rng = np.random.default_rng(dimension)
    return FactorizationMachine(
        bias=float(np.float32(rng.normal())),
        linear=rng.normal(size=dimension).astype(np.float32),
        factors=rng.normal(size=(dimension, rank)).astype(np.float32),
        predictor_type=predictor_type,
    )


def make_zip(**members: bytes) -> bytes:
    """A zip as ``model_algo-1``; ``meta_json`` stands for ``meta.json``."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_json", ".json"), content)
    return stream.getvalue()


def make_tar(members: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar.gz of plain files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=form) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def v2(numbers: ArrayLike, storage: int = 0, kind: int = 0) -> bytes:
    """An array as MXNet's format has it in its version 2."""
    array = np.asarray(numbers)
    return (
        struct.pack(f"<IiI{array.ndim}q", 0xF993FAC9, storage, array.ndim, *array.shape)
        + struct.pack("<iii", 1, 0, kind)
        + array.astype({0: "<f4", 1: "<f8"}.get(kind, "<f4")).tobytes()
    )


def make_params(arrays: Mapping[str, bytes]) -> bytes:
    """A file of named arrays."""
    names = [struct.pack("<Q", len(name)) + name.encode() for name in arrays]
    count = struct.pack("<Q", len(arrays))
    return (
        struct.pack("<QQ", 0x112, 0) + count + b"".join(arrays.values()) + count + b"".join(names)
    )


def layout_1(
    factors: ArrayLike = FACTORS, linear: ArrayLike = LINEAR_COLUMN, bias: ArrayLike = (BIAS,)
) -> dict[str, bytes]:
    """The arrays of a model in the first of the two layouts."""
    return {"arg:v": v2(factors), "arg:w1_weight": v2(linear), "arg:w0_weight": v2(bias)}


def meta(**parameters: object) -> bytes:
    """What ``meta.json`` says of the training."""
    return json.dumps({"training_parameters": parameters}).encode()


def assert_is_the_fixture(machine: FactorizationMachine) -> None:
    """The machine is the one of the fixtures."""
    assert np.array_equal(machine.factors, FACTORS)
    assert np.array_equal(machine.linear, LINEAR)
    assert machine.bias == BIAS
