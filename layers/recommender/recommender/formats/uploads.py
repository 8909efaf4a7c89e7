"""Uploaded bytes to text: gzip undone within bounds, what is no table of text named and refused."""

import codecs
import re
import zlib
from collections.abc import Callable, Iterator
from itertools import chain

from recommender.errors import InputError

Refuse = Callable[[int, str], InputError]
"""Builds the error of the file at hand from a line number and a reason."""

MAX_INFLATED_BYTES = 4 << 30
MAX_INFLATION_RATIO = 200  # text of ratings packs 3 to 20 times smaller; a bomb, 1,000 times
RATIO_IS_CHECKED_FROM = 64 << 20  # a small file may be as repetitive as it likes

PARQUET_MAGIC = b"PAR1"

_CHUNK = 1 << 20
_HEAD = 64 << 10
_MOST_BLANK_START = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_FOREIGN_FORMATS = (
    (PARQUET_MAGIC, "a Parquet file, which only ratings may come in; upload CSV or JSON Lines"),
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
_TOO_LARGE = (
    "this is a gzip file that unpacks to more than {:,} bytes; at most "
    f"{MAX_INFLATION_RATIO} times its size and {MAX_INFLATED_BYTES >> 30} GiB are allowed"
)
_MARKUP = re.compile(rb"<(!doctype|!--|\?xml|[a-z][a-z0-9]*[\s>])", re.IGNORECASE)
_JSON_ARRAY = re.compile(rb"\[\s*([\[{\"\]\d-]|\Z)")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f"))


def text_of(data: bytes, refuse: Refuse) -> bytes:
    """Undo what wraps the text of a small upload; see `unzipped` and `text_chunks`."""
    return b"".join(text_chunks(unzipped(iter([data]), refuse), refuse))


def decoded(line: bytes) -> str:
    """Decode a line: UTF-8; or Windows-1252, which every byte that is left of it stands for."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        try:
            return line.decode("cp1252")
        except UnicodeDecodeError:  # five bytes mean nothing there
            return line.decode("latin-1")


def unzipped(chunks: Iterator[bytes], refuse: Refuse) -> Iterator[bytes]:
    """Undo gzip, if that is what an upload is packed with, as it streams in.

    Raises:
        InputError: ``refuse``'s: it is damaged, too large, or gzipped twice.
    """
    head, chunks = peek(chunks, len(_GZIP_MAGIC))
    if head.startswith(_GZIP_MAGIC):
        head, chunks = peek(_inflated(chunks, refuse), len(_GZIP_MAGIC))
        if head.startswith(_GZIP_MAGIC):
            raise refuse(1, "gzipped twice; upload it gzipped once")
    return chunks


def text_chunks(chunks: Iterator[bytes], refuse: Refuse) -> Iterator[bytes]:
    r"""Make sure that an upload is text, as it streams in.

    Args:
        chunks: the bytes, without gzip: UTF-8, or UTF-16 with its mark.
        refuse: builds the error to raise.

    Returns:
        The text without byte order mark, in chunks of any size. Lines end with ``\n``, some perhaps
        with ``\r\n``. Single lines may still hold bytes that are not UTF-8: that is for the rows
        to judge.

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


def peek(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """Read at least ``size`` bytes ahead, if there are as many.

    Returns:
        What was read, and all chunks, these bytes included.
    """
    taken: list[bytes] = []
    length = 0
    for chunk in chunks:
        taken.append(chunk)
        length += len(chunk)
        if length >= size:
            break
    head = b"".join(taken)
    return head, chain([head], chunks)


def _past_blank_start(head: bytes, chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Read ahead until something other than white space comes, within reason."""
    while len(head) <= _MOST_BLANK_START and not head.removeprefix(codecs.BOM_UTF8).strip():
        longer, chunks = peek(chunks, len(head) + 1)
        if len(longer) == len(head):
            break
        head = longer
    return head, chunks


def _inflated(chunks: Iterator[bytes], refuse: Refuse) -> Iterator[bytes]:
    """Undo gzip, of one member or several, never holding more than a piece of it."""
    taken = given = 0
    member = zlib.decompressobj(wbits=31)
    begun = False  # whether the member at hand was fed anything
    rest = b""
    for chunk in chunks:
        taken += len(chunk)
        allowed = min(MAX_INFLATED_BYTES, max(RATIO_IS_CHECKED_FROM, MAX_INFLATION_RATIO * taken))
        rest += chunk
        while rest:
            if not begun and len(rest) < len(_GZIP_MAGIC):
                break
            if not begun and not rest.startswith(_GZIP_MAGIC):
                # Zeros behind the last member are padding. Anything else may have been a member.
                if rest.strip(b"\0"):
                    raise refuse(1, "this is a gzip file with something else behind it")
                rest = b""
                break
            begun = True
            try:
                piece = member.decompress(rest, _CHUNK)
            except zlib.error:
                raise refuse(1, "this is a gzip file that is damaged") from None
            rest = member.unconsumed_tail
            given += len(piece)
            if given > allowed:
                raise refuse(1, _TOO_LARGE.format(allowed))
            yield piece
            if member.eof:
                rest = member.unused_data
                member, begun = zlib.decompressobj(wbits=31), False
    if begun or rest.strip(b"\0"):
        raise refuse(1, "this is a gzip file that is cut off")


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
