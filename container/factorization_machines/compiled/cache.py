"""Where compiled code comes from and is kept: the image's own, or the compiler's cache.

The compiler recognises its results by the processor's name and features, which differ from one
instance to the next. An image's code is therefore made for a baseline that all of them have.
"""

import atexit
import hashlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class _Baseline:
    """A processor as the compiler calls it, and what tells that this machine's is one."""

    name: str
    features: frozenset[str]


# x86-64-v3 is what Intel and AMD have had since 2013 and 2015: vectors of 256 bits. Every
# aarch64 has its vectors of 128 bits; the wider ones of some differ from model to model.
_BASELINES = {
    "x86_64": _Baseline("x86-64-v3", frozenset({"avx2", "bmi", "bmi2", "fma", "f16c", "lzcnt"})),
    "aarch64": _Baseline("generic", frozenset()),
}


def choose_cache_folder() -> None:
    """Give the compiler a cache folder that suits this very code, unless it was given one.

    The image's own folder (``MATINEE_COMPILED_CODE``) belongs to root, so that no job can change
    what another runs; each process works on a copy. Elsewhere the compiler, left to itself, puts
    a function's machine code beside its source and takes it for stale when that one file changes;
    but functions of other files are part of it. It also refuses to work when it finds no writable
    folder at all, as in a container with a read-only file system and no home. To be called before
    the compiler is imported.
    """
    package = Path(__file__).parents[1]
    wanted = os.environ.get("NUMBA_CACHE_DIR")
    if wanted and (not Path(wanted).exists() or os.access(wanted, os.W_OK)):
        return  # one that does not exist the compiler makes itself
    brought = os.environ.get("MATINEE_COMPILED_CODE")
    if brought and Path(brought).is_dir() and use_portable_code():
        shutil.copytree(brought, _temporary_folder(), dirs_exist_ok=True)
    elif not wanted and os.access(package, os.W_OK):
        own = package / "__pycache__" / f"compiled-{_digest(package)}"
        os.environ["NUMBA_CACHE_DIR"] = str(own)
    else:
        _temporary_folder()


def use_portable_code() -> bool:
    """Have code compiled, and recognised, for the baseline processor.

    Returns:
        Whether this processor can run it; if not, nothing has changed.
    """
    import llvmlite.binding

    baseline = _BASELINES.get(platform.machine())
    if baseline is None:
        return False
    present = llvmlite.binding.get_host_cpu_features()
    if not all(present.get(feature) for feature in baseline.features):
        return False
    os.environ["NUMBA_CPU_NAME"] = baseline.name
    # The name says it all. Unset, the features of this very machine would be added.
    os.environ["NUMBA_CPU_FEATURES"] = ""
    return True


def _temporary_folder() -> str:
    """Make the compiler's folder, for this process alone."""
    folder = tempfile.mkdtemp(prefix="factorization-machines-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = folder
    return folder


def _digest(package: Path) -> str:
    """Name the state of all the package's sources."""
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
