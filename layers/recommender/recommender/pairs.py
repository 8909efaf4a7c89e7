"""One-hot user + item rows as RecordIO-protobuf, at the speed of a few copies.

Such rows differ in nothing but their two keys and their label. So a finished record for each
length of the keys is copied, and keys and label are stored over it, one word each.
"""

import numpy as np

from recommender.features import Float32s, Integers
from recommender.records import LABEL_PREFIX, VALUES_KEY, framed, shape_field
from recommender.wire import Bytes, Words, assemble, field, varint_lengths, varint_words, window

# Two varints of four bytes each fill one word. Two of two bytes fill half a word, and then the
# shorter store is not only faster: a whole word could reach past the end of a short record.
MOST_COLUMNS = 1 << 28
_COLUMNS_OF_HALF_A_WORD = 1 << 14
_LONGEST_KEYS = 8

_TWO_ONES = field(0x0A, np.ones(2, "<f4").tobytes())
# Framing; tag and length of entry, value, tensor and keys; the map's key; the two ones. All these
# lengths stay below 128, one byte each, so the keys begin at the same byte of every record.
_KEYS_AT = 8 + 4 * 2 + len(VALUES_KEY) + len(_TWO_ONES)


def one_hot_records(
    users: Integers, items: Integers, dimension: int, labels: Float32s | None
) -> bytes:
    """Write checked one-hot rows; ``recordio.write_pairs`` is the function with the checks.

    Args:
        users: ``(n,)`` column of each user, in [0, dimension).
        items: ``(n,)`` column of each item, in [0, dimension).
        dimension: number of columns, at most ``MOST_COLUMNS``.
        labels: ``(n,)`` contiguous little-endian, or nothing.

    Returns:
        ``n`` records.
    """
    keys, key_bytes = _joined_varints(users, items, dimension)
    templates = [
        _template(size, dimension, labelled=labels is not None) for size in range(_LONGEST_KEYS + 1)
    ]
    present = np.flatnonzero(np.bincount(key_bytes, minlength=len(templates)))
    sizes = np.array([len(template) for template in templates])
    ends = np.cumsum(sizes[key_bytes])
    starts = ends - sizes[key_bytes]

    # A store of fewer key bytes than the word has must leave the bytes behind them as they are.
    word = np.dtype("<u4" if dimension <= _COLUMNS_OF_HALF_A_WORD else "<u8")
    behind_keys = np.array(
        [int.from_bytes(template[_KEYS_AT:][: word.itemsize], "little") for template in templates],
        np.uint64,
    )
    keys |= behind_keys[key_bytes]
    label_at = _KEYS_AT + len(shape_field(dimension)) + len(LABEL_PREFIX)

    def fill(out: Bytes) -> None:
        for size in np.unique(sizes[present]).tolist():
            forms = np.array([list(form.ljust(size)[:size]) for form in templates], np.uint8)
            if len(out) == users.size * size:
                np.take(forms, key_bytes, axis=0, out=out.reshape(-1, size), mode="clip")
                continue
            which = np.flatnonzero(sizes[key_bytes] == size)
            quarters = (starts[which] >> 2)[:, None] + np.arange(size >> 2)
            out.view("<u4")[quarters] = forms.view("<u4")[key_bytes[which]]
        window(out, word)[starts + _KEYS_AT] = keys
        if labels is not None:
            window(out, "<u4")[starts + label_at + key_bytes] = labels.view("<u4")

    return assemble(int(ends[-1]) if ends.size else 0, fill)


def _joined_varints(users: Integers, items: Integers, dimension: int) -> tuple[Words, Integers]:
    """Write the user's varint and the item's behind it, in one word; and how long both are."""
    if dimension > users.size:
        user_words, user_bytes = varint_words(users), varint_lengths(users)
        item_words, item_bytes = varint_words(items), varint_lengths(items)
    else:  # columns repeat: write each once and look the rest up
        columns = np.arange(dimension)
        words, lengths = varint_words(columns), varint_lengths(columns)
        user_words, user_bytes = words[users], lengths[users]
        item_words, item_bytes = words[items], lengths[items]
    item_words <<= (user_bytes << 3).astype(np.uint64)
    item_words |= user_words
    user_bytes += item_bytes
    return item_words, user_bytes


def _template(key_bytes: int, dimension: int, *, labelled: bool) -> bytes:
    """Make a whole record whose keys and label are zero bytes."""
    tensor = _TWO_ONES + field(0x12, bytes(key_bytes)) + shape_field(dimension)
    entry = VALUES_KEY + field(0x12, field(0x12, tensor))
    return framed(field(0x0A, entry) + (LABEL_PREFIX + bytes(4) if labelled else b""))
