"""What MXNet 1.9.1 reads, computes and writes; run by its own Python, which knows nothing of ours.

``mxnet_side.py read FOLDER``: each folder below holds ``params``, and perhaps ``symbol.json`` with
``rows.npz`` (``offsets``, ``columns``, ``values``, ``shape``). Beside them go ``held.npz`` (the
arrays as MXNet holds them), ``again`` (the same saved by MXNet) and ``scores.npz`` (the graph's
output on ``dense`` and on ``sparse`` rows). Bytes that MXNet refuses leave ``refused`` instead.

``mxnet_side.py write FOLDER``: each folder below holds ``arrays.npz`` and ``how.json`` (storage and
number type of each array by its name, in the order to write, and ``numpy_shapes``). Beside them
goes ``params``, and then all that ``read`` makes of it.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mxnet as mx


def read(folder: Path) -> None:
    try:
        arrays = mx.nd.load(str(folder / "params"))
        held = {name: array.asnumpy() for name, array in arrays.items()}
    except mx.MXNetError as error:
        (folder / "refused").write_text(str(error))
        return
    np.savez(folder / "held.npz", **held)
    mx.nd.save(str(folder / "again"), arrays)
    if (folder / "symbol.json").is_file():
        compute(folder)


def compute(folder: Path) -> None:
    """Score rows as anybody does who takes a model out of the built-in algorithm's artifact."""
    (folder / "model-symbol.json").write_bytes((folder / "symbol.json").read_bytes())
    (folder / "model-0000.params").write_bytes((folder / "params").read_bytes())
    symbol, weights, others = mx.model.load_checkpoint(str(folder / "model"), 0)
    assert not others
    assert set(symbol.list_arguments()) == {"data", *weights}
    rows = np.load(folder / "rows.npz")
    sparse = mx.nd.sparse.csr_matrix(
        (rows["values"], rows["columns"], rows["offsets"]), shape=tuple(rows["shape"])
    )
    scores = {}
    for name, data in (("dense", sparse.tostype("default")), ("sparse", sparse)):
        bound = symbol.bind(mx.cpu(), args={"data": data, **weights}, grad_req="null")
        (output,) = bound.forward()
        scores[name] = output.asnumpy()
    np.savez(folder / "scores.npz", **scores)


def write(folder: Path) -> None:
    given = np.load(folder / "arrays.npz")
    how = json.loads((folder / "how.json").read_text())
    arrays = {}
    for name, (storage, kind) in how["arrays"].items():
        arrays[name] = mx.nd.array(given[name], dtype=kind).tostype(storage)
    with mx.util.np_shape(how["numpy_shapes"]):
        mx.nd.save(str(folder / "params"), arrays)
        read(folder)


if __name__ == "__main__":
    assert mx.__version__ == "1.9.1"
    verb = {"read": read, "write": write}[sys.argv[1]]
    for case in sorted(path for path in Path(sys.argv[2]).iterdir() if path.is_dir()):
        verb(case)
