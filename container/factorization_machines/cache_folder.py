"""Where the compiler keeps its results from one process to the next."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def choose_cache_folder() -> None:
    """Give the compiler a temporary cache folder if it could write to no other.

    It refuses to define a cached function when it finds no writable folder at all, as in
    a container with a read-only file system and no home. To be called before the compiler, or any
    module with compiled functions, is imported.
    """
    wanted = os.environ.get("NUMBA_CACHE_DIR")
    if wanted and not Path(wanted).exists():
        return  # the compiler makes it
    if not os.access(wanted or Path(__file__).parent, os.W_OK):
        folder = tempfile.mkdtemp(prefix="factorization-machines-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["NUMBA_CACHE_DIR"] = folder
