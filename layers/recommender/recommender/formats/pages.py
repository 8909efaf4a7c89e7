"""The pages of a Parquet file, decoded by parquet-rs (arro3) in a process of its own.

A damaged page can make the library ask for more memory than there is, which ends its process on the
spot. So this file is also a program: it reads a Parquet file from its standard input and writes the
raw columns of one batch of rows after the other to its standard output. It may take so much memory
and time and no more, and is told no secrets.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

ROWS_AT_ONCE = 1 << 18
MOST_MEMORY = 2 << 30
MOST_SECONDS = 300  # of one processor; a hundred million ratings take ten

_INHERITED = ("LD_LIBRARY_PATH", "PYTHONHOME")  # nothing else, and so no credentials
_READY, _FAILED = 1, -1


class PagesError(ValueError):
    """Pages that cannot be decoded; the message says why, often in the library's words."""


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
        RuntimeError: the process does not even start, which is no fault of the file.
    """
    import subprocess  # only such files need it

    # Without site and with our own path, it starts in a fifth of the time.
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-S", "-P", __file__, str(MOST_MEMORY)]
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
                raise RuntimeError(f"the process that decodes Parquet does not start: {command}")
            yield from _received(pipe, columns)
        finally:
            process.kill()


def _received(pipe: IO[bytes], columns: int) -> Iterator[tuple[int, list[RawColumn]]]:
    while rows := _received_number(pipe):
        if rows == _FAILED:
            raise PagesError(_received_bytes(pipe).decode("utf-8", "replace"))
        batch = []
        for _ in range(columns):
            offset = _received_number(pipe)
            batch.append(RawColumn(offset, *(_received_bytes(pipe) for _ in range(4))))
        yield rows, batch


def _received_number(pipe: IO[bytes]) -> int:
    return int.from_bytes(_whole(pipe, 8), "little", signed=True)


def _received_bytes(pipe: IO[bytes]) -> bytes:
    return _whole(pipe, _received_number(pipe))


def _whole(pipe: IO[bytes], size: int) -> bytes:
    found = pipe.read(size)
    if len(found) < size:
        raise PagesError("its pages need more memory or time than they may take")
    return found


# --- the process that decodes ---------------------------------------------------------------------


class _ArrowArray(ctypes.Structure):
    """An array, as Arrow's C data interface hands it on."""


_ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.POINTER(_ArrowArray)),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
_address_of = ctypes.pythonapi.PyCapsule_GetPointer
_address_of.restype = ctypes.c_void_p
_address_of.argtypes = [ctypes.py_object, ctypes.c_char_p]


def main() -> None:
    """Decode standard input to standard output."""
    import arro3.io  # noqa: F401  # if there is none, this is no fault of the file

    _limit_ourselves(int(sys.argv[1]))
    out = sys.stdout.buffer
    _send_number(out, _READY)
    out.flush()
    try:
        _send_all(out)
        _send_number(out, 0)
    except BaseException as error:  # what the library panics with is no Exception
        told = str(error) if isinstance(error, Exception) else "its pages cannot be decoded"
        _send_number(out, _FAILED)
        _send_bytes(out, told.encode())
    out.flush()


def _limit_ourselves(memory: int) -> None:
    import resource

    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = {
        resource.RLIMIT_AS: min(memory, machine // 2),
        resource.RLIMIT_CPU: MOST_SECONDS,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        with suppress(ValueError, OSError):  # not every system has all of them
            resource.setrlimit(kind, (most, most))


def _send_all(out: BinaryIO) -> None:
    from arro3.core import DataType
    from arro3.io import read_parquet

    distinct = DataType.dictionary(DataType.int32(), DataType.binary())
    file = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115  # the process owns it
    for batch in read_parquet(file, batch_size=ROWS_AT_ONCE):
        _send_number(out, batch.num_rows)
        for column in batch.columns:
            kind = column.type
            if DataType.is_binary(kind) or DataType.is_fixed_size_binary(kind):
                column = column.cast(distinct)
            _, capsule = column.__arrow_c_array__()
            array = _ArrowArray.from_address(_address_of(capsule, b"arrow_array"))
            _send_array(out, array, kind.bit_width or 1)
        out.flush()


def _send_array(out: BinaryIO, array: "_ArrowArray", bits: int) -> None:
    """Send the buffers of an array: of numbers of so many bits, or of indices of bytes."""
    end = array.offset + array.length
    present, values = array.buffers[0], array.buffers[1]
    _send_number(out, array.offset)
    _send(out, present, (end + 7) // 8 if present else 0)
    if array.dictionary:
        distinct = array.dictionary.contents
        if distinct.offset:
            raise ValueError("the distinct values of a column begin somewhere inside them")
        ends = ctypes.string_at(distinct.buffers[1], (distinct.length + 1) * 4)
        _send(out, values, end * 4)
        _send(out, distinct.buffers[2], int.from_bytes(ends[-4:], "little"))
        _send_bytes(out, ends)
    else:
        _send_bytes(out, b"")
        _send(out, values, (end * bits + 7) // 8)
        _send_bytes(out, b"")


def _send_number(out: BinaryIO, number: int) -> None:
    out.write(number.to_bytes(8, "little", signed=True))


def _send_bytes(out: BinaryIO, data: bytes) -> None:
    _send_number(out, len(data))
    out.write(data)


def _send(out: BinaryIO, address: int, size: int) -> None:
    _send_number(out, size)
    if size:
        out.write((ctypes.c_char * size).from_address(address))


if __name__ == "__main__":
    main()
