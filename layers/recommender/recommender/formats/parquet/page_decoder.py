"""The program that decodes the pages of a Parquet file, by parquet-rs (arro3).

It reads a file from its standard input and writes the raw columns of some rows after those of
others to its standard output: a number that says it is ready, and, for each batch, how many rows it
has and five things for each column, which are those of `pages.RawColumn`.

Whoever waits for it waits for its imports, so there are few.
"""

import ctypes
import os
import sys
from io import BufferedWriter

READY, FAILED, DONE = 1, -1, 0
ROWS_AT_ONCE = 1 << 18


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

    memory, seconds = map(int, sys.argv[1:])
    _limit_ourselves(memory, seconds)
    out = open(1, "wb", closefd=False)  # noqa: SIM115  # the process owns it
    _send_number(out, READY)
    out.flush()
    try:
        _send_all(out)
        _send_number(out, DONE)
    except BaseException as error:  # what the library panics with is no Exception
        told = str(error) if isinstance(error, Exception) else "its pages cannot be decoded"
        _send_number(out, FAILED)
        _send_bytes(out, told.encode())
    out.flush()


def _limit_ourselves(memory: int, seconds: int) -> None:
    import resource

    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = {
        resource.RLIMIT_AS: min(memory, machine // 2),
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):  # not every system has all of them
            continue


def _send_all(out: BufferedWriter) -> None:
    from arro3.core import DataType
    from arro3.io import read_parquet

    distinct = DataType.dictionary(DataType.int32(), DataType.binary())
    file = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115  # the process owns it
    for batch in read_parquet(file, batch_size=ROWS_AT_ONCE):
        kinds = [column.type for column in batch.columns]
        capsules = []  # all of them before anything is sent, of which nothing can be taken back
        for kind, column in zip(kinds, batch.columns, strict=True):
            is_bytes = DataType.is_binary(kind) or DataType.is_fixed_size_binary(kind)
            sent = column.cast(distinct) if is_bytes else column
            capsules.append(sent.__arrow_c_array__()[1])
        _send_number(out, batch.num_rows)
        for kind, capsule in zip(kinds, capsules, strict=True):
            array = _ArrowArray.from_address(_address_of(capsule, b"arrow_array"))
            _send_array(out, array, kind.bit_width or 1)
        out.flush()


def _send_array(out: BufferedWriter, array: "_ArrowArray", bits: int) -> None:
    """Send the buffers of an array: of numbers of so many bits, or of indices of bytes."""
    end = array.offset + array.length
    present, values = array.buffers[0], array.buffers[1]
    _send_number(out, array.offset)
    _send(out, present, (end + 7) // 8 if present else 0)
    if array.dictionary:
        distinct = array.dictionary.contents
        places = (distinct.offset + distinct.length + 1) * 4
        ends = ctypes.string_at(distinct.buffers[1], places)[distinct.offset * 4 :]
        _send(out, values, end * 4)
        _send(out, distinct.buffers[2], int.from_bytes(ends[-4:], "little"))
        _send_bytes(out, ends)
    else:
        _send_bytes(out, b"")
        _send(out, values, (end * bits + 7) // 8)
        _send_bytes(out, b"")


def _send_number(out: BufferedWriter, number: int) -> None:
    out.write(number.to_bytes(8, "little", signed=True))


def _send_bytes(out: BufferedWriter, data: bytes) -> None:
    _send_number(out, len(data))
    out.write(data)


def _send(out: BufferedWriter, address: int, size: int) -> None:
    _send_number(out, size)
    if size:
        out.write((ctypes.c_char * size).from_address(address))


if __name__ == "__main__":
    main()
