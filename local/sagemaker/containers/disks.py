"""The disks of containers: a folder of each, which ends with the container."""

import shutil
from pathlib import Path


def give_back(folder: Path) -> None:
    """Remove what lies in the folders of jobs or endpoints that are over; logs stay.

    Args:
        folder: of all of one kind: in it a folder of each, and in that its disk and its logs.
    """
    for left in folder.glob("*/*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        elif left.suffix != ".log":
            left.unlink(missing_ok=True)
