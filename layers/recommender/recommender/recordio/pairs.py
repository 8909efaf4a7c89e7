"""One-hot user + item rows as RecordIO-protobuf, at the speed of a few copies.

Such rows differ in nothing but their two keys and their label. So a finished record for each
length of the keys is copied, and keys and label are stored over it, one word each.
"""

from collections.abc import Callable

import numpy as np

from recommender.features import Float32s, Integers
from recommender.recordio.records import LABEL_PREFIX, VALUES_KEY, framed, shape_field
from recommender.recordio.wire import (
    Bytes,
    Words,
    assemble,
    field,
    varint_lengths,
    varint_words,
    window,
)

# Two varints of four bytes each fill one word. Two of two bytes fill half a word, and then the
# shorter store is not only faster: a whole word could reach past the end of a short record.
MOST_COLUMNS = 1 << 28
_COLUMNS_OF_HALF_A_WORD = 1 << 14
_LONGEST_KEYS = 8
_MOST_KNOWN_COLUMNS = 1 << 22  # nine bytes each

_TWO_ONES = field(0x0A, np.ones(2, "<f4").tobytes())
# Framing; tag and length of entry, value, tensor and keys; the map's key; the two ones. All these
# lengths stay below 128, one byte each, so the keys begin at the same byte of every record.
_KEYS_AT = 8 + 4 * 2 + len(VALUES_KEY) + len(_TWO_ONES)


class PairWriter:
    """Writes one-hot rows of one dimension, many at a time; several threads may share it."""

    def __init__(self, dimension: int, *, known_columns: bool = True) -> None:
        """Prepare.

        Args:
            dimension: number of columns, at most ``MOST_COLUMNS``.
            known_columns: write every column's varint once and look it up from then on, which
                pays as soon as there are more rows than columns.
        """
        self._dimension = dimension
        self._tables = None
        if known_columns and dimension <= _MOST_KNOWN_COLUMNS:
            columns = np.arange(dimension)
            lengths = varint_lengths(columns)
            self._tables = varint_words(columns), lengths.astype(np.uint8)

    def write(self, users: Integers, items: Integers, labels: Float32s | None) -> bytes:
        """Write checked rows; ``write_pairs`` is the function with the checks.

        Args:
            users: ``(n,)`` column of each user, in [0, dimension).
            items: ``(n,)`` column of each item, in [0, dimension).
            labels: ``(n,)`` contiguous little-endian, or nothing.

        Returns:
            ``n`` records.
        """
        keys, key_bytes = self._joined_varints(users, items)
        labelled = labels is not None
        templates = [
            _template(size, self._dimension, labelled=labelled) for size in range(_LONGEST_KEYS + 1)
        ]
        present = np.flatnonzero(np.bincount(key_bytes, minlength=len(templates)))
        sizes = np.array([len(template) for template in templates])
        # A store of fewer key bytes than the word has must leave the bytes behind them as they are.
        word = np.dtype("<u4" if self._dimension <= _COLUMNS_OF_HALF_A_WORD else "<u8")
        behind_keys = np.array(
            [int.from_bytes(form[_KEYS_AT:][: word.itemsize], "little") for form in templates],
            np.uint64,
        )
        keys |= behind_keys[key_bytes]
        label_at = _KEYS_AT + len(shape_field(self._dimension)) + len(LABEL_PREFIX)
        longest = int(sizes[present].max()) if present.size else 0
        forms = np.array([list(form.ljust(longest)[:longest]) for form in templates], np.uint8)

        def fill(out: Bytes) -> None:
            # Every record in a cell of the longest one's size; what is too long is cut afterwards.
            np.take(forms, key_bytes, axis=0, out=out.reshape(-1, longest), mode="clip")
            starts = np.arange(0, out.size, longest)
            window(out, word)[starts + _KEYS_AT] = keys
            if labels is not None:
                window(out, "<u4")[starts + label_at + key_bytes] = labels.view("<u4")

        if np.unique(sizes[present]).size < 2:
            return assemble(users.size * longest, fill)
        return _cut(users.size, longest, sizes[key_bytes], fill)

    def _joined_varints(self, users: Integers, items: Integers) -> tuple[Words, Integers]:
        """Write the user's varint and the item's behind it, in one word; and how long both are."""
        if self._tables is None:
            user_words, user_bytes = varint_words(users), varint_lengths(users)
            item_words, item_bytes = varint_words(items), varint_lengths(items)
        else:
            words, lengths = self._tables
            user_words, user_bytes = words[users], lengths[users].astype(np.int64)
            item_words, item_bytes = words[items], lengths[items].astype(np.int64)
        item_words <<= (user_bytes << 3).view(np.uint64)
        item_words |= user_words
        user_bytes += item_bytes
        return item_words, user_bytes


def _cut(rows: int, longest: int, sizes: Integers, fill: Callable[[Bytes], None]) -> bytes:
    """Fill cells of one size, and drop the words at the end of each that its record has not."""
    cells = np.zeros(rows * longest, np.uint8)
    fill(cells)
    words = cells.view("<u4").reshape(rows, longest >> 2)
    kept = np.arange(longest >> 2) < (sizes >> 2)[:, None]
    return words[kept].tobytes()


def _template(key_bytes: int, dimension: int, *, labelled: bool) -> bytes:
    """Make a whole record whose keys and label are zero bytes."""
    tensor = _TWO_ONES + field(0x12, bytes(key_bytes)) + shape_field(dimension)
    entry = VALUES_KEY + field(0x12, field(0x12, tensor))
    return framed(field(0x0A, entry) + (LABEL_PREFIX + bytes(4) if labelled else b""))
