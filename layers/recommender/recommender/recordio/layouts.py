"""Sparse rows as RecordIO-protobuf, all rows of one layout at once.

Rows with as many entries and as many bytes of keys have the same lengths everywhere: their records
differ in nothing but numbers at fixed places. So a finished record is copied for each layout, and
values, keys and label are stored over it, column by column.
"""

import numpy as np
import numpy.typing as npt

from recommender.features import FeatureRows, Float32s, Integers
from recommender.recordio.records import LABEL_PREFIX, VALUES_KEY, framed, shape_field
from recommender.recordio.wire import (
    Bytes,
    assemble,
    field,
    put_records,
    varint,
    varint_lengths,
    varint_words,
    window,
)

Words32 = npt.NDArray[np.uint32]
AnyWords = npt.NDArray[np.unsignedinteger]

MOST_COLUMNS = 1 << 28  # four bytes a key
_MOST_LAYOUTS = 1 << 12
_FEWEST_ROWS_OF_A_LAYOUT = 32  # on average; below it, the way of any row is shorter
_MOST_KEY_BYTES = 1 << 10
_KEY_PIECES = (8, 4, 2, 1)


def records_by_layout(rows: FeatureRows, labels: Float32s | None) -> bytes | None:
    """Write checked rows; ``recordio.write_rows`` is the function with the checks.

    Args:
        rows: ``n`` rows.
        labels: ``(n,)`` contiguous little-endian, or nothing.

    Returns:
        ``n`` records; None if the rows have too many layouts for this to be worth while.
    """
    if rows.dimension > MOST_COLUMNS or not len(rows):
        return None
    counts = np.diff(rows.offsets)
    words, lengths = _varints(rows)
    # Fresh memory costs more than the arithmetic here, so there is little of it.
    key_ends = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths, out=key_ends[1:])
    key_bytes = key_ends[rows.offsets[1:]] - key_ends[rows.offsets[:-1]]
    widest = int(key_bytes.max()) + 1
    if widest > _MOST_KEY_BYTES or int(counts.max() + 1) * widest > _MOST_LAYOUTS:
        return None
    # Sixteen bits are sorted by counting.
    layouts = (counts * widest + key_bytes).astype(np.uint16)
    sizes_of_layouts = np.bincount(layouts)
    present = np.flatnonzero(sizes_of_layouts)
    if present.size * _FEWEST_ROWS_OF_A_LAYOUT > len(rows) and present.size > 1:
        return None
    forms = [
        _Form(*divmod(one, widest), rows.dimension, labelled=labels is not None)
        for one in present.tolist()
    ]
    sizes = np.zeros(sizes_of_layouts.size, np.int64)
    sizes[present] = [len(form.template) for form in forms]
    ends = np.cumsum(sizes[layouts])
    starts = ends - sizes[layouts]
    order = np.argsort(layouts, kind="stable")
    # Room behind the last key, for a word may begin there. The words are stored in their order, so
    # each key stands on what the word before it left behind its own.
    keys = np.zeros(int(key_ends[-1]) + 8, np.uint8)
    window(keys, "<u4")[key_ends[:-1]] = words
    values = np.ascontiguousarray(rows.values, "<f4").view("<u4")

    def fill(out: Bytes) -> None:
        first = 0
        for layout, form in zip(present.tolist(), forms, strict=True):
            last = first + int(sizes_of_layouts[layout])
            which = order[first:last]
            first = last
            size = len(form.template)
            alone = which.size * size == out.size
            records = out if alone else np.empty(which.size * size, np.uint8)
            records.view(f"V{size}")[:] = np.frombuffer(form.template, f"V{size}")
            form.store(records, values, rows.offsets[which], keys, key_ends)
            if labels is not None:
                form.store_labels(records, labels.view("<u4")[which])
            if not alone:
                put_records(out, starts[which], records, size)

    return assemble(int(ends[-1]), fill)


def _varints(rows: FeatureRows) -> tuple[Words32, Bytes]:
    """Each key as a varint in one word of four bytes, and its length."""
    columns = rows.columns
    known = columns if rows.dimension > columns.size else np.arange(rows.dimension)
    words, lengths = varint_words(known).astype("<u4"), varint_lengths(known).astype(np.uint8)
    if known is columns:
        return words, lengths
    return words[columns], lengths[columns]  # keys repeat: each is written once and looked up


class _Form:
    """A record of ``count`` entries with ``key_bytes`` bytes of keys, all of them zero."""

    def __init__(self, count: int, key_bytes: int, dimension: int, *, labelled: bool) -> None:
        self._count, self._key_bytes = count, key_bytes
        lists = b""
        if self._count:
            lists = field(0x0A, bytes(4 * self._count)) + field(0x12, bytes(self._key_bytes))
        tensor = lists + shape_field(dimension)
        entry = VALUES_KEY + field(0x12, field(0x12, tensor))
        label = LABEL_PREFIX + bytes(4) if labelled else b""
        body = field(0x0A, entry)
        self.template = framed(body + label)
        tensor_at = 8 + len(body) - len(tensor)
        self._values_at = tensor_at + 1 + len(varint(4 * self._count))
        self._keys_at = self._values_at + 4 * self._count + 1 + len(varint(self._key_bytes))
        self._label_at = 8 + len(body) + len(LABEL_PREFIX)

    def store(
        self,
        records: Bytes,
        values: Words32,
        firsts: Integers,
        keys: Bytes,
        key_ends: Integers,
    ) -> None:
        """Store values and keys of the rows whose first entries are ``firsts``."""
        for entry in range(self._count):
            self._places(records, self._values_at + 4 * entry, "<u4")[:] = values[firsts + entry]
        at, begin = 0, key_ends[firsts]
        for piece in _KEY_PIECES:
            words = window(keys, f"<u{piece}")
            while self._key_bytes - at >= piece:
                self._places(records, self._keys_at + at, f"<u{piece}")[:] = words[begin + at]
                at += piece

    def store_labels(self, records: Bytes, labels: Words32) -> None:
        """Store the labels."""
        self._places(records, self._label_at, "<u4")[:] = labels

    def _places(self, records: Bytes, at: int, dtype: str) -> AnyWords:
        """The numbers at one byte of every record."""
        size = len(self.template)
        return np.ndarray((records.size // size,), dtype, records, offset=at, strides=(size,))
