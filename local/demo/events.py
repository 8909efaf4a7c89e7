"""Capture one real payload for each function, from a whole run on a local stack."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from local.client import api, movielens
from local.client.following import follow
from local.emulator.stack import REGION, ROOT, STACK_NAME, Stack, build

EVENTS = ROOT / "tests" / "events"
_MOST_SECONDS = 120
_SCORING = (
    *("admit_pairs", "encode_pairs", "start_transform", "check_transform", "join_scores"),
    "finish_scoring",
)
"""The functions that a pair list calls, as their folders are named."""
_SIGNATURE = ("authorization", "x-amz-")


def steps() -> list[str]:
    """Name the functions that a run calls, as their folders are named."""
    folders = (path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
    return sorted(name for name in folders if name != "predict")


def received(stack: Stack, function: str) -> dict[str, Any]:
    """Tell what a function received last, without the signature of the one who called it."""
    name = f"{STACK_NAME}-{function.replace('_', '-')}.json"
    event: dict[str, Any] = json.loads((stack.events / name).read_text())
    for field in ("headers", "multiValueHeaders"):
        if field in event:
            event[field] = {
                key: value
                for key, value in event[field].items()
                if not key.lower().startswith(_SIGNATURE)
            }
    return event


def collect(stack: Stack, catalog: str, user: str, item: str) -> dict[str, dict[str, Any]]:
    """Gather every payload, just after a catalog's run was the last thing to happen.

    Returns:
        Payloads by the names of their files: the steps', and one for each path of the API.
    """
    found = {name: received(stack, name) for name in steps() if name not in _SCORING}
    _score(stack, catalog, f"user,item\n{user},{item}\n".encode())
    found |= {name: received(stack, name) for name in _SCORING}
    below = f"catalogs/{catalog}"
    pairs = {"pairs": [{"user": user, "item": item}]}
    for name, method, path, body in (
        ("predict", "POST", f"{below}/predictions", pairs),
        ("predict_recommendations", "GET", f"{below}/users/{user}/recommendations?limit=5", None),
        ("predict_session", "POST", f"{below}/recommendations", {"ratings": [{"item": item}]}),
        ("predict_model", "GET", f"{below}/model", None),
        ("predict_health", "GET", "health", None),
    ):
        status, answer = api.call(f"{stack.api_base_url}/{path}", REGION, method, body)
        if status != 200:
            raise RuntimeError(f"{method} {path} answered {status}: {answer}")
        found[name] = received(stack, "predict")
    return found


def _score(stack: Stack, catalog: str, pairs: bytes) -> None:
    """Upload a pair list, and wait until it is scored."""
    bucket, machine = stack.outputs["RatingsBucketName"], stack.outputs["ScoringMachineArn"]
    key = f"scoring/{catalog}/pairs.csv"
    stack.client("s3").put_object(Bucket=bucket, Key=key, Body=pairs)
    deadline = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < deadline:
        states = stack.client("stepfunctions").list_executions(stateMachineArn=machine)
        mine = [one for one in states["executions"] if one["name"].startswith(f"{catalog}-")]
        if mine and all(one["status"] != "RUNNING" for one in mine):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{key} was not scored within {_MOST_SECONDS} s")


def capture() -> list[Path]:
    """Run MovieLens-100K through a stack of its own and write ``tests/events/``.

    Returns:
        The files written.
    """
    data = movielens.obtain(ROOT / "build" / "data" / "ml-100k")
    build()
    with (
        tempfile.TemporaryDirectory() as scratch,
        Stack(folder=Path(scratch) / "local", emulator_port=0, sagemaker_port=0) as stack,
    ):
        s3, bucket = stack.client("s3"), stack.outputs["RatingsBucketName"]
        movielens.drop(s3, bucket, "movielens", data)
        follow(stack, "movielens", set(), lambda *_: None)
        found = collect(stack, "movielens", user="196", item="242")
    written = []
    for name, event in found.items():
        path = EVENTS / f"{name}.json"
        path.write_text(json.dumps(event, indent=2) + "\n")
        written.append(path)
    return written
