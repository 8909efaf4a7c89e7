"""Uploaded bytes to text: what is no table of text is named and refused."""

import codecs
import re
from collections.abc import Iterator

from recommender.errors import Refuse
from recommender.formats.compression import peek, unpacked

PARQUET_MAGIC = b"PAR1"

_HEAD = 64 << 10
_MOST_BLANK_START = 1 << 20
_FOREIGN_FORMATS = (
    (PARQUET_MAGIC, "a Parquet file, which only ratings may come in; upload CSV or JSON Lines"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"7z\xbc\xaf", "a 7-Zip archive; use gzip"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old or encrypted Office document; save it as .xlsx or CSV"),
)
_MARKUP = re.compile(rb"<(!doctype|!--|\?xml|[a-z][a-z0-9]*[\s>])", re.IGNORECASE)
_JSON_ARRAY = re.compile(rb"\[\s*([\[{\"\]\d-]|\Z)")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f"))


def text_of(data: bytes, refuse: Refuse, most: int) -> bytes:
    """Undo what wraps the text of a small upload; see `unpacked` and `text_chunks`.

    Raises:
        InputError: ``refuse``'s: see there, or the text is longer than ``most`` bytes.
    """
    pieces, size = [], 0
    for piece in text_chunks(unpacked(iter([data]), refuse), refuse):
        size += len(piece)
        if size > most:
            raise refuse(1, f"the file holds more than {most:,} bytes of text")
        pieces.append(piece)
    return b"".join(pieces)


def encoding_of(head: bytes) -> str:
    """Name a text's encoding by its first bytes; lines that are not UTF-8 stand for themselves."""
    is_utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "UTF-16" if is_utf16 else "UTF-8"


def text_chunks(chunks: Iterator[bytes], refuse: Refuse) -> Iterator[bytes]:
    r"""Make sure that an upload is text, as it streams in.

    Args:
        chunks: the bytes, unpacked: UTF-8, or UTF-16 with its mark.
        refuse: builds the error to raise.

    Returns:
        The text without byte order mark, in chunks of any size. Lines end with ``\n``, some perhaps
        with ``\r\n``. Single lines may still hold bytes that are not UTF-8: see
        `recommender.formats.lines.decoded`.

    Raises:
        InputError: ``refuse``'s: the file is empty, damaged, too large, or no table at all.
    """
    head, chunks = peek(chunks, _HEAD)
    _refuse_foreign(head, refuse)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head, chunks = peek(_from_utf16(chunks, refuse), _HEAD)
    head, chunks = _past_blank_start(head, chunks)
    _refuse_what_is_no_table(head, refuse)
    marked = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    ends_with_returns = _ends_with_returns(head)
    for chunk in chunks:
        text = chunk[marked:]
        marked = 0
        yield text.replace(b"\r", b"\n") if ends_with_returns else text


def _ends_with_returns(head: bytes) -> bool:
    """Whether lines end with carriage returns alone; what quoted cells hold does not count."""
    if b"\r" not in head:
        return False
    outside = b"".join(head.replace(b"\r\n", b"\n").split(b'"')[::2])
    return outside.count(b"\r") > outside.count(b"\n")


def _past_blank_start(head: bytes, chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Read ahead until something other than white space comes, within reason."""
    while len(head) <= _MOST_BLANK_START and not head.removeprefix(codecs.BOM_UTF8).strip():
        longer, chunks = peek(chunks, len(head) + 1)
        if len(longer) == len(head):
            break
        head = longer
    return head, chunks


def _from_utf16(chunks: Iterator[bytes], refuse: Refuse) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")()
    at = 0
    try:
        for chunk in chunks:
            pending = len(decoder.getstate()[0])
            yield decoder.decode(chunk).encode()
            at += len(chunk)
        pending = len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        place = max(0, at - pending) + error.start
        raise refuse(1, f"begins as UTF-16 text but breaks at byte {place:,}") from None


def _refuse_foreign(data: bytes, refuse: Refuse) -> None:
    for magic, what in _FOREIGN_FORMATS:
        if data.startswith(magic):
            raise refuse(1, f"this is {what}")


def _refuse_what_is_no_table(data: bytes, refuse: Refuse) -> None:
    data = data.removeprefix(codecs.BOM_UTF8)
    head = data[:4096]
    if not data.strip():
        raise refuse(1, "the file is empty" if not data else "the file holds blank lines only")
    if (len(head) - len(head.translate(None, _CONTROL))) * 10 > len(head):
        raise refuse(1, "this is binary data, not text (UTF-16 needs its byte order mark)")
    head = head.lstrip()
    if _MARKUP.match(head):
        raise refuse(1, "this is an HTML or XML document")
    if _JSON_ARRAY.match(head):
        raise refuse(1, "this is a JSON array; write JSON Lines, that is one object a line")
