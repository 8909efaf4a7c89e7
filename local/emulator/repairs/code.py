"""Functions' code and layers, unpacked once instead of once for each process."""

import hashlib
import os
import threading
import types
import zipfile
from pathlib import Path
from typing import Any


def share_code(folder: Path) -> None:
    """Let the processes of functions run from one unpacked copy of each archive.

    MiniStack writes code and layers, archives too, for each process anew: some hundred megabytes.
    As on AWS, functions cannot count on changing them. Compiled bytecode is shared as well.

    Args:
        folder: where copies and bytecode go; it ends with the emulator.
    """
    from ministack.core import lambda_runtime

    copies = folder / "code"
    copies.mkdir(parents=True, exist_ok=True)
    lock = threading.Lock()

    class SharedZipFile(zipfile.ZipFile):
        """An archive that is unpacked as a link to what the same archive held before."""

        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            archive, target = Path(str(self.filename)), Path(path)
            with archive.open("rb") as file:
                copy = copies / hashlib.file_digest(file, "sha256").hexdigest()
            with lock:
                if not copy.exists():
                    part = copy.with_suffix(".part")
                    super().extractall(part, members, pwd)
                    part.rename(copy)
            target.rmdir()
            target.symlink_to(copy, target_is_directory=True)
            archive.unlink()

    replaced = types.ModuleType("zipfile")
    vars(replaced).update(vars(zipfile))
    vars(replaced)["ZipFile"] = SharedZipFile
    lambda_runtime.zipfile = replaced
    # What this process was told not to write beside its own packages, functions may write apart.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
