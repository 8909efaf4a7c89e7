"""The image itself, run as SageMaker runs it: ``make image`` builds it and runs these."""

import contextlib
import http.client
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from factorization_machines import warm_up
from recommender.features import FeatureRows
from recommender.model.artifact import read_model_zip, write_model_zip
from recommender.model.machine import FactorizationMachine, predict

IMAGE = os.environ.get("MATINEE_IMAGE", "matinee-fm")
SEALED = ("--read-only", "--tmpfs=/tmp", "--security-opt", "no-new-privileges")


def docker(*arguments, check=True):
    return subprocess.run(
        ["docker", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=check
    )


@contextlib.contextmanager
def container(*arguments):
    """A container in the background: its id."""
    name = docker("run", "--detach", *arguments).stdout.strip()
    try:
        yield name
    finally:
        docker("rm", "--force", name)


def status_of(name):
    return int(docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout)


@pytest.fixture
def opt_ml():
    """Files of this account alone, as root's below SageMaker's ``/opt/ml`` may be."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def mount(root):
    return ("--volume", f"{root}:/opt/ml")


@pytest.mark.parametrize("options", [(), SEALED], ids=["plain", "sealed"])
@pytest.mark.parametrize("job", ["adam-classifier", "gibbs-classifier-of-stars"])
def test_a_job_trains_without_compiling_anything(opt_ml, job, options):
    warm_up.lay_out(opt_ml, job)
    watch = ("--env", "NUMBA_DEBUG_CACHE=1")

    log = docker("run", "--rm", *options, *watch, *mount(opt_ml), IMAGE, "train").stdout

    assert "#quality_metric: host=algo-1, test binary_classification_accuracy" in log
    assert "[cache] data loaded" in log
    assert "[cache] data saved" not in log
    model = opt_ml / "model/model_algo-1"
    assert read_model_zip(model.read_bytes(), "model").dimension == 31


def test_a_job_that_cannot_be_done_says_why(opt_ml):
    warm_up.lay_out(opt_ml, "adam-classifier")
    (opt_ml / "input/config/hyperparameters.json").write_text('{"epochs": "many"}')

    process = docker("run", "--rm", *mount(opt_ml), IMAGE, "train", check=False)

    assert process.returncode == 1
    assert "epochs is 'many'" in (opt_ml / "output/failure").read_text()


def owners_of(name):
    """User numbers of all processes of a container."""
    lines = docker("top", name, "-o", "uid,pid").stdout.splitlines()[1:]
    return {line.split()[0] for line in lines}


def test_a_job_is_nobody_s_root_and_stops_when_told(opt_ml):
    warm_up.lay_out(opt_ml, "adam-classifier")
    settings = opt_ml / "input/config/hyperparameters.json"
    settings.write_text(settings.read_text().replace('"epochs": "2"', '"epochs": "10000"'))

    with container(*mount(opt_ml), IMAGE, "train") as name:
        until(lambda: "#progress_metric" in docker("logs", name).stdout)
        owners = owners_of(name)
        docker("stop", "--time", "20", name)
        status = status_of(name)

    assert owners == {"900"}
    assert status == 143
    assert list((opt_ml / "model").iterdir()) == []


def until(true):
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("options", [(), SEALED], ids=["plain", "sealed"])
def test_a_server_answers_as_the_model_does_and_stops_when_told(opt_ml, options):
    generator = np.random.default_rng(3)
    machine = FactorizationMachine(
        bias=0.5,
        linear=generator.normal(size=9).astype(np.float32),
        factors=generator.normal(size=(9, 2)).astype(np.float32),
    )
    (opt_ml / "model").mkdir()
    (opt_ml / "model/model_algo-1").write_bytes(write_model_zip(machine, {}))
    (opt_ml / "model/model_algo-1").chmod(0o600)
    features = {"keys": [2, 7], "shape": [9], "values": [1, 1]}
    body = json.dumps({"instances": [{"data": {"features": features}}]})
    publish = ("--publish", "127.0.0.1::8080")

    with container(*options, *publish, *mount(opt_ml), IMAGE, "serve") as name:
        port = int(docker("port", name, "8080").stdout.rsplit(":", 1)[1])
        until(lambda: ask(port, "GET", "/ping")[0] == 200)
        status, answer = ask(port, "POST", "/invocations", body)
        refused, _ = ask(port, "POST", "/invocations", "{")
        owners = owners_of(name)
        docker("stop", "--time", "20", name)
        ended = status_of(name)

    rows = FeatureRows.pairs(np.array([2]), np.array([7]), 9)
    (prediction,) = json.loads(answer)["predictions"]
    assert (status, refused, ended) == (200, 400, 0)
    assert prediction["score"] == pytest.approx(float(predict(rows, machine)[0]), rel=1e-12)
    assert owners == {"900"}


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def test_nothing_in_the_image_leads_back_to_root():
    find = ("find", "/", "-xdev", "-type", "f", "-perm", "/6000")
    assert docker("run", "--rm", "--entrypoint", find[0], IMAGE, *find[1:]).stdout == ""


def test_no_account_but_root_can_change_the_program():
    others = ("(", "!", "-user", "root", "-o", "-perm", "/022", ")")
    find = ("find", "/opt/venv", "!", "-type", "l", *others)
    assert docker("run", "--rm", "--entrypoint", find[0], IMAGE, *find[1:]).stdout == ""
