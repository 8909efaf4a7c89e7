"""Vectorised pieces of the protobuf wire format: varints, and stores and loads at any byte."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import numpy.typing as npt

from recommender.features import Integers

RECORDIO_PROTOBUF = "application/x-recordio-protobuf"
"""What files and bodies of RecordIO-protobuf are called over HTTP."""

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
AnyWords = npt.NDArray[np.unsignedinteger]

# 9 x 7 = 63 bits: every number that int64 holds without its sign.
LONGEST_VARINT = 9
_FINAL_BYTES = 0x8080808080808080


def varint(number: int) -> bytes:
    """Write one non-negative number in groups of seven bits, the lowest group first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def field(tag: int, payload: bytes) -> bytes:
    """Write one length-delimited field."""
    return bytes((tag,)) + varint(len(payload)) + payload


def varint_lengths(numbers: Integers) -> Integers:
    """Count the bytes that each number takes as a varint.

    Args:
        numbers: ``(n,)``, none negative.

    Returns:
        ``(n,)`` int64, at least 1 each.
    """
    lengths = np.ones(numbers.shape, np.int64)
    highest = int(numbers.max()) if numbers.size else 0
    for bits in range(7, highest.bit_length(), 7):
        lengths += numbers >> bits != 0
    return lengths


def varint_words(numbers: Integers) -> Words:
    """Write each number as a varint inside one little-endian word.

    Args:
        numbers: ``(n,)``, each in [0, 2**28): four bytes at most.

    Returns:
        ``(n,)`` uint64: the varint's first byte is the lowest; the bytes behind its end are zero.
    """
    words = (numbers & 0x7F).astype(np.uint64)
    for group in range(1, 4):
        rest = numbers >> 7 * group
        # The groups below the last one carry the continuation bit.
        words |= ((rest & 0x7F) << 8 * group | (rest != 0) * (0x80 << 8 * (group - 1))).astype(
            np.uint64
        )
    return words


def window(data: Bytes, dtype: npt.DTypeLike) -> npt.NDArray[np.unsignedinteger]:
    """View the bytes as overlapping numbers, one beginning at every byte.

    Args:
        data: one contiguous axis of bytes.
        dtype: type of the numbers, byte order included.

    Returns:
        A view of ``data.size - itemsize + 1`` numbers (none if there are too few bytes).
    """
    width = np.dtype(dtype).itemsize
    view: npt.NDArray[np.unsignedinteger] = np.ndarray(
        (max(0, data.size - width + 1),), dtype, data, strides=(1,)
    )
    return view


def put_records(data: Bytes, at: Integers, records: Bytes, size: int) -> None:
    """Copy records of one size to given places, each at one go.

    Args:
        data: bytes, changed in place.
        at: ``(n,)`` place of each record's first byte.
        records: ``(n * size,)`` the records, one behind the other.
        size: bytes of a record.
    """
    places = np.ndarray((max(0, data.size - size + 1),), f"V{size}", data, strides=(1,))
    places[at] = records.view(f"V{size}")


def put_varints(data: Bytes, at: Integers, numbers: Integers) -> Integers:
    """Write varints at given places.

    Args:
        data: bytes, changed in place.
        at: ``(n,)`` place of each varint's first byte.
        numbers: ``(n,)``, none negative.

    Returns:
        ``(n,)`` place behind each varint.
    """
    after = at.copy()
    which, rest = np.arange(at.size), numbers
    while which.size:
        more = rest > 0x7F
        data[after[which]] = rest & 0x7F | more * 0x80
        after[which] += 1
        which, rest = which[more], rest[more] >> 7
    return after


def varints_at(data: Bytes, at: Integers) -> tuple[Integers, Integers] | None:
    """Read one varint at each place.

    Args:
        data: at least one byte. A place behind the end reads the last byte over and over: the
            caller compares the returned places with the ends that it knows.
        at: ``(n,)`` places.

    Returns:
        ``(n,)`` numbers and ``(n,)`` places behind them; nothing if one is longer than nine bytes.
    """
    byte = data.take(at, mode="clip").astype(np.int64)
    numbers, after = byte & 0x7F, at + 1
    which = np.flatnonzero(byte > 0x7F)
    for group in range(1, LONGEST_VARINT + 1):
        if not which.size:
            return numbers, after
        if group == LONGEST_VARINT:
            break
        byte = data.take(after[which], mode="clip").astype(np.int64)
        numbers[which] |= (byte & 0x7F) << 7 * group
        after[which] += 1
        which = which[byte > 0x7F]
    return None


def spans(starts: Integers, lengths: Integers) -> Integers:
    """List every place of several spans, span after span.

    Args:
        starts: ``(n,)`` first place of each span.
        lengths: ``(n,)`` number of places of each.

    Returns:
        ``(lengths.sum(),)`` places.
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if ends.size else 0
    places: Integers = np.repeat(starts - (ends - lengths), lengths)
    places += np.arange(total)
    return places


def packed_varints(data: Bytes) -> tuple[Integers, Integers] | None:
    """Read varints that stand one behind the other.

    Args:
        data: ``(n,)`` bytes.

    Returns:
        The numbers, and the place of each one's last byte; nothing if the last number is cut or
        one is longer than nine bytes.
    """
    final = data < 0x80
    if data.size and not final[-1]:
        return None
    last = np.flatnonzero(final)
    first = np.concatenate((last[:1] * 0, last[:-1] + 1))
    lengths = last - first + 1
    if lengths.size and int(lengths.max()) > LONGEST_VARINT:
        return None
    numbers = (data[first] & 0x7F).astype(np.int64)
    for group in range(1, int(lengths.max()) if lengths.size else 0):
        longer = np.flatnonzero(lengths > group)
        byte = (data[first[longer] + group] & 0x7F).astype(np.int64)
        numbers[longer] |= byte << 7 * group
    return numbers, last


def two_varints(words: AnyWords, size: int, out: Integers) -> bool:
    """Read two varints that stand one behind the other in each word.

    Args:
        words: ``(n,)`` unsigned; the varints fill the lowest ``size`` bytes, above is nothing.
        size: bytes of both, 2 up to the width of a word.
        out: ``(n, 2)``, filled with the numbers.

    Returns:
        Whether every word holds two varints, the second one not cut.
    """
    finals = ~words
    finals &= _FINAL_BYTES >> 64 - 8 * size
    last = 0x80 << 8 * (size - 1)
    # Two bytes end a number: the last one, and of the others exactly one.
    if (finals < last).any():
        return False
    finals ^= last
    if (finals == 0).any() or (finals & (finals - 1)).any():
        return False
    ends = np.left_shift(finals, 1) - 1  # all bits up to the end of the first one
    _join_groups(words & ends, size - 1, out[:, 0])
    _join_groups(np.right_shift(words, np.bitwise_count(ends)), size - 1, out[:, 1])
    return True


def _join_groups(words: AnyWords, size: int, out: Integers) -> None:
    """Join the groups of seven bits of the lowest ``size`` bytes."""
    numbers = words & 0x7F
    for group in range(1, size):
        numbers |= np.right_shift(words, group) & 0x7F << 7 * group
    out[:] = numbers


def assemble(size: int, fill: Callable[[Bytes], None]) -> bytes:
    """Make a bytes object by filling it in place, which saves a second copy of everything.

    Args:
        size: number of bytes.
        fill: is given the bytes, all zero, and must not keep a view of them.

    Returns:
        The filled bytes.
    """
    if not size:
        return b""
    stream = BytesIO()
    stream.seek(size - 1)
    stream.write(b"\0")
    with stream.getbuffer() as buffer:
        fill(np.frombuffer(buffer, np.uint8))
    return stream.getvalue()
