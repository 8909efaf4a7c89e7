"""The pages of a Parquet file, decoded by a library in a process of its own.

A damaged page can make the library ask for more memory than there is, which ends its process on the
spot. So that process is not ours but the program page_decoder.py. It may take so much memory and
time and no more, and is told no secrets.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

MOST_MEMORY = 2 << 30
MOST_SECONDS = 300  # of one processor; a hundred million ratings take ten
MOST_BYTES_OF_A_COLUMN = 256 << 20  # in a batch: room for a thousand bytes a value

_DECODER = Path(__file__).with_name("page_decoder.py")
_INHERITED = ("LD_LIBRARY_PATH", "PYTHONHOME")  # nothing else, and so no credentials


class PagesError(ValueError):
    """Pages that cannot be decoded; the message says why, often in the library's words."""


class DecoderError(RuntimeError):
    """The process that decodes does not even start, which is no fault of any file."""


@dataclass(frozen=True)
class RawColumn:
    """One column of a batch, in Arrow's memory layout.

    Attributes:
        offset: how many places of ``present`` and ``which`` (or ``values``) come before the rows.
        present: a bit for each row, the lowest first: whether it is not null. Empty if all are.
        which: int32 index into the values for each row; empty if there is a value for each.
        values: numbers, truth values as bits, or bytes one behind the other.
        ends: int32 places where each of such bytes begins, and the last one ends.
    """

    offset: int
    present: bytes
    which: bytes
    values: bytes
    ends: bytes


def decode(file: BinaryIO, columns: int) -> Iterator[tuple[int, list[RawColumn]]]:
    """Decode all rows of a file.

    Args:
        file: a file of the operating system; every column in it is read.
        columns: how many it has.

    Yields:
        Number of rows, and their columns.

    Raises:
        PagesError: it is damaged, or needs more memory or time than it may take.
        DecoderError: the process does not even start.
    """
    import subprocess  # only such files need it

    # With our own path in place of site, it starts in half the time.
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-S", "-P", str(_DECODER), str(MOST_MEMORY), str(MOST_SECONDS)]
    with subprocess.Popen(  # noqa: S603  # nothing in it comes from the file
        command,
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        pipesize=1 << 20,
    ) as process:
        try:
            pipe = cast("IO[bytes]", process.stdout)
            if not pipe.read(8):
                raise DecoderError(f"the process that decodes Parquet does not start: {command}")
            yield from _received(pipe, columns)
        finally:
            process.kill()


def _received(pipe: IO[bytes], columns: int) -> Iterator[tuple[int, list[RawColumn]]]:
    while rows := _received_number(pipe):
        if rows < 0:
            raise PagesError(_received_bytes(pipe).decode("utf-8", "replace"))
        batch = []
        for _ in range(columns):
            offset = _received_number(pipe)
            batch.append(RawColumn(offset, *(_received_bytes(pipe) for _ in range(4))))
        yield rows, batch


def _received_number(pipe: IO[bytes]) -> int:
    return int.from_bytes(_whole(pipe, 8), "little", signed=True)


def _received_bytes(pipe: IO[bytes]) -> bytes:
    size = _received_number(pipe)
    if size > MOST_BYTES_OF_A_COLUMN:
        raise PagesError(f"{size:,} bytes of a column come at once")
    return _whole(pipe, size)


def _whole(pipe: IO[bytes], size: int) -> bytes:
    found = pipe.read(size)
    if len(found) < size:
        raise PagesError("its pages need more memory or time than they may take")
    return found
