"""Read a channel's files into rows and labels that can be trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from recommender.errors import DamagedRecordError, ShapeMismatchError
from recommender.features import FeatureRows, Float32s, with_distinct_columns
from recommender.hyperparameters.settings import Hyperparameters
from recommender.recordio.reading import read_rows
from recommender.recordio.wire import RECORDIO_PROTOBUF

from factorization_machines.errors import InvalidChannelError, UnsupportedJobError
from factorization_machines.process.paths import Paths

TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class LabelledRows:
    """Rows and their ``(n,)`` labels, float32."""

    rows: FeatureRows
    labels: Float32s


def channels_of_job(paths: Paths, config: Mapping[str, object]) -> tuple[str, ...]:
    """Name the job's channels, or say why they cannot be used.

    Args:
        paths: the shared folders.
        config: ``inputdataconfig.json``; empty when there is none, as when run by hand, and then
            the folders that exist say which channels there are.

    Returns:
        ``("train",)`` or ``("train", "test")``.

    Raises:
        UnsupportedJobError: another channel, Pipe mode, or content other than RecordIO-protobuf.
        InvalidChannelError: there is no train channel.
    """
    for name, channel in config.items():
        if name not in (TRAIN, TEST):
            raise UnsupportedJobError(f"channel {name}", "only train and test are known")
        settings = channel if isinstance(channel, Mapping) else {}
        mode = settings.get("TrainingInputMode") or "File"
        if mode not in ("File", "FastFile"):
            raise UnsupportedJobError(f"channel {name}", f"input mode {mode}: use File or FastFile")
        content = settings.get("ContentType") or RECORDIO_PROTOBUF
        if str(content).split(";")[0].strip().lower() != RECORDIO_PROTOBUF:
            raise UnsupportedJobError(
                f"channel {name}", f"content type {content}: use {RECORDIO_PROTOBUF}"
            )
    named = set(config) or {name for name in (TRAIN, TEST) if paths.channel(name).is_dir()}
    if TRAIN not in named:
        raise InvalidChannelError(TRAIN, "", "the job has no such channel")
    return (TRAIN, TEST) if TEST in named else (TRAIN,)


def read_channel(folder: Path, channel: str, settings: Hyperparameters) -> LabelledRows:
    """Read all files of a channel, in sorted order of their paths.

    Args:
        folder: the channel's folder; files may lie in folders below it.
        channel: its name, for messages.
        settings: ``feature_dim`` and ``predictor_type`` decide what is acceptable.

    Returns:
        The rows of all files, one after the other; columns are distinct within a row.

    Raises:
        InvalidChannelError: no rows at all, a damaged file, another dimension than ``feature_dim``,
            numbers that are not finite, no labels, or labels that do not suit the predictor.
    """
    parts: list[LabelledRows] = []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        where = path.relative_to(folder).as_posix()
        data = path.read_bytes()
        # Distributed writers leave empty files behind (a part without rows, a success marker).
        if data:
            parts.append(_read_file(data, channel, where, settings))
    if not any(len(part.rows) for part in parts):
        found = f"{len(files)} files, all empty" if files else "no files"
        raise InvalidChannelError(channel, "", f"nothing to read ({found})")
    if len(parts) == 1:
        return parts[0]
    sizes = [part.rows.columns.size for part in parts]
    shifts = np.concatenate([[0], np.cumsum(sizes)])
    offsets = [
        part.rows.offsets[:-1] + shift for part, shift in zip(parts, shifts[:-1], strict=True)
    ]
    rows = FeatureRows(
        offsets=np.concatenate([*offsets, shifts[-1:]]),
        columns=np.concatenate([part.rows.columns for part in parts]),
        values=np.concatenate([part.rows.values for part in parts]),
        dimension=settings.feature_dim,
    )
    return LabelledRows(rows, np.concatenate([part.labels for part in parts]))


def _read_file(data: bytes, channel: str, where: str, settings: Hyperparameters) -> LabelledRows:
    try:
        rows, labels = read_rows(data)
        rows.check()
    except (DamagedRecordError, ShapeMismatchError) as error:
        raise InvalidChannelError(
            channel, where, f"cannot be read as RecordIO-protobuf: {error}"
        ) from error
    if rows.dimension != settings.feature_dim:
        raise InvalidChannelError(
            channel,
            where,
            f"rows have {rows.dimension} columns, but feature_dim is {settings.feature_dim}",
        )
    if labels is None:
        raise InvalidChannelError(channel, where, "records carry no labels")
    broken = np.flatnonzero(~np.isfinite(rows.values))
    if broken.size:
        row = int(np.searchsorted(rows.offsets, broken[0], side="right")) - 1
        raise InvalidChannelError(
            channel, where, f"record {row}: a feature is {rows.values[broken[0]]}"
        )
    labels = np.asarray(labels, np.float32)
    _check_labels(labels, channel, where, settings)
    return LabelledRows(with_distinct_columns(rows), labels)


def _check_labels(labels: Float32s, channel: str, where: str, settings: Hyperparameters) -> None:
    if settings.ranks:
        wrong = np.flatnonzero(~(np.isfinite(labels) & (labels >= 0)))
        expected = "als takes weights of 0 and above"
    elif settings.classifies and settings.like_threshold is None:
        wrong = np.flatnonzero((labels != 0) & (labels != 1))
        expected = "binary_classifier takes 0 and 1 only"
    else:
        wrong = np.flatnonzero(~np.isfinite(labels))
        expected = "labels must be finite"
    if wrong.size:
        first = int(wrong[0])
        raise InvalidChannelError(
            channel,
            where,
            f"record {first}: the label is {labels[first]:g}, but {expected} "
            f"({wrong.size} such of {labels.size})",
        )
