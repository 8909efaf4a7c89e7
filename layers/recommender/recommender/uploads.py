"""Uploaded bytes to text: gzip undone within bounds, what is no table of text named and refused."""

import codecs
import re
import zlib
from collections.abc import Callable

from recommender.errors import InputError

Refuse = Callable[[int, str], InputError]
"""Builds the error of the file at hand from a line number and a reason."""

MAX_INFLATED_BYTES = 4 << 30
MAX_INFLATION_RATIO = 200  # text of ratings packs 3 to 20 times smaller; a bomb, 1,000 times
RATIO_IS_CHECKED_FROM = 64 << 20  # a small file may be as repetitive as it likes

_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_FOREIGN_FORMATS = (
    (b"PAR1", "a Parquet file, which is not supported yet; upload CSV or JSON Lines, gzipped"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook; upload the text file, gzipped"),
    (b"BZh", "a bzip2 file; use gzip"),
    (b"\xfd7zXZ\x00", "an xz file; use gzip"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file; use gzip"),
    (b"7z\xbc\xaf", "a 7-Zip archive; use gzip"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Office document; save it as CSV"),
)
_MARKUP = re.compile(rb"<(!doctype|!--|\?xml|[a-z][a-z0-9]*[\s>])", re.IGNORECASE)
_JSON_ARRAY = re.compile(rb"\[\s*([\[{\"\]\d-]|\Z)")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f"))


def text_of(data: bytes, refuse: Refuse) -> bytes:
    r"""Undo what wraps the text of an upload.

    Args:
        data: the object's bytes: text, or text in gzip. Text is UTF-8, or UTF-16 with its mark.
        refuse: builds the error to raise.

    Returns:
        The text without byte order mark. Lines end with ``\n``, some perhaps with ``\r\n``.
        Single lines may still hold bytes that are not UTF-8: that is for the rows to judge.

    Raises:
        InputError: ``refuse``'s: the file is empty, damaged, too large, or no table at all.
    """
    if data.startswith(_GZIP_MAGIC):
        data = _inflate(data, refuse)
        if data.startswith(_GZIP_MAGIC):
            raise refuse(1, "gzipped twice; upload it gzipped once")
    _refuse_foreign(data, refuse)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise refuse(1, f"begins as UTF-16 text but breaks at byte {error.start:,}") from None
    data = data.removeprefix(codecs.BOM_UTF8)
    _refuse_what_is_no_table(data, refuse)
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    return data


def _inflate(data: bytes, refuse: Refuse) -> bytes:
    """Undo gzip, of one member or several, never holding more than the limits allow."""
    out = bytearray()
    allowed = min(MAX_INFLATED_BYTES, max(RATIO_IS_CHECKED_FROM, MAX_INFLATION_RATIO * len(data)))
    position = 0
    # What follows the last member and is no member itself is padding, as gzip(1) sees it.
    while data.startswith(_GZIP_MAGIC, position):
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            feed = member.unconsumed_tail
            if not feed:
                feed = data[position : position + _CHUNK]
                position += len(feed)
            try:
                piece = member.decompress(feed, _CHUNK)
            except zlib.error:
                raise refuse(1, "this is a gzip file that is damaged") from None
            if not feed and not piece and not member.eof:
                raise refuse(1, "this is a gzip file that is cut off")
            out += piece
            if len(out) > allowed:
                raise refuse(
                    1,
                    f"this is a gzip file of {len(data):,} bytes that unpacks to more than "
                    f"{allowed:,}; at most {MAX_INFLATION_RATIO} times its size and "
                    f"{MAX_INFLATED_BYTES >> 30} GiB are allowed",
                )
        position -= len(member.unused_data)
    return bytes(out)


def _refuse_foreign(data: bytes, refuse: Refuse) -> None:
    for magic, what in _FOREIGN_FORMATS:
        if data.startswith(magic):
            raise refuse(1, f"this is {what}")


def _refuse_what_is_no_table(data: bytes, refuse: Refuse) -> None:
    head = data[:4096]
    if not head.strip() and not data.strip():
        raise refuse(1, "the file is empty" if not data else "the file holds blank lines only")
    if (len(head) - len(head.translate(None, _CONTROL))) * 10 > len(head):
        raise refuse(1, "this is binary data, not text (UTF-16 needs its byte order mark)")
    head = head.lstrip()
    if _MARKUP.match(head):
        raise refuse(1, "this is an HTML or XML document")
    if _JSON_ARRAY.match(head):
        raise refuse(1, "this is a JSON array; write JSON Lines, that is one object a line")
