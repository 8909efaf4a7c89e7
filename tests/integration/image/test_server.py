"""The serving process: how it begins, ends, and whose it is."""

import os
import pwd
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from recommender.model.artifact import write_model_zip

from testbed.image import SERVED, instance, json_body, known_machine, put_model, run_python, serving


def serve_to_the_end(root, **others):
    return run_python(
        "-m",
        "factorization_machines",
        "serve",
        seconds=30,
        OPT_ML=str(root),
        MATINEE_BIND_HOST="127.0.0.1",
        **others,
    )


def test_a_model_that_tells_half_of_how_ratings_become_likes_is_not_served(tmp_path):
    (tmp_path / "model").mkdir()
    parameters = {**SERVED, "like_scale": "1.5"}
    model = write_model_zip(known_machine("regressor"), parameters)
    (tmp_path / "model/model_algo-1").write_bytes(model)

    process = serve_to_the_end(tmp_path)

    assert process.returncode == 1
    assert process.stderr.startswith("cannot serve: model_algo-1: meta.json holds like_scale")


def test_sigterm_lets_a_running_request_finish(tmp_path):
    body = json_body(instance(3, 45)).encode()
    head = (
        "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )

    put_model(tmp_path)

    with serving(tmp_path) as running:
        with socket.create_connection(("127.0.0.1", running.port), 30) as connection:
            connection.sendall(head.encode())
            # A worker has the request in hand: it asks for the body.
            asked = connection.recv(100)
            running.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            connection.sendall(body)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        exit_status = running.process.wait(60)

    assert asked.startswith(b"HTTP/1.1 100")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"predictions"' in answer
    assert exit_status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand requests to another account")
def test_a_server_started_by_root_is_the_account_s_altogether(tmp_path):
    # Root alone may read the model, and does; the account looks into it.
    put_model(tmp_path).chmod(0o600)

    # What is imported late comes first: the interpreter may lie where the account may not look.
    program = (
        "import concurrent.futures.thread, encodings.cp437, sys\n"
        "import gunicorn.glogging, gunicorn.workers.gthread\n"
        "from factorization_machines.serving.serve import main\n"
        "sys.exit(main())"
    )

    with serving(tmp_path, ("-c", program), MATINEE_RUN_AS="nobody") as running:
        status, _, _ = running.predict(json_body(instance(3, 45)))
        master = running.process.pid
        workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        states = [Path(f"/proc/{process}/status").read_text() for process in (master, *workers)]

    assert status == 200
    assert workers
    nobody = str(pwd.getpwnam("nobody").pw_uid)
    for state in states:
        # Real, effective, saved, and for files.
        assert re.search(r"^Uid:(.*)$", state, re.MULTILINE)[1].split() == [nobody] * 4


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({}, "holds neither model_algo-1 nor model.tar.gz"),
        ({"SAGEMAKER_MODEL_SERVER_WORKERS": "many"}, "SAGEMAKER_MODEL_SERVER_WORKERS is 'many'"),
        ({"MATINEE_RUN_AS": "no-such-account"}, "MATINEE_RUN_AS is 'no-such-account'"),
    ],
)
def test_a_server_that_cannot_serve_says_why_and_ends(tmp_path, others, expected):
    (tmp_path / "model").mkdir()

    process = serve_to_the_end(tmp_path, **others)

    assert process.returncode == 1
    assert process.stderr.startswith("cannot serve: ")
    assert expected in process.stderr
