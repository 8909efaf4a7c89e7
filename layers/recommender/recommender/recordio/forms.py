"""RecordIO-protobuf records of few forms, all records of one form at once.

Bodies of the same length are nearly always laid out as the first of them is, and then they differ
in nothing but keys, values and label. So one body of each length is parsed, and of the others only
the bytes that must be equal are compared, and the numbers taken, column by column.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from recommender.features import FeatureRows, Float32s, Integers
from recommender.recordio.records import LABEL_PREFIX, VALUES_KEY
from recommender.recordio.wire import (
    LONGEST_VARINT,
    AnyWords,
    Bytes,
    packed_varints,
    two_varints,
    window,
)

_MOST_FORMS = 4  # at any number of records; of many records there may be more:
_FEWEST_RECORDS_OF_A_FORM = 64
_LONGEST_BODY = 1 << 12
_BYTES_AT_ONCE = 1 << 20
_FEW_RECORDS = 6
_LONGEST_WORD = 8

_PIECES = (8, 4, 2, 1)

Number = TypeVar("Number", bound=np.generic)


class _OtherFormError(Exception):
    """A body is not laid out as the common writers do, or is damaged."""


@dataclass(frozen=True)
class _Bodies:
    """Equally long bodies in a buffer, the same number of bytes apart."""

    buffer: bytes | Bytes
    begin: int
    stride: int
    count: int
    length: int

    def words(self, place: int, width: int) -> AnyWords:
        """View the word of ``width`` bytes at one place of every body: ``(count,)``."""
        view: AnyWords = np.ndarray(
            (self.count,), f"<u{width}", self.buffer, self.begin + place, (self.stride,)
        )
        return view

    def raw(self, place: int, size: int) -> Bytes:
        """View the bytes from one place of every body on: ``(count, size)``."""
        view: Bytes = np.ndarray(
            (self.count, size), np.uint8, self.buffer, self.begin + place, (self.stride, 1)
        )
        return view

    def floats(self, place: int, size: int) -> Float32s:
        """View the floats from one place of every body on: ``(count, size)``."""
        view: Float32s = np.ndarray(
            (self.count, size), "<f4", self.buffer, self.begin + place, (self.stride, 4)
        )
        return view


@dataclass(frozen=True)
class _Form:
    """Where the numbers stand in a body.

    Attributes:
        body: the body that it was read from.
        count: number of entries.
        values_at: first byte of the values.
        keys_at: first byte of the keys.
        keys_end: the byte behind them.
        dimension: the shape.
        labelled: a label stands in the last four bytes.
    """

    body: bytes
    count: int
    values_at: int
    keys_at: int
    keys_end: int
    dimension: int
    labelled: bool

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Walk through one body.

        Raises:
            _OtherFormError: it has something more, or less, or in another order.
            IndexError: it ends too early.
        """
        at, entry_end = _enter(body, 0, 0x0A)
        if not body.startswith(VALUES_KEY, at):
            raise _OtherFormError
        at, value_end = _enter(body, at + len(VALUES_KEY), 0x12)
        at, tensor_end = _enter(body, at, 0x12)
        values_at = values_end = keys_at = keys_end = at
        if body[at] == 0x0A:
            values_at, values_end = _enter(body, at, 0x0A)
            keys_at, keys_end = _enter(body, values_end, 0x12)
        at, shape_end = _enter(body, keys_end, 0x1A)
        dimension, at = _number(body, at)
        if not at == shape_end == tensor_end == value_end == entry_end:
            raise _OtherFormError
        label = body[entry_end:]
        if label and not (len(label) == len(LABEL_PREFIX) + 4 and label.startswith(LABEL_PREFIX)):
            raise _OtherFormError
        count, rest = divmod(values_end - values_at, 4)
        if rest or (keys_end > keys_at) != (count > 0):
            raise _OtherFormError
        return cls(body, count, values_at, keys_at, keys_end, dimension, bool(label))

    def check(self, bodies: _Bodies) -> None:
        """Make sure that bodies are equal to this one where no number stands.

        Raises:
            _OtherFormError: they are not.
        """
        if bodies.count == 1:
            return
        end = len(self.body) - 4 * self.labelled
        for first, last in (
            (0, self.values_at),
            (self.values_at + 4 * self.count, self.keys_at),
            (self.keys_end, end),
        ):
            for at, width in _pieces(first, last):
                expected = int.from_bytes(self.body[at : at + width], "little")
                if (bodies.words(at, width) != expected).any():
                    raise _OtherFormError

    def columns(self, bodies: _Bodies) -> Integers:
        """Read the keys: ``(n, count)``.

        Raises:
            _OtherFormError: a row has more or fewer, its last one is cut, or one is too large.
        """
        size = self.keys_end - self.keys_at
        columns: Integers = np.empty((bodies.count, self.count), np.int64)
        if self.count == 2 and size <= _LONGEST_WORD:
            # The word ends where the keys do: behind them the data may end.
            width = 4 if size <= 4 else 8
            words = bodies.words(self.keys_end - width, width)
            if not two_varints(np.right_shift(words, 8 * (width - size)), size, columns):
                raise _OtherFormError
        elif self.count:
            unpacked = packed_varints(bodies.raw(self.keys_at, size).reshape(-1))
            if unpacked is None or unpacked[0].size != columns.size:
                raise _OtherFormError
            columns, last = unpacked[0].reshape(columns.shape), unpacked[1]
            # The last key of each row ends where the row's keys do: none runs over a border.
            ends = np.arange(1, bodies.count + 1) * size - 1
            if (last[self.count - 1 :: self.count] != ends).any():
                raise _OtherFormError
        if columns.size and int(columns.max()) >= self.dimension:
            raise _OtherFormError
        return columns

    def own_columns(self) -> list[int]:
        """Read the keys of the body that the form was read from.

        Raises:
            _OtherFormError: as `columns`.
        """
        columns, at = [], self.keys_at
        while at < self.keys_end:
            column, at = _number(self.body, at)
            columns.append(column)
        if at > self.keys_end or len(columns) != self.count:
            raise _OtherFormError
        if columns and max(columns) >= self.dimension:
            raise _OtherFormError
        return columns

    def values(self, bodies: _Bodies) -> Float32s:
        """View the values: ``(n, count)``."""
        return bodies.floats(self.values_at, self.count)

    def labels(self, bodies: _Bodies) -> Float32s:
        """View the labels: ``(n, 1)``, or ``(n, 0)``."""
        return bodies.floats(len(self.body) - 4, int(self.labelled))


def read_by_form(
    data: bytes, starts: Integers, lengths: Integers
) -> tuple[FeatureRows, Float32s | None] | None:
    """Read rows and labels; ``recordio.read_rows`` is the function that reads any.

    Args:
        data: a whole stream.
        starts: ``(n,)`` place of each body, at least one.
        lengths: ``(n,)`` length of each.

    Returns:
        What ``read_rows`` returns; None if the records have too many forms for this to be worth
        while, or another one than the common, or are damaged.
    """
    try:
        if starts.size <= _FEW_RECORDS and len(data) <= _LONGEST_BODY:
            return _read_few(data, starts.tolist(), lengths.tolist())
        return _read(data, starts, lengths)
    except (_OtherFormError, IndexError):  # a body that ends too early is no common form either
        return None


def _read_few(
    data: bytes, starts: list[int], lengths: list[int]
) -> tuple[FeatureRows, Float32s | None]:
    """Read record after record, which for a few takes less than to set out for many."""
    forms = [_Form.of(data[at : at + length]) for at, length in zip(starts, lengths, strict=True)]
    if len({(form.dimension, form.labelled) for form in forms}) != 1:
        raise _OtherFormError
    values = b"".join(form.body[form.values_at :][: 4 * form.count] for form in forms)
    rows = FeatureRows(
        np.array([0, *accumulate(form.count for form in forms)]),
        np.array([column for form in forms for column in form.own_columns()], np.int64),
        np.frombuffer(values, "<f4").astype(np.float32),
        forms[0].dimension,
    )
    if not forms[0].labelled:
        return rows, None
    labels = b"".join(form.body[-4:] for form in forms)
    return rows, np.frombuffer(labels, "<f4").astype(np.float32)


def _read(
    data: bytes, starts: Integers, lengths: Integers
) -> tuple[FeatureRows, Float32s | None] | None:
    forms = _forms(data, starts, lengths)
    if len({(form.count, form.dimension, form.labelled) for form in forms.values()}) != 1:
        return None  # too many of them, or rows that differ in more than the length of their keys
    common = next(iter(forms.values()))
    rows, count = starts.size, common.count
    columns, values = np.empty((rows, count), np.int64), np.empty((rows, count), np.float32)
    labels = np.empty((rows, int(common.labelled)), np.float32)
    # A block at a time: what is in between then stays in the processor's cache.
    step = max(1, _BYTES_AT_ONCE // max(forms))
    for first in range(0, rows, step):
        block = slice(first, first + step)
        for which, bodies in _by_length(data, starts[block], lengths[block]):
            form = forms[bodies.length]
            form.check(bodies)
            _put(columns[block], which, form.columns(bodies))
            _put(values[block], which, form.values(bodies))
            _put(labels[block], which, form.labels(bodies))
    read = FeatureRows(
        np.arange(rows + 1) * count, columns.reshape(-1), values.reshape(-1), common.dimension
    )
    return read, labels.reshape(-1) if common.labelled else None


def _forms(data: bytes, starts: Integers, lengths: Integers) -> dict[int, _Form]:
    """Parse the first body of each length; nothing if there are too many lengths."""
    shortest, longest = int(lengths.min()), int(lengths.max())
    present, firsts = [longest], [0]
    if shortest != longest:
        if longest > _LONGEST_BODY:
            return {}
        present = np.flatnonzero(np.bincount(lengths)).tolist()
        if len(present) > max(_MOST_FORMS, starts.size // _FEWEST_RECORDS_OF_A_FORM):
            return {}
        firsts = [int(np.argmax(lengths == length)) for length in present]
    return {
        length: _Form.of(data[starts[first] : starts[first] + length])
        for length, first in zip(present, firsts, strict=True)
    }


def _by_length(
    data: bytes, starts: Integers, lengths: Integers
) -> Iterator[tuple[Integers | None, _Bodies]]:
    """Gather the bodies of each length, and tell which they are; None: all."""
    length = int(lengths[0])
    if not (lengths != length).any():
        # Records of one size stand the same number of bytes apart: there is nothing to gather.
        stride = int(starts[1] - starts[0]) if starts.size > 1 else length
        yield None, _Bodies(data, int(starts[0]), stride, starts.size, length)
        return
    for length in np.flatnonzero(np.bincount(lengths)).tolist():
        which = np.flatnonzero(lengths == length)
        gathered = window(np.frombuffer(data, np.uint8), f"V{length}")[starts[which]]
        yield which, _Bodies(gathered.view(np.uint8), 0, length, which.size, length)


def _put(out: npt.NDArray[Number], which: Integers | None, rows: npt.NDArray[Number]) -> None:
    """Store rows at their places, each at one go."""
    if which is None:
        out[:] = rows
    elif out.size:
        whole = f"V{out.strides[0]}"
        out.view(whole)[which] = np.ascontiguousarray(rows).view(whole)


def _enter(body: bytes, at: int, tag: int) -> tuple[int, int]:
    """Enter a delimited field: where its payload begins and ends."""
    if body[at] != tag:
        raise _OtherFormError
    size, begin = _number(body, at + 1)
    return begin, begin + size


def _number(body: bytes, at: int) -> tuple[int, int]:
    """Read one varint, and tell the place behind it."""
    number = 0
    for group in range(LONGEST_VARINT):
        byte = body[at + group]
        number |= (byte & 0x7F) << 7 * group
        if byte < 0x80:
            return number, at + group + 1
    raise _OtherFormError


def _pieces(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Cover bytes with words as wide as can be: where each begins, and its width."""
    while first < last:
        width = next(width for width in _PIECES if width <= last - first)
        yield first, width
        first += width
