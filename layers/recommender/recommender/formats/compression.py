"""What uploads are packed with: gzip, bzip2, xz, zstd, zip; undone as they stream in, bounded."""

import bz2
import io
import lzma
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import chain
from typing import IO, NamedTuple, Protocol

from recommender.errors import Refuse
from recommender.formats import workbooks

MAX_INFLATED_BYTES = 4 << 30
MAX_INFLATION_RATIO = 200  # text of ratings packs 3 to 20 times smaller; a bomb, 1,000 times
RATIO_IS_CHECKED_FROM = 64 << 20  # a small file may be as repetitive as it likes

Bytes = bytes | memoryview

_CHUNK = 1 << 20
_FIRST_CHUNK = 1 << 12  # of a member: what it leaves over is copied, and may be members of 20 bytes
_MOST_AT_ONCE = 1 << 18
_ZIP_MAGIC = b"PK\x03\x04"
_TOO_LARGE = (
    "this is {} that unpacks to more than {:,} bytes; at most "
    f"{MAX_INFLATION_RATIO} times its size and {MAX_INFLATED_BYTES >> 30} GiB are allowed"
)
_ENCRYPTED = 1
_LONGEST_INDEX = 1 << 20  # of a zip archive: some 15,000 files
_LONGEST_END_OF_ZIP = (64 << 10) + 200


class _Member(Protocol):
    """Undoes one member of a packed file."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: Bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """A member of a gzip file, with the ways of the others: it keeps what it did not take."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def needs_input(self) -> bool:
        return not self._member.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: Bytes, max_length: int, /) -> bytes:
        return self._member.decompress(self._member.unconsumed_tail or data, max_length)


class _Zstd:
    """A frame of a Zstandard file; a window of more than 128 MiB is refused as damage."""

    def __init__(self) -> None:
        # Python's own from 3.14 on. Few files need it, so the others do not wait for it.
        if sys.version_info >= (3, 14):
            self._library = import_module("compression.zstd")
        else:
            import backports.zstd as library

            self._library = library
        self._member = self._library.ZstdDecompressor()

    @property
    def eof(self) -> bool:
        return bool(self._member.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._member.needs_input)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._member.unused_data)

    def decompress(self, data: Bytes, max_length: int, /) -> bytes:
        try:
            return bytes(self._member.decompress(data, max_length))
        except self._library.ZstdError as error:
            raise OSError(str(error)) from None


class _Kind(NamedTuple):
    """A way to pack a stream: how its members begin, its name, and what undoes a member of it."""

    magics: tuple[bytes, ...]
    noun: str
    packed: str
    member: Callable[[], _Member]


_MOST_MEMORY_OF_XZ = 256 << 20
_KINDS = (
    _Kind((b"\x1f\x8b",), "a gzip file", "gzipped", _Gzip),
    _Kind((b"BZh",), "a bzip2 file", "packed with bzip2", bz2.BZ2Decompressor),
    _Kind(
        (b"\xfd7zXZ\x00",),
        "an xz file",
        "packed with xz",
        partial(lzma.LZMADecompressor, memlimit=_MOST_MEMORY_OF_XZ),
    ),
    # Frames to be skipped may stand anywhere among the others.
    _Kind(
        (b"\x28\xb5\x2f\xfd", *(bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))),
        "a Zstandard file",
        "packed with zstd",
        _Zstd,
    ),
)
_LONGEST_MAGIC = 6


def unpacked(
    chunks: Iterator[bytes], refuse: Refuse, note: Callable[[str], None] = lambda _: None
) -> Iterator[bytes]:
    """Undo what an upload is packed with, if it is, as it streams in.

    An Excel workbook counts as a table of text that is packed: see `workbooks`.

    Args:
        chunks: the upload's bytes.
        refuse: builds the error to raise.
        note: is told what it is packed with, when that is known.

    Raises:
        InputError: ``refuse``'s: it is damaged, too large, packed twice, or an archive of anything
            but one file.
    """
    head, chunks = peek(chunks, _LONGEST_MAGIC)
    if head.startswith(_ZIP_MAGIC):
        return _refusing_more(_from_zip(chunks, refuse, note), "packed", refuse)
    for kind in _KINDS:
        if head.startswith(kind.magics):
            note(kind.noun)
            return _refusing_more(_inflated(chunks, kind, refuse), kind.packed, refuse)
    return chunks


def _refusing_more(chunks: Iterator[bytes], packed: str, refuse: Refuse) -> Iterator[bytes]:
    head, chunks = peek(chunks, _LONGEST_MAGIC)
    if head.startswith((_ZIP_MAGIC, *(magic for kind in _KINDS for magic in kind.magics))):
        raise refuse(1, f"{packed} twice; upload it {packed} once")
    return chunks


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


def _allowed(packed: int) -> int:
    """How many bytes an upload of so many may unpack to."""
    return min(MAX_INFLATED_BYTES, max(RATIO_IS_CHECKED_FROM, MAX_INFLATION_RATIO * packed))


def _inflated(chunks: Iterator[bytes], kind: _Kind, refuse: Refuse) -> Iterator[bytes]:
    """Undo a stream, of one member or several, never holding more than a piece of it."""
    stream = _Stream(kind, refuse)
    for chunk in chunks:
        yield from stream.feed(chunk)
    stream.end()


class _Stream:
    """Members of a packed stream, one behind the other."""

    def __init__(self, kind: _Kind, refuse: Refuse) -> None:
        self._kind, self._refuse = kind, refuse
        self._member: _Member | None = None
        self._packed = memoryview(b"")
        self._at = self._size = 0  # what of it was undone, and how much is at once
        self._taken = self._given = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._taken += len(chunk)
        self._packed, self._at = memoryview(self._rest() + chunk), 0
        while self._member is not None or self._begins():
            piece, ended = self._piece()
            if piece:
                yield piece
            elif not ended and self._at == len(self._packed):
                return

    def _rest(self) -> bytes:
        return bytes(self._packed[self._at :])

    def _begins(self) -> bool:
        """Begin a member, if there is one."""
        magics = self._kind.magics
        head = bytes(self._packed[self._at : self._at + _LONGEST_MAGIC])
        if len(head) < len(magics[0]):
            return False
        if head.startswith(magics):
            self._member, self._size = self._kind.member(), _FIRST_CHUNK
            return True
        # Zeros behind the last member are padding. Anything else may have been a member.
        if self._rest().strip(b"\0"):
            raise self._refuse(1, f"this is {self._kind.noun} with something else behind it")
        self._at = len(self._packed)
        return False

    def _piece(self) -> tuple[bytes, bool]:
        """Undo some more of the member at hand; say whether it has ended."""
        assert self._member is not None  # noqa: S101 - for mypy: the caller began one
        size = self._size if self._member.needs_input else 0
        packed = self._packed[self._at : self._at + size]
        try:
            piece = self._member.decompress(packed, _CHUNK)
        except (zlib.error, lzma.LZMAError, OSError):
            raise self._refuse(1, f"this is {self._kind.noun} that is damaged") from None
        self._at += len(packed)
        self._size = min(2 * self._size, _MOST_AT_ONCE)
        self._given += len(piece)
        allowed = _allowed(self._taken)
        if self._given > allowed:
            raise self._refuse(1, _TOO_LARGE.format(self._kind.noun, allowed))
        if not self._member.eof:
            return piece, False
        self._at -= len(self._member.unused_data)
        self._member = None
        return piece, True

    def end(self) -> None:
        if self._member is not None or self._rest().strip(b"\0"):
            raise self._refuse(1, f"this is {self._kind.noun} that is cut off")


def _from_zip(
    chunks: Iterator[bytes], refuse: Refuse, note: Callable[[str], None]
) -> Iterator[bytes]:
    """Read the one file of a zip archive. Its index is at its end, so it goes to a file first."""
    with tempfile.TemporaryFile() as file:
        for chunk in chunks:
            file.write(chunk)
        _refuse_long_index(file, refuse)
        try:
            with zipfile.ZipFile(file) as archive:
                if workbooks.is_workbook(archive, refuse):
                    note("an Excel workbook")
                    size = file.seek(0, io.SEEK_END)
                    yield from workbooks.text_of(file, archive, _allowed(size), refuse)
                    return
                note("a zip archive")
                member = _only_member(archive, refuse)
                given, allowed = 0, _allowed(member.compress_size)
                with archive.open(member) as stream:
                    while piece := stream.read(_CHUNK):
                        given += len(piece)
                        if given > allowed:
                            raise refuse(1, _TOO_LARGE.format("a zip archive", allowed))
                        yield piece
        except _DAMAGES_OF_ZIP:
            raise refuse(1, "this is a zip archive that is damaged") from None


def _refuse_long_index(file: IO[bytes], refuse: Refuse) -> None:
    """Refuse an archive of very many files before they are listed: each takes a kilobyte then.

    The index's size stands at its end: as four bytes, and where these are all ones as eight.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _LONGEST_END_OF_ZIP))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    index = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    if index == 0xFFFFFFFF:
        at = tail.rfind(b"PK\x06\x06")
        index = int.from_bytes(tail[at + 40 : at + 48], "little") if at >= 0 else 0
    if index > _LONGEST_INDEX:
        raise refuse(1, "this is a zip archive of very many files; upload each by itself")


_DAMAGES_OF_ZIP = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError, struct.error),
)


def _only_member(archive: zipfile.ZipFile, refuse: Refuse) -> zipfile.ZipInfo:
    """Find the one file of an archive; what macOS adds to one does not count."""
    members = [
        one
        for one in archive.infolist()
        if not one.is_dir()
        and not any(part.startswith((".", "__MACOSX")) for part in one.filename.split("/"))
    ]
    if len(members) != 1:
        raise refuse(
            1, f"this is a zip archive of {len(members)} files; upload each, or one in an archive"
        )
    if members[0].flag_bits & _ENCRYPTED:
        raise refuse(1, "this is a zip archive with a password; upload it without one")
    return members[0]
