"""The rows of a run between its two passes: in memory while they are few, in a file once not."""

import errno
import os
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from recommender.errors import NoRoomError
from recommender.formats.moments import SECOND
from recommender.ratings.table import RatingRows
from recommender.ratings.times import NO_TIMESTAMP

Bytes = npt.NDArray[np.uint8]

_MOST_IN_MEMORY = 64 << 20
_BYTES_OF_A_CHUNK = 4 << 20
_ROWS_OF_A_BLOCK = 1 << 16
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_MOST_NARROW = (1 << 32) - 2  # as many whole seconds fit four bytes, with -1 for none


@dataclass(frozen=True, eq=False)
class SpooledRows:
    """Consecutive rows of one side's files.

    Attributes:
        first: number of the first row, counted over the whole run.
        rows: how many there are.
        is_test: whether their file belongs to the test set.
    """

    first: int
    rows: int
    is_test: bool
    _at: int
    _narrow: bool
    _scratch: "_Scratch"

    def __len__(self) -> int:
        return self.rows

    def users(self) -> npt.NDArray[np.int32]:
        """``(rows,)`` codes of the users."""
        return self._column(0, np.int32)

    def items(self) -> npt.NDArray[np.int32]:
        """``(rows,)`` codes of the items."""
        return self._column(1, np.int32)

    def values(self) -> npt.NDArray[np.float32]:
        """``(rows,)`` ratings."""
        return self._column(2, np.float32)

    def timestamps(self) -> npt.NDArray[np.int64]:
        """``(rows,)`` nanoseconds since 1970; -1 where there is none."""
        if self._narrow:
            seconds = self._column(3, np.uint32).astype(np.int64) - 1
            return np.where(seconds < 0, NO_TIMESTAMP, seconds * SECOND)
        return self._column(3, np.int64)

    def _column(self, index: int, dtype: type) -> npt.NDArray:  # type: ignore[type-arg]
        width = np.dtype(dtype).itemsize
        return self._scratch.read(self._at + 4 * index * self.rows, width * self.rows).view(dtype)


class RowSpool:
    """Takes rows in the first pass, gives them back as often as needed in the second.

    Several threads may read at once. A row takes 16 bytes, or 20 where times have
    fractions of a second.
    """

    def __init__(self, directory: str | None = None) -> None:
        """Start empty; the file, if it comes to one, has no name and goes with this object."""
        self.blocks: list[SpooledRows] = []
        self.rows = 0  # that later calls can read
        self._scratch = _Scratch(directory)
        self._open: list[RatingRows] = []
        self._open_rows = 0
        self._open_is_test = False

    @contextmanager
    def within_room(self) -> Iterator[None]:
        """Say how far the rows came when memory or disk runs out, whoever wanted more of it.

        Raises:
            NoRoomError: instead of a ``MemoryError``, or of an ``OSError`` of a full disk.
        """
        try:
            yield
        except MemoryError as error:
            raise self._no_room("memory", "EncodeMemoryMB") from error
        except OSError as error:
            if error.errno in _FULL:
                raise self._no_room("disk", "EncodeDiskMB") from error
            raise

    def _no_room(self, what: str, parameter: str) -> NoRoomError:
        return NoRoomError(what, self.rows + self._open_rows, self._scratch.size, parameter)

    def append(self, rows: RatingRows, *, is_test: bool) -> None:
        """Add rows behind those that are there."""
        if is_test != self._open_is_test:
            self.close()
        self._open_is_test = is_test
        self._open.append(rows)
        self._open_rows += len(rows)
        if self._open_rows >= _ROWS_OF_A_BLOCK:
            self.close()

    def close(self) -> None:
        """Finish the last block; needed between writing and reading."""
        rows = self._open_rows
        if not rows:
            return
        timestamps = [part.timestamps for part in self._open]
        seconds = [_whole_seconds(times) for times in timestamps]
        narrow = [one for one in seconds if one is not None]
        is_narrow = len(narrow) == len(timestamps)
        times: Sequence[npt.NDArray[np.generic]] = narrow if is_narrow else timestamps
        parts: Sequence[npt.NDArray[np.generic]] = [
            *(part.users for part in self._open),
            *(part.items for part in self._open),
            *(part.values for part in self._open),
            *times,
        ]
        at = self._scratch.size
        for part in parts:
            self._scratch.append(part)
        self.blocks.append(
            SpooledRows(self.rows, rows, self._open_is_test, at, is_narrow, self._scratch)
        )
        self.rows += rows
        self._open, self._open_rows = [], 0


def _whole_seconds(times: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32] | None:
    """Write times in four bytes each, as seconds and one; None if that would lose something."""
    seconds = times // SECOND  # -1 where there is none
    if times.size and int(seconds.max()) > _MOST_NARROW:
        return None
    if not ((seconds * SECOND == times) | (times == NO_TIMESTAMP)).all():
        return None
    return (seconds + 1).astype(np.uint32)


class NumberSpool:
    """A long column of int32 numbers that is written once, then read."""

    def __init__(self, directory: str | None = None) -> None:
        """Start empty."""
        self.size = 0
        self._scratch = _Scratch(directory)

    def append(self, numbers: npt.NDArray[np.int32]) -> None:
        """Add numbers at the end."""
        self._scratch.append(numbers)
        self.size += numbers.size

    def chunks(self) -> Iterator[npt.NDArray[np.int32]]:
        """Read all numbers, in order."""
        for at in range(0, self._scratch.size, _BYTES_OF_A_CHUNK):
            size = min(_BYTES_OF_A_CHUNK, self._scratch.size - at)
            yield self._scratch.read(at, size).view(np.int32)


class _Scratch:
    """Bytes that outlive no run: in memory, then in a file that has no name."""

    def __init__(self, directory: str | None) -> None:
        self.size = 0
        self._directory = directory
        self._file: BinaryIO | None = None
        self._chunks: list[Bytes] = []

    def append(self, data: npt.NDArray[np.generic]) -> None:
        self._chunks.append(np.ascontiguousarray(data).view(np.uint8))
        size = self.size + data.nbytes
        if self._file is not None or size > _MOST_IN_MEMORY:
            self._flush()
        self.size = size

    def _flush(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        for chunk in self._chunks:
            rest = chunk.data
            while rest:
                rest = rest[self._file.write(rest) :]
        self._chunks = []

    def read(self, at: int, size: int) -> Bytes:
        out = np.empty(size, np.uint8)
        if self._file is None:
            if len(self._chunks) > 1:
                self._chunks = [np.concatenate(self._chunks)]
            out[:] = self._chunks[0][at : at + size] if size else out
            return out
        rest = out.data
        while rest:
            taken = os.preadv(self._file.fileno(), [rest], at)
            rest, at = rest[taken:], at + taken
        return out
