"""Model archives: written so that equal content gives equal bytes, opened with suspicion."""

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path

MAX_CONTENT = 16 << 30
"""Bytes that an archive may unfold to: past any factorization machine, short of a full disk."""


class DamagedArchiveError(Exception):
    """The archive cannot be read, or must not be."""


def pack(folder: Path, archive: Path) -> None:
    """Write the files below ``folder`` as a tar.gz without times, owners or modes of this machine.

    Args:
        folder: what ``/opt/ml/model`` was.
        archive: the file to write.
    """
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as content:
                    tar.addfile(entry, content)


def unpack(archive: Path, folder: Path) -> None:
    """Write the content of a tar.gz into ``folder``.

    Raises:
        DamagedArchiveError: it is not a whole tar.gz, an entry would leave the folder or is
            neither a file nor a folder, or it unfolds to more than ``MAX_CONTENT``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            total = 0
            for entry in tar:
                total += entry.size
                if total > MAX_CONTENT:
                    raise DamagedArchiveError(f"more than {MAX_CONTENT} bytes")
                if not (entry.isfile() or entry.isdir()):
                    raise DamagedArchiveError(f"{entry.name} is neither a file nor a folder")
                _write(tar, entry, folder)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DamagedArchiveError(str(error)) from error


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    """Write a file or a folder. `TarFile.extract` is safe from Python 3.11.4 on only."""
    target = (folder / entry.name.lstrip("/")).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise DamagedArchiveError(f"{entry.name} would leave the folder")
    content = tar.extractfile(entry)
    if content is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)
