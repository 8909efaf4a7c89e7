"""Serve predictions under load: time of one pair, and rows a second of a full RecordIO body.

``python -m bench.serve`` starts the image's own server on loopback with a model of MovieLens-100K's
size, measures it from the outside over one kept-alive connection (``whole_ms``), and prints one
JSON object as its last line. ``server_ms`` is the processor time that the application itself
spends on a request, from body to body, without sockets: the same application called in this
process. The peer is the plainest one possible: numpy over rows that are decoded already.
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
from factorization_machines.application import Application
from recommender.artifact import write_model_zip
from recommender.features import FeatureRows
from recommender.machine import FactorizationMachine, predict
from recommender.recordio import read_predictions, write_pairs
from werkzeug.test import Client

USERS, ITEMS, RANK = 943, 1682, 16
DIMENSION = USERS + ITEMS
MOST_BYTES = 6 * 1024 * 1024  # what an endpoint takes
RECORDIO, JSON = "application/x-recordio-protobuf", "application/json"


def main() -> int:
    """Run everything; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
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
            [sys.executable, "-m", "factorization_machines.serve"],
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
            rows = _measure(port, machine, options.rounds)
        finally:
            server.terminate()
            server.wait(30)
    sys.stdout.write(json.dumps({"rows": rows}) + "\n")
    return 0


def _measure(port: int, machine: FactorizationMachine, rounds: int) -> list[dict[str, object]]:
    connection = _connect(port)
    own = Client(Application(machine, 1))

    def times(body: bytes, kind: str, rounds: int) -> dict[str, object]:
        def ask() -> bytes:
            return own.post("/invocations", data=body, headers=_headers(kind)).data

        whole = _median(lambda: _exchange(connection, "POST", "/invocations", body, kind), rounds)
        inside = _median(ask, rounds, time.process_time)
        return {"whole_ms": round(whole * 1e3, 3), "server_ms": round(inside * 1e3, 3)}

    ping = _median(lambda: _exchange(connection, "GET", "/ping", b"", JSON), rounds)
    pair = {"data": {"features": {"keys": [195, 1184], "shape": [DIMENSION], "values": [1, 1]}}}
    body = json.dumps({"instances": [pair]}).encode()
    count = MOST_BYTES * 100 // len(_body(100)[1])
    rows, full = _body(count)
    answer = _exchange(connection, "POST", "/invocations", full, RECORDIO)
    scores, _ = read_predictions(answer)
    np.testing.assert_allclose(scores, predict(rows, machine), rtol=1e-6)
    many = times(full, RECORDIO, 20)
    plain = _median(lambda: predict(rows, machine), 20, time.process_time)
    inside = float(str(many["server_ms"])) / 1e3
    found: list[dict[str, object]] = [
        {"case": "ping", "whole_ms": round(ping * 1e3, 3)},
        {"case": "pair-json", **times(body, JSON, rounds)},
        {"case": "pair-recordio", **times(_body(1)[1], RECORDIO, rounds)},
        {
            "case": "full-recordio",
            "rows": count,
            "bytes": len(full),
            **many,
            "rows_per_second": round(count / inside),
        },
        {"case": "numpy-alone", "rows": count, "rows_per_second": round(count / plain)},
    ]
    for row in found:
        sys.stdout.write("  ".join(f"{name} {value}" for name, value in row.items()) + "\n")
    return found


def _headers(kind: str) -> dict[str, str]:
    return {"Content-Type": kind, "Accept": kind}


def _body(count: int) -> tuple[FeatureRows, bytes]:
    generator = np.random.default_rng(1)
    users = generator.integers(0, USERS, count)
    items = generator.integers(0, ITEMS, count) + USERS
    return FeatureRows.pairs(users, items, DIMENSION), write_pairs(users, items, DIMENSION, None)


def _median(
    do: Callable[[], object], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Median seconds of a call, after a tenth of the rounds that do not count."""
    seconds = []
    for number in range(rounds + rounds // 10):
        began = clock()
        do()
        if number >= rounds // 10:
            seconds.append(clock() - began)
    return statistics.median(seconds)


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, kind: str
) -> bytes:
    connection.request(method, path, body, _headers(kind))
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {content[:300]!r}")
    return content


def _connect(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(200):
        try:
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.1)
            continue
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    raise SystemExit("the server did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
