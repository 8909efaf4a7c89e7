"""A stream of text as blocks of whole lines; a block as texts."""

from collections.abc import Iterator
from itertools import chain
from operator import ne

from recommender.errors import Refuse

_BLOCK_BYTES = 1 << 20  # enough rows to make numpy worth its calls, few enough to stay in cache
_MOST_BYTES_OF_A_LINE = 16 << 20


class Blocks:
    """Cuts a stream of text into blocks of whole lines."""

    def __init__(self, chunks: Iterator[bytes], refuse: Refuse) -> None:
        """Begin; ``refuse`` builds the error of a line that is too long."""
        self._chunks, self._refuse = chunks, refuse
        self._ahead: list[bytes] = []
        self.line = 1  # number of the first line that is still to come
        self.foreign_lines = 0  # how many of those that came were not UTF-8

    def head(self, size: int) -> bytes:
        """Look at the first bytes, without taking them."""
        length = sum(map(len, self._ahead))
        for chunk in self._chunks if length < size else ():
            self._ahead.append(chunk)
            length += len(chunk)
            if length >= size:
                break
        self._ahead = [b"".join(self._ahead)]
        return self._ahead[0]

    def skip_lines(self, count: int) -> None:
        """Pass over lines that the head holds."""
        head, start = self._ahead[0], 0
        for _ in range(count):
            start = head.find(b"\n", start) + 1 or len(head)
        self._ahead[0] = head[start:]
        self.line += count

    def __iter__(self) -> Iterator[bytes]:
        """Hand out the blocks, as UTF-8 in all lines."""
        for block in self._cut():
            self._refuse_long(len(block))
            yield self._as_utf8(block)

    def _refuse_long(self, size: int) -> None:
        if size > _MOST_BYTES_OF_A_LINE:  # a block of several lines is shorter
            raise self._refuse(1, f"a line is longer than {_MOST_BYTES_OF_A_LINE:,} bytes")

    def _as_utf8(self, block: bytes) -> bytes:
        if block.isascii():
            return block
        try:
            block.decode()
        except UnicodeDecodeError:
            lines = block.split(b"\n")
            written = [decoded(line).encode() for line in lines]
            self.foreign_lines += sum(map(ne, lines, written))
            return b"\n".join(written)
        return block

    def _cut(self) -> Iterator[bytes]:
        pending: list[bytes] = []
        length = 0
        for chunk in chain(self._ahead, self._chunks):
            pending.append(chunk)
            length += len(chunk)
            if length < _BLOCK_BYTES or b"\n" not in chunk:
                self._refuse_long(length)
                continue
            text = pending[0] if len(pending) == 1 else b"".join(pending)
            start = 0
            while len(text) - start >= _BLOCK_BYTES:
                end = text.rfind(b"\n", start, start + _BLOCK_BYTES) + 1
                end = end or text.find(b"\n", start + _BLOCK_BYTES) + 1
                if not end:
                    break
                yield text[start:end]
                start = end
            pending = [text[start:]]
            length = len(pending[0])
        rest = b"".join(pending)
        start = 0
        while start < len(rest):
            end = rest.rfind(b"\n", start, start + _BLOCK_BYTES) + 1
            if len(rest) - start <= _BLOCK_BYTES or not end:
                end = len(rest)
            yield rest[start:end]
            start = end


def count_lines(block: bytes) -> int:
    """How many lines a block has, an unended one included."""
    return block.count(b"\n") + (not block.endswith(b"\n"))


def lines_of(block: bytes) -> list[str]:
    r"""Decode a block and split it at each ``\n``; an end of line at its end begins no other."""
    try:
        lines = block.decode().split("\n")
    except UnicodeDecodeError:
        lines = [decoded(line) for line in block.split(b"\n")]
    if not lines[-1]:
        lines.pop()
    return lines


def decoded(line: bytes) -> str:
    """Decode a line: UTF-8; or Windows-1252, which every byte that is left of it stands for."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        try:
            return line.decode("cp1252")
        except UnicodeDecodeError:  # five bytes mean nothing there
            return line.decode("latin-1")
