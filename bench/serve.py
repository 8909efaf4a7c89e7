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
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from recommender.features import FeatureRows
from recommender.model.artifact import write_model_zip
from recommender.model.machine import FactorizationMachine, predict
from recommender.recordio.reading import read_predictions
from recommender.recordio.writing import write_pairs

USERS, ITEMS, RANK = 943, 1682, 16
DIMENSION = USERS + ITEMS
MOST_BYTES = 6 * 1024 * 1024  # what an endpoint takes
RECORDIO, JSON = "application/x-recordio-protobuf", "application/json"


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
        port = _free_port()
        server = subprocess.Popen(
            [sys.executable, "-m", "bench.timed_server"],
            env={
                **os.environ,
                "OPT_ML": str(root),
                "SAGEMAKER_BIND_TO_PORT": str(port),
                "MATINEE_BIND_HOST": "127.0.0.1",
                "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
            stderr=subprocess.DEVNULL,
        )
        try:
            rows = _measure(_Caller(port), machine, options.rounds, options.full_rounds)
        finally:
            server.terminate()
            server.wait(30)
    sys.stdout.write(json.dumps({"rows": rows}) + "\n")
    return 0


def _measure(
    caller: "_Caller", machine: FactorizationMachine, rounds: int, full_rounds: int
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
    plain = _median(lambda: predict(rows, machine), full_rounds)
    tell({"case": "numpy-alone", "rows": count, "rows_per_second": round(count / plain)})
    return found


def _body(count: int, *, labelled: bool) -> tuple[FeatureRows, bytes]:
    generator = np.random.default_rng(1)
    users = generator.integers(0, USERS, count)
    items = generator.integers(0, ITEMS, count) + USERS
    labels = np.ones(count, np.float32) if labelled else None
    rows = FeatureRows.pairs(users, items, DIMENSION)
    return rows, write_pairs(users, items, DIMENSION, labels)


def _median(do: Callable[[], object], rounds: int) -> float:
    """Median seconds of a call, after a tenth of the rounds that do not count."""
    seconds = []
    for _ in range(rounds + rounds // 10):
        began = time.perf_counter()
        do()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[rounds // 10 :])


class _Caller:
    """One kept-alive connection to the server."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(200):
            try:
                self._connection.connect()
            except ConnectionRefusedError:
                time.sleep(0.1)
                continue
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return
        raise SystemExit("the server did not start")

    def exchange(self, method: str, path: str, body: bytes, kind: str) -> bytes:
        """One request and the body of its response."""
        headers = {"Content-Type": kind, "Accept": kind}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}: {content[:300]!r}")
        return content

    def times(
        self, method: str, path: str, body: bytes, kind: str, rounds: int
    ) -> dict[str, float]:
        """Medians of many exchanges; see the module."""
        for _ in range(rounds // 10):
            self.exchange(method, path, body, kind)
        self.exchange("GET", "/times", b"", JSON)  # what came before does not count
        whole = _median(lambda: self.exchange(method, path, body, kind), rounds)
        taken = json.loads(self.exchange("GET", "/times", b"", JSON))
        seconds = {
            "server_ms": statistics.median(taken["wall"]),
            "server_cpu_ms": statistics.median(taken["processor"]),
            "process_ms": taken["process"] / len(taken["wall"]),
            "whole_ms": whole,
        }
        return {name: round(value * 1e3, 3) for name, value in seconds.items()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
