"""Serve predictions under load: time of one pair, and rows a second of a full RecordIO body.

``python -m bench.serve`` starts the image's own server on loopback, one worker with one model of
MovieLens-100K's size, asks it over one kept-alive connection, and prints one JSON object as its
last line. For each case, medians in milliseconds:

- ``server_ms``: wall time in the server's application, from the body being at hand to the
  response being handed over; taken in the server's process by a wrapper around its application.
- ``server_cpu_ms``: the same in processor time, which a machine shared with others lengthens less.
- ``process_ms``: processor time of the whole server process a request: HTTP, reading the body and
  sending the response included, in user and in system mode.
- ``whole_ms``: wall time of the exchange as the caller sees it, on a machine that both share.

``rows_per_second`` are those of ``process_ms``: all that one core does for them;
``rows_per_second_server`` those of ``server_ms``, ``rows_per_second_whole`` those of ``whole_ms``.
The peer is the plainest one possible: ``predict`` over rows that are decoded already.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from recommender.features import FeatureRows
from recommender.model.artifact import write_model_zip
from recommender.model.machine import FactorizationMachine, predict
from recommender.recordio.reading import read_predictions
from recommender.recordio.writing import write_pairs

from bench.serve.caller import JSON, Caller
from bench.stopwatch import median_seconds
from local.emulator.processes import LOOPBACK, Server, answers, choose_port
from local.emulator.stack import ROOT

USERS, ITEMS, RANK = 943, 1682, 16
DIMENSION = USERS + ITEMS
MOST_BYTES = 6 * 1024 * 1024  # what an endpoint takes
RECORDIO = "application/x-recordio-protobuf"


def main() -> int:
    """Run everything; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="exchanges of one pair")
    parser.add_argument("--full-rounds", type=int, default=40, help="exchanges of a full body")
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    machine = FactorizationMachine(
        0.1,
        generator.normal(size=DIMENSION).astype(np.float32),
        generator.normal(size=(DIMENSION, RANK)).astype(np.float32),
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "model").mkdir()
        parameters = {"feature_dim": str(DIMENSION), "predictor_type": "binary_classifier"}
        (root / "model/model_algo-1").write_bytes(write_model_zip(machine, parameters))
        port = choose_port(0)
        server = Server(
            "the image's server",
            [sys.executable, "-m", "bench.serve.timed_server"],
            {
                **os.environ,
                "OPT_ML": str(root),
                "SAGEMAKER_BIND_TO_PORT": str(port),
                "MATINEE_BIND_HOST": LOOPBACK,
                "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
            ROOT / "build/bench/server.log",
            ROOT,
        )
        try:
            server.wait_until(lambda: answers(f"http://{LOOPBACK}:{port}/ping"), 60)
            rows = _measure(Caller(port), machine, options.rounds, options.full_rounds)
        finally:
            server.stop()
    sys.stdout.write(json.dumps({"rows": rows}) + "\n")
    return 0


def _measure(
    caller: Caller, machine: FactorizationMachine, rounds: int, full_rounds: int
) -> list[dict[str, object]]:
    pair = {"data": {"features": {"keys": [195, 1184], "shape": [DIMENSION], "values": [1, 1]}}}
    found: list[dict[str, object]] = []

    def tell(row: dict[str, object]) -> None:
        found.append(row)
        sys.stdout.write("  ".join(f"{name} {value}" for name, value in row.items()) + "\n")

    tell({"case": "ping", **caller.times("GET", "/ping", b"", JSON, rounds)})
    body = json.dumps({"instances": [pair]}).encode()
    tell({"case": "pair-json", **caller.times("POST", "/invocations", body, JSON, rounds)})
    for labelled, name in ((False, "pair-recordio"), (True, "pair-recordio-labelled")):
        body = _body(1, labelled=labelled)[1]
        tell({"case": name, **caller.times("POST", "/invocations", body, RECORDIO, rounds)})
    for labelled, name in ((False, "full-recordio"), (True, "full-recordio-labelled")):
        count = MOST_BYTES * 100 // len(_body(100, labelled=labelled)[1])
        rows, full = _body(count, labelled=labelled)
        scores, _ = read_predictions(caller.exchange("POST", "/invocations", full, RECORDIO))
        np.testing.assert_allclose(scores, predict(rows, machine), rtol=1e-6)
        times = caller.times("POST", "/invocations", full, RECORDIO, full_rounds)
        tell(
            {
                "case": name,
                "rows": count,
                "bytes": len(full),
                **times,
                "rows_per_second": round(count / times["process_ms"] * 1e3),
                "rows_per_second_server": round(count / times["server_ms"] * 1e3),
                "rows_per_second_whole": round(count / times["whole_ms"] * 1e3),
            }
        )
    plain = median_seconds(
        lambda: predict(rows, machine), full_rounds, unmeasured=full_rounds // 10
    )
    tell({"case": "numpy-alone", "rows": count, "rows_per_second": round(count / plain)})
    return found


def _body(count: int, *, labelled: bool) -> tuple[FeatureRows, bytes]:
    generator = np.random.default_rng(1)
    users = generator.integers(0, USERS, count)
    items = generator.integers(0, ITEMS, count) + USERS
    labels = np.ones(count, np.float32) if labelled else None
    rows = FeatureRows.pairs(users, items, DIMENSION)
    return rows, write_pairs(users, items, DIMENSION, labels)


if __name__ == "__main__":
    sys.exit(main())
