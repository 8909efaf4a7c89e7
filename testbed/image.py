"""The image's programs as processes of this machine, over folders laid out as SageMaker does."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from recommender.features import Float64s, Integers
from recommender.model.artifact import write_model_zip
from recommender.model.machine import FactorizationMachine
from recommender.predictor_types import BINARY_CLASSIFIER

from local.emulator.processes import LOOPBACK, choose_port

USERS, ITEMS, DIMENSION = 30, 50, 80
"""Sizes of the catalog that the tests train on and serve."""
JSON, RECORDIO = "application/json", "application/x-recordio-protobuf"
SERVED = {
    "feature_dim": str(DIMENSION),
    "num_factors": "4",
    "predictor_type": BINARY_CLASSIFIER,
}
"""Hyperparameters of the machine that is served."""

_KEPT = ("PATH", "HOME", "TMPDIR", "PYTHONPATH")
TRAIN = ("-m", "factorization_machines", "train")
"""Arguments of an interpreter that trains."""
_SERVE = ("-m", "factorization_machines", "serve")


def environment(**others: str) -> dict[str, str]:
    """What a process needs of this one's environment, and these variables."""
    return {**{name: os.environ[name] for name in _KEPT if name in os.environ}, **others}


def assert_sigterm_stops_training(folder: Path, after: str) -> None:
    """Train, ask it to stop once a line of its log says so, and see that nothing is left behind.

    Args:
        folder: what is laid out as SageMaker does.
        after: what is in that line, which arrives while it runs: lines are flushed one by one.
    """
    process = subprocess.Popen(  # noqa: S603 - our own programs
        [sys.executable, *TRAIN],
        env=environment(OPT_ML=str(folder)),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert any(after in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        status = process.wait(60)
    assert rest.endswith("stopped by SIGTERM\n")
    assert status == 128 + signal.SIGTERM
    assert not (folder / "output/failure").exists()
    assert list((folder / "model").iterdir()) == []


def run_python(
    *arguments: object,
    seconds: float = 120,
    before: Callable[[], None] | None = None,
    **variables: str,
) -> "subprocess.CompletedProcess[str]":
    """Run this interpreter to its end, whatever that is.

    Args:
        arguments: its command line.
        seconds: how long it may take.
        before: called in the new process before the interpreter begins.
        variables: of its environment.
    """
    return subprocess.run(  # noqa: S603 - our own programs
        [sys.executable, *map(str, arguments)],
        env=environment(**variables),
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def lay_out(root: Path, hyperparameters: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    """Write a job's folder; ``files`` maps channel/name to bytes."""
    config = root / "input/config"
    config.mkdir(parents=True)
    (root / "model").mkdir()
    (root / "output").mkdir()
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "resourceconfig.json").write_text(
        json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]})
    )
    channel = {"TrainingInputMode": "File", "ContentType": RECORDIO, "RecordWrapperType": "None"}
    (config / "inputdataconfig.json").write_text(
        json.dumps({path.split("/")[0]: channel for path in files})
    )
    for path, data in files.items():
        target = root / "input/data" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def run_train(
    root: Path, processors: int | None = None, **others: str
) -> "subprocess.CompletedProcess[str]":
    """Run a job; ``processors`` limits those that it may use, where the system can do that."""

    def limit() -> None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:processors])

    limited = processors and hasattr(os, "sched_setaffinity")
    return run_python(*TRAIN, before=limit if limited else None, OPT_ML=str(root), **others)


def probabilities_by_hand(
    machine: FactorizationMachine, users: Integers, items: Integers
) -> Float64s:
    """Probabilities of likes, by the formula: items are columns after all users."""
    scores = machine.bias + machine.linear[users].astype(float) + machine.linear[items]
    scores += (machine.factors[users].astype(float) * machine.factors[items]).sum(axis=1)
    return 1 / (1 + np.exp(-scores))


def known_machine(predictor_type: str = BINARY_CLASSIFIER) -> FactorizationMachine:
    """The machine that is served: the same in every test."""
    generator = np.random.default_rng(8)
    return FactorizationMachine(
        bias=0.25,
        linear=generator.normal(size=DIMENSION).astype(np.float32),
        factors=generator.normal(size=(DIMENSION, 4)).astype(np.float32),
        predictor_type=predictor_type,
    )


def put_model(root: Path) -> Path:
    """Put the known machine where a server looks for its model; the file."""
    (root / "model").mkdir()
    path = root / "model/model_algo-1"
    path.write_bytes(write_model_zip(known_machine(), SERVED))
    return path


def instance(*columns: int) -> dict[str, object]:
    """One row of ones, as JSON."""
    features = {"keys": columns, "shape": [DIMENSION], "values": [1.0] * len(columns)}
    return {"data": {"features": features}}


def json_body(*instances: dict[str, object]) -> str:
    """A request of several rows."""
    return json.dumps({"instances": instances})


class Server:
    """A serving process under test."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process, self.port = process, port

    def ask(
        self, method: str, path: str, body: str | bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request; ``Content_Type`` becomes ``Content-Type``."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        with contextlib.closing(connection):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def predict(self, body: str | bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Ask for predictions; the body is JSON unless a header says otherwise."""
        return self.ask("POST", "/invocations", body, **{"Content_Type": JSON, **headers})


@contextlib.contextmanager
def serving(root: Path, program: Sequence[str] = _SERVE, **variables: str) -> Iterator[Server]:
    """Serve what lies in a folder, until the block is left."""
    port = choose_port(0)
    process = subprocess.Popen(  # noqa: S603 - our own programs
        [sys.executable, *program],
        env=environment(
            OPT_ML=str(root),
            SAGEMAKER_BIND_TO_PORT=str(port),
            MATINEE_BIND_HOST=LOOPBACK,
            **variables,
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, port)
    try:
        deadline = time.monotonic() + 90
        while True:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "the server did not come up"
            with contextlib.suppress(OSError):
                if server.ask("GET", "/ping")[0] == 200:
                    break
            time.sleep(0.05)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=40)
