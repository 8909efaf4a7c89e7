"""Cut an object of a transform job into the requests that its model gets."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from local.sagemaker.faults import JobError

# RecordIO: magic, then 3 bits of part kind and 29 bits of length; data padded to 4 bytes.
_RECORDIO_MAGIC = 0xCED7230A
_HEADER = struct.Struct("<II")
_WHOLE, _LAST_PART = 0, 3


def payloads(path: Path, split: str, *, several: bool, limit: int) -> Iterator[bytes]:
    """The bodies of an object's requests, in order.

    Args:
        path: the object's content.
        split: ``None`` sends it whole; ``Line`` and ``RecordIO`` cut it into records.
        several: whether a request takes as many records as fit; otherwise it takes one.
        limit: bytes that a request may have; 0 means any number.

    Raises:
        JobError: a record is larger than a request may be, or the framing is broken.
    """
    if split == "None":
        size = path.stat().st_size
        _check_size(size, limit)
        yield path.read_bytes()
        return
    batch: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        for record in _lines(file) if split == "Line" else _frames(file):
            _check_size(len(record), limit)
            if batch and (not several or (limit and size + len(record) > limit)):
                yield b"".join(batch)
                batch, size = [], 0
            batch.append(record)
            size += len(record)
    if batch:
        yield b"".join(batch)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    for line in file:
        if line.strip():
            yield line


def _frames(file: BinaryIO) -> Iterator[bytes]:
    parts: list[bytes] = []
    while header := file.read(_HEADER.size):
        where = file.tell() - len(header)
        if len(header) < _HEADER.size:
            raise JobError(f"ClientError: RecordIO ends inside a header at byte {where}")
        magic, word = _HEADER.unpack(header)
        kind, length = word >> 29, word & (1 << 29) - 1
        if magic != _RECORDIO_MAGIC:
            raise JobError(f"ClientError: no RecordIO record begins at byte {where}")
        padded = length + -length % 4
        data = file.read(padded)
        if len(data) < padded:
            raise JobError(f"ClientError: RecordIO ends inside the record at byte {where}")
        parts.append(header + data)
        if kind in (_WHOLE, _LAST_PART):
            yield b"".join(parts)
            parts = []
    if parts:
        raise JobError("ClientError: RecordIO ends between the parts of a record")


def _check_size(size: int, limit: int) -> None:
    if limit and size > limit:
        raise JobError(
            f"ClientError: a request of {size} bytes is larger than MaxPayloadInMB allows ({limit})"
        )
