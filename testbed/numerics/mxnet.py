"""Real MXNet, in an environment and a process of its own (``make oracle`` installs it).

``python -m testbed.numerics.mxnet`` has it write the fixtures of ``tests/numerics/model`` anew.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from testbed.numerics.artifacts import BIAS, FACTORS, LINEAR_COLUMN

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venvs/oracle"
FIXTURES = ROOT / "tests/numerics/model/fixtures"

_SIDE = ROOT / "tests/oracle/mxnet_side.py"
# MXNet asks the system for these two. Not every machine has them, but these packages bring them.
_LIBRARIES = {
    "libquadmath.so.0": "numpy.libs/libquadmath-*",
    "libgomp.so.1": "pykdtree.libs/libgomp-*",
}

Numbers = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Written:
    """Arrays for MXNet to write.

    Attributes:
        arrays: numbers by name, in the order to write; ``arg:`` is added.
        storage: ``row_sparse`` or ``csr`` for arrays that are not dense; zero rows are left out.
        kinds: number types of arrays that are not float32.
        numpy_shapes: whether axes may be of size zero, which is another version of the format.
    """

    arrays: Mapping[str, Numbers]
    storage: Mapping[str, str]
    kinds: Mapping[str, str]
    numpy_shapes: bool = False

    def lay_out(self, folder: Path) -> None:
        """Write the case as ``mxnet_side.py write`` takes it."""
        folder.mkdir()
        np.savez(folder / "arrays.npz", **{f"arg:{name}": a for name, a in self.arrays.items()})
        how = {
            f"arg:{name}": (self.storage.get(name, "default"), self.kinds.get(name, "float32"))
            for name in self.arrays
        }
        (folder / "how.json").write_text(
            json.dumps({"arrays": how, "numpy_shapes": self.numpy_shapes})
        )


def run(verb: str, folder: Path) -> None:
    """Have MXNet ``read`` or ``write`` all cases of a folder; see ``mxnet_side.py``.

    Raises:
        RuntimeError: MXNet does not run, with what it said.
    """
    python = ENVIRONMENT / "bin/python"
    (packages,) = (ENVIRONMENT / "lib").glob("python*/site-packages")
    with tempfile.TemporaryDirectory() as libraries:
        for name, pattern in _LIBRARIES.items():
            (library,) = packages.glob(pattern)
            (Path(libraries) / name).symlink_to(library)
        process = subprocess.run(  # noqa: S603 - our own script
            [python, "-I", _SIDE, verb, folder],
            env={"LD_LIBRARY_PATH": libraries, "OMP_NUM_THREADS": "1", "HOME": libraries},
            capture_output=True,
            text=True,
            check=False,
        )
    if process.returncode:
        raise RuntimeError(f"MXNet ended with {process.returncode}:\n{process.stderr[-2000:]}")


def fixtures() -> dict[str, Written]:
    """All fixtures by the name of their file: one small model, written in every way."""
    factors, linear, bias = FACTORS, LINEAR_COLUMN, np.array([BIAS])
    names = ("v", "w1_weight", "w0_weight")
    dense = Written(dict(zip(names, (factors, linear, bias), strict=True)), {}, {})
    sparse = {"v": "row_sparse", "w1_weight": "row_sparse"}
    some_rows = {
        "v": factors * np.isin(np.arange(5), [1, 3])[:, None],
        "w1_weight": linear * np.isin(np.arange(5), [0, 4])[:, None],
        "w0_weight": bias,
    }
    no_rows = {"v": factors * 0, "w1_weight": linear * 0, "w0_weight": bias}
    second = {
        "v": factors.T,
        "Linear_Plus_Bias_weight": linear.T,
        "Linear_Plus_Bias_bias": bias,
    }
    found = {
        "layout-1": dense,
        "layout-2": replace(dense, arrays=second),
        "row-sparse": replace(dense, arrays=some_rows, storage=sparse),
        "row-sparse-without-rows": replace(dense, arrays=no_rows, storage=sparse),
        "csr": replace(dense, storage={"v": "csr"}),
        "float64": replace(dense, kinds=dict.fromkeys(names, "float64")),
        "float16": replace(dense, kinds=dict.fromkeys(names, "float16")),
        "int32": replace(dense, kinds={"v": "int32"}),
        "numpy-shapes": replace(dense, numpy_shapes=True),
    }
    return {f"mxnet-1.9.1-{name}.params": written for name, written in found.items()}


@contextmanager
def written(cases: Mapping[str, Written]) -> Iterator[Path]:
    """Have MXNet write cases; their folders, by name, are below the path until it is left."""
    with tempfile.TemporaryDirectory() as path:
        for name, case in cases.items():
            case.lay_out(Path(path) / name)
        run("write", Path(path))
        yield Path(path)


def main() -> int:
    """Write the fixtures.

    Returns:
        The exit status.
    """
    with written(fixtures()) as folder:
        for name in fixtures():
            (FIXTURES / name).write_bytes((folder / name / "params").read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
