"""Where the compiler keeps its results from one process to the next."""

import atexit
import hashlib
import os
import shutil
import tempfile
from pathlib import Path


def choose_cache_folder() -> None:
    """Give the compiler a cache folder that suits this very code, unless it was given one.

    Left to itself the compiler puts a function's machine code beside its source and takes it for
    stale when that one file changes; but functions of other files are part of it. It also refuses
    to work when it finds no writable folder at all, as in a container with a read-only file system
    and no home. To be called before the compiler is imported.
    """
    package = Path(__file__).parent
    wanted = os.environ.get("NUMBA_CACHE_DIR")
    if wanted:
        folder = Path(wanted)
        if not folder.exists() or os.access(folder, os.W_OK):
            return  # the compiler makes it
    elif os.access(package, os.W_OK):
        os.environ["NUMBA_CACHE_DIR"] = str(
            package / "__pycache__" / f"compiled-{_digest(package)}"
        )
        return
    temporary = tempfile.mkdtemp(prefix="factorization-machines-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = temporary


def _digest(package: Path) -> str:
    """Name the state of all the package's sources."""
    digest = hashlib.sha256()
    for source in sorted(package.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
