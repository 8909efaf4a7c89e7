"""The trained model on disk: ``model.tar.gz`` to a factorization machine, and back.

The archive holds ``model_algo-1``, a zip of ``params`` (the weights), ``meta.json`` (what the
model was trained with) and ``symbol.json`` (how MXNet would compute it). Nothing of an archive is
ever written to a disk, and none of its sizes is believed before it is compared with a limit.
"""

import gzip
import io
import json
import posixpath
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.errors import DamagedArtifactError
from recommender.features import Float32s
from recommender.model import meta
from recommender.model.machine import FactorizationMachine
from recommender.model.ndarrays import ArraysError, read_arrays, write_arrays
from recommender.model.symbol import symbol_json
from recommender.predictor_types import BINARY_CLASSIFIER, PREDICTOR_TYPES, REGRESSOR

MODEL_MEMBER = "model_algo-1"

# 2 GiB hold 8 million columns at 64 factors; a Lambda could not do much with a larger model.
_MOST_BYTES = 1 << 31
# Weights hardly pack at all. What packs better than this is nothing but zeros, or a bomb.
_MOST_RATIO = 200
_RATIO_IS_CHECKED_FROM = 64 << 20
_MOST_JSON_BYTES = 1 << 24
_MOST_MEMBERS = 1000
_PIECE = 1 << 20

_FACTORS = "v"


@dataclass(frozen=True)
class _Layout:
    """Names of the weights, and which axis of the factors counts the columns."""

    linear: str
    bias: str
    columns_axis: int


_LAYOUTS = (
    _Layout("w1_weight", "w0_weight", columns_axis=0),
    _Layout("Linear_Plus_Bias_weight", "Linear_Plus_Bias_bias", columns_axis=1),
)

_UNREADABLE = (
    EOFError,
    NotImplementedError,  # a compression that zipfile does not have
    OSError,  # gzip's own error is one of these
    RuntimeError,  # an encrypted zip
    ValueError,  # negative sizes and the like in headers; text that is no UTF-8
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_artifact(data: bytes, where: str) -> FactorizationMachine:
    """Read ``model.tar.gz``, from SageMaker's built-in algorithm or from Matinee's own image.

    Args:
        data: the whole archive.
        where: what to call it in an error, such as its S3 URI.

    Returns:
        The model.

    Raises:
        DamagedArtifactError: the archive is cut, hostile or too large, holds no model, or the
            model's weights are not finite or disagree on a size.
    """
    allowed = _allowed(len(data))
    return _read_zip(_model_member(data, allowed, where), allowed, where)


def read_model_zip(data: bytes, where: str) -> FactorizationMachine:
    """Read ``model_algo-1``, the zip inside the archive.

    Args:
        data: the whole zip.
        where: what to call it in an error.

    Returns:
        The model. A model that does not say its predictor type is a binary classifier.

    Raises:
        DamagedArtifactError: as ``read_artifact``.
    """
    return _read_zip(data, _allowed(len(data)), where)


def _read_zip(data: bytes, allowed: int, where: str) -> FactorizationMachine:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            _check_names(names, where)
            if len(set(names)) != len(names):
                raise DamagedArtifactError(where, f"a member stands twice in {MODEL_MEMBER}")
            params = _zip_member(archive, "params", allowed, where)
            meta = b"{}"
            if "meta.json" in names:
                meta = _zip_member(archive, "meta.json", _MOST_JSON_BYTES, where)
        arrays = read_arrays(params, allowed // 4)
    except ArraysError as error:
        raise DamagedArtifactError(where, f"params {error}") from error
    except KeyError as error:
        raise DamagedArtifactError(where, f"{MODEL_MEMBER} holds no params") from error
    except _UNREADABLE as error:
        raise DamagedArtifactError(where, f"{MODEL_MEMBER} is no readable zip: {error}") from error
    return _machine(arrays, _training_parameters(meta, where), where)


def write_artifact(machine: FactorizationMachine, training_parameters: Mapping[str, str]) -> bytes:
    """Write ``model.tar.gz``, in the layout of the built-in algorithm.

    Args:
        machine: the weights; must be finite, or the artifact cannot be read back.
        training_parameters: all hyperparameters as strings. Those that the weights show
            themselves (``feature_dim``, ``num_factors``, ``predictor_type``, and the two numbers
            of a like link) are set from them.

    Returns:
        The archive. The same arguments give the same bytes, on any day and machine.
    """
    return pack_archive({MODEL_MEMBER: write_model_zip(machine, training_parameters)})


def write_model_zip(machine: FactorizationMachine, training_parameters: Mapping[str, str]) -> bytes:
    """Write ``model_algo-1``, the zip inside the archive.

    Args:
        machine: as ``write_artifact``.
        training_parameters: as ``write_artifact``.

    Returns:
        The zip, the same bytes for the same arguments.
    """
    parameters = {
        **training_parameters,
        "feature_dim": str(machine.dimension),
        "num_factors": str(machine.rank),
        "predictor_type": machine.predictor_type,
    }
    parameters |= meta.told_by(machine)
    members = {
        "symbol.json": symbol_json(machine.predictor_type),
        "params": write_arrays(
            {
                "v": machine.factors,
                "w1_weight": machine.linear.reshape(-1, 1),
                "w0_weight": np.array([machine.bias], np.float32),
            }
        ),
        "meta.json": json.dumps({"training_parameters": parameters}, sort_keys=True).encode(),
    }
    stream = io.BytesIO()
    # Stored and not deflated: the archive around it compresses once, which is enough for weights.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # else it says on which system it was written
            member.external_attr = 0o644 << 16
            archive.writestr(member, content)
    return stream.getvalue()


def pack_archive(members: Mapping[str, bytes]) -> bytes:
    """Pack files into a tar.gz that depends on nothing but their names and contents.

    Args:
        members: contents by name; written in the order of the names.

    Returns:
        The archive.
    """
    stream = io.BytesIO()
    # Weights hardly compress: the fastest level gives up a few percent for most of the time.
    with (
        gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=1, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name in sorted(members):
            member = tarfile.TarInfo(name)
            member.size = len(members[name])
            archive.addfile(member, io.BytesIO(members[name]))
    return stream.getvalue()


class _Bounded(io.BufferedIOBase):
    """A stream that ends in an error rather than inflate without limit."""

    def __init__(self, stream: gzip.GzipFile, limit: int, where: str) -> None:
        self._stream, self._left, self._limit, self._where = stream, limit, limit, where

    def read(self, size: int | None = None, /) -> bytes:
        content = self._stream.read(self._left + 1 if size is None else size)
        self._left -= len(content)
        if self._left < 0:
            raise DamagedArtifactError(self._where, f"inflates to more than {self._limit} bytes")
        return content


def _model_member(data: bytes, allowed: int, where: str) -> bytes:
    """Take the model out of the archive, and read the archive to its end, checksum included."""
    model: bytes | None = None
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as inflated:
            stream = _Bounded(inflated, allowed, where)
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for place, member in enumerate(archive):
                    if place >= _MOST_MEMBERS:
                        raise DamagedArtifactError(where, f"has more than {_MOST_MEMBERS} members")
                    _check_names([member.name], where)
                    if posixpath.basename(member.name) != MODEL_MEMBER:
                        continue
                    if model is not None:
                        raise DamagedArtifactError(where, f"{MODEL_MEMBER} stands in it twice")
                    model = _tar_member(archive, member, allowed, where)
            while stream.read(_PIECE):
                pass
    except _UNREADABLE as error:
        raise DamagedArtifactError(where, f"is no readable tar.gz: {error}") from error
    if model is None:
        raise DamagedArtifactError(where, f"holds no {MODEL_MEMBER}")
    return model


def _allowed(packed: int) -> int:
    """How many bytes an archive of so many may unpack to."""
    return min(_MOST_BYTES, max(_RATIO_IS_CHECKED_FROM, _MOST_RATIO * packed))


def _tar_member(archive: tarfile.TarFile, member: tarfile.TarInfo, limit: int, where: str) -> bytes:
    content = archive.extractfile(member) if member.isreg() and not member.issparse() else None
    if content is None:
        raise DamagedArtifactError(where, f"{member.name} is not a plain file")
    if member.size > limit:
        raise DamagedArtifactError(where, _claims(member.name, member.size, limit))
    return content.read()


def _zip_member(archive: zipfile.ZipFile, name: str, limit: int, where: str) -> bytes:
    member = archive.getinfo(name)
    if member.file_size > limit:
        raise DamagedArtifactError(where, _claims(name, member.file_size, limit))
    return archive.read(member)


def _claims(name: str, size: int, limit: int) -> str:
    return f"{name} claims {size} bytes; {limit} are allowed in an archive of this size"


def _check_names(names: Sequence[str], where: str) -> None:
    """Refuse what only a hostile archive holds, although nothing is extracted to a disk."""
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise DamagedArtifactError(where, f"a member is named {name!r}")


def _training_parameters(meta: bytes, where: str) -> dict[str, str]:
    try:
        parsed = json.loads(meta)
    except (ValueError, RecursionError) as error:
        raise DamagedArtifactError(where, f"meta.json is not JSON: {error}") from error
    parameters = parsed.get("training_parameters", {}) if isinstance(parsed, dict) else None
    if not isinstance(parameters, dict):
        raise DamagedArtifactError(where, "meta.json holds no object of training parameters")
    return {name: str(value) for name, value in parameters.items()}


def _machine(
    arrays: Mapping[str, Float32s], parameters: Mapping[str, str], where: str
) -> FactorizationMachine:
    """Bring either layout into one form, after every comparison that the sizes allow."""
    layout = _layout(arrays, where)
    for name in (layout.bias, layout.linear, _FACTORS):
        if not bool(np.isfinite(arrays[name]).all()):
            raise DamagedArtifactError(where, f"{name} holds numbers that are not finite")
    bias, linear = arrays[layout.bias], arrays[layout.linear]
    if bias.size != 1 or max(linear.shape) != linear.size:
        raise DamagedArtifactError(
            where,
            f"{layout.bias} has the shape {bias.shape}, and {layout.linear} {linear.shape}",
        )
    factors = _factors_by_column(arrays[_FACTORS], linear.size, layout, where)
    for name, size in (("feature_dim", linear.size), ("num_factors", factors.shape[1])):
        if parameters.get(name, str(size)) != str(size):
            raise DamagedArtifactError(
                where, f"meta.json says {name} {parameters[name]}, and params have {size}"
            )
    predictor_type = parameters.get("predictor_type", BINARY_CLASSIFIER)
    if predictor_type not in PREDICTOR_TYPES:
        raise DamagedArtifactError(where, f"meta.json says predictor_type {predictor_type!r}")
    link = meta.like_link(parameters, where)
    if link is not None and predictor_type != REGRESSOR:
        raise DamagedArtifactError(
            where, f"meta.json tells how ratings become likes, and predictor_type {predictor_type}"
        )
    objective = meta.objective(parameters, where)
    return FactorizationMachine(
        float(bias.max()), linear.reshape(-1), factors, predictor_type, link, objective
    )


def _layout(arrays: Mapping[str, Float32s], where: str) -> _Layout:
    for layout in _LAYOUTS:
        if {layout.linear, layout.bias, _FACTORS} <= arrays.keys():
            return layout
    raise DamagedArtifactError(where, f"params hold {sorted(arrays)}: no known set of weights")


def _factors_by_column(factors: Float32s, dimension: int, layout: _Layout, where: str) -> Float32s:
    if factors.ndim != 2 or dimension not in factors.shape:
        raise DamagedArtifactError(
            where, f"{_FACTORS} has the shape {factors.shape} beside {dimension} linear weights"
        )
    # The names tell how a layout lies; where the sizes say otherwise, they are right.
    as_named = factors.shape[layout.columns_axis] == dimension
    axis = layout.columns_axis if as_named else 1 - layout.columns_axis
    return np.ascontiguousarray(factors if axis == 0 else factors.T)
