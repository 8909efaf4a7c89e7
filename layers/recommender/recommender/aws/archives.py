"""Arrays of a stored archive, some rows at a time: only those rows are ever fetched and held."""

import io
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from recommender.aws import storage
from recommender.errors import DamagedArtifactError

_LOCAL_HEADER = 30  # bytes before a member's name; the last four are the lengths of what follows
_LEAST_READ = 64 << 10  # a request costs as much time as so many bytes and more


class StoredArrays:
    """The columns of an ``.npz`` as `storage.write_columns` writes them."""

    def __init__(self, bucket: str, key: str) -> None:
        """Look at the list of what there is.

        Raises:
            DamagedArtifactError: this is no archive.
        """
        self._bucket, self._key = bucket, key
        self._name = storage.uri(bucket, key)
        try:
            self._archive = zipfile.ZipFile(cast("IO[bytes]", _StoredFile(bucket, key)))
        except zipfile.BadZipFile as error:
            raise DamagedArtifactError(self._name, str(error)) from error

    def size(self, name: str) -> int:
        """How many numbers a column has."""
        with self._open(name) as file:
            return self._header(name, file)[0]

    def blocks(self, names: Sequence[str], rows: int) -> Iterator[tuple[NDArray[np.generic], ...]]:
        """Read several columns side by side, ``rows`` rows of each at a time.

        Raises:
            DamagedArtifactError: they differ in length, or their bytes are not those written.
            ServiceUnavailableError: the connection broke.
        """
        with ExitStack() as stack:
            files = [stack.enter_context(self._open(name)) for name in names]
            headers = [self._header(*one) for one in zip(names, files, strict=True)]
            size = headers[0][0]
            if any(other != size for other, _ in headers):
                raise DamagedArtifactError(self._name, f"{', '.join(names)} differ in length")
            for first in range(0, size, rows):
                count = min(rows, size - first)
                yield tuple(
                    self._numbers(file, dtype, count)
                    for file, (_, dtype) in zip(files, headers, strict=True)
                )

    def part(self, name: str, first: int, last: int) -> NDArray[np.generic]:
        """Read some consecutive numbers of a column by one request for just them.

        Their bytes are not checked against the column's sum, which is one of all its bytes.

        Args:
            name: the column.
            first: of the numbers.
            last: behind the last one.

        Raises:
            DamagedArtifactError: there is no such column, or it is shorter.
        """
        with self._open(name) as file:
            size, dtype = self._header(name, file)
            header = file.tell()
        if not 0 <= first <= last <= size:
            raise DamagedArtifactError(self._name, f"{name} has {size} numbers, not {last}")
        if first == last:
            return np.zeros(0, dtype)
        # Name and extra field of the member's own header may differ from the directory's.
        at = self._archive.getinfo(f"{name}.npy").header_offset
        local = storage.read_range(self._bucket, self._key, at, at + _LOCAL_HEADER)
        names, extra = struct.unpack("<HH", local[_LOCAL_HEADER - 4 :])
        at += _LOCAL_HEADER + names + extra + header
        found = storage.read_range(
            self._bucket, self._key, at + first * dtype.itemsize, at + last * dtype.itemsize
        )
        return np.frombuffer(found, dtype)

    def _open(self, name: str) -> IO[bytes]:
        try:
            return self._archive.open(f"{name}.npy")
        except KeyError as error:
            raise DamagedArtifactError(self._name, f"there is no array {name}") from error

    def _header(self, name: str, file: IO[bytes]) -> tuple[int, np.dtype[np.generic]]:
        try:
            if np.lib.format.read_magic(file) != (1, 0):
                raise DamagedArtifactError(self._name, f"array {name} has a form of its own")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        except ValueError as error:
            raise DamagedArtifactError(self._name, f"array {name}: {error}") from error
        if len(shape) != 1 or dtype.kind not in "biuf":
            raise DamagedArtifactError(self._name, f"array {name} is no column of numbers")
        # Before anybody makes room for as many numbers as it says there are.
        found = self._archive.getinfo(f"{name}.npy").file_size - file.tell()
        if shape[0] * dtype.itemsize != found:
            told = f"array {name} says that it has {shape[0]} numbers, and has {found} bytes"
            raise DamagedArtifactError(self._name, told)
        return shape[0], dtype

    def _numbers(
        self, file: IO[bytes], dtype: np.dtype[np.generic], count: int
    ) -> NDArray[np.generic]:
        try:
            data = file.read(count * dtype.itemsize)  # checked against its sum at the very end
        except zipfile.BadZipFile as error:
            raise DamagedArtifactError(self._name, str(error)) from error
        if len(data) < count * dtype.itemsize:
            raise DamagedArtifactError(self._name, "it ends too soon")
        return np.frombuffer(data, dtype)


class _StoredFile(io.RawIOBase):
    """A stored object that is read from anywhere, each time by a request for just that part."""

    def __init__(self, bucket: str, key: str) -> None:
        self._bucket, self._key, self._at = bucket, key, 0
        self._near, self._size = storage.read_end(bucket, key, _LEAST_READ)
        self._near_at = self._size - len(self._near)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        wanted = max(0, self._size - self._at) if size < 0 else min(size, self._size - self._at)
        if wanted <= 0:
            return b""
        start = self._at - self._near_at
        if start < 0 or start + wanted > len(self._near):
            end = min(self._size, self._at + max(wanted, _LEAST_READ))
            found = storage.read_range(self._bucket, self._key, self._at, end)
            if wanted >= _LEAST_READ:
                self._at += wanted
                return found
            self._near, self._near_at, start = found, self._at, 0
        self._at += wanted
        return self._near[start : start + wanted]
