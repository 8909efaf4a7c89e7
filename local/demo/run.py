"""The demo: MovieLens-100K dropped into a bucket, followed to served recommendations."""

import json
import sys
import time
from importlib.metadata import version
from typing import Any

from local.client import api, movielens
from local.client.following import executions, follow
from local.demo.screen import Screen
from local.emulator.stack import REGION, ROOT, STATE, Stack, build

CATALOG = "movielens"
ARTICLES_WAY = "movielens-adam"
"""A second catalog of the same ratings: ids alone, likes as labels, Adam, as the built-in image."""
_ARTICLES_CONFIG = {"features": {}, "hyperparameters": {"solver": "adam", "num_factors": "64"}}
USER = "196"
"""The user whose predictions and recommendations are shown."""
STRANGER = ("50", "172", "181")
"""What somebody likes who is not in the data: Star Wars and what follows."""
_CORRECTED = 5


def run(screen: Screen, host: str) -> tuple[Stack, dict[str, Any]]:
    """Build, start, deploy, upload twice, and collect what ``build/demo.json`` tells.

    Args:
        host: the address to listen on.
    Returns:
        The running stack, which the caller stops, and the facts.
    """
    began = time.monotonic()
    screen.say("Obtaining MovieLens-100K ...")
    data = movielens.obtain(ROOT / "build" / "data" / "ml-100k")
    screen.say("Building with sam build ...")
    build()
    screen.say("Starting the local AWS, deploying with sam deploy ...")
    stack = Stack(folder=STATE, host=host).__enter__()
    try:
        facts = _drop_and_follow(stack, data, screen)
    except BaseException:
        stack.stop()
        raise
    facts["demo_s"] = round(time.monotonic() - began, 1)
    path = ROOT / "build" / "demo.json"
    path.write_text(json.dumps(facts, indent=2) + "\n")
    return stack, facts


def _drop_and_follow(stack: Stack, data: movielens.MovieLens, screen: Screen) -> dict[str, Any]:
    s3, bucket = stack.client("s3"), stack.outputs["RatingsBucketName"]

    screen.say("Dropping u.item, u.user, ua.test and ua.base into the ratings bucket.")

    def put(key: str, body: bytes) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=body)

    movielens.drop(s3, bucket, CATALOG, data)
    put(f"catalogs/{ARTICLES_WAY}/config.json", json.dumps(_ARTICLES_CONFIG).encode())
    movielens.drop(s3, bucket, ARTICLES_WAY, data, sides=False)
    first = follow(stack, CATALOG, set(), screen.progress)
    screen.say(f"First run done: {first.execution}")
    beside = follow(stack, ARTICLES_WAY, set(), screen.progress)
    screen.say(f"The article's way, for comparison: {beside.execution}")

    before = {one["executionArn"] for one in executions(stack, CATALOG)}
    original, articles = _manifest(stack), _manifest(stack, ARTICLES_WAY)
    screen.say(f"Dropping a second file: {_CORRECTED} corrected ratings.")
    dropped = time.monotonic()
    put(f"ratings/{CATALOG}/corrections.tsv", _corrections(data.train.read_text()).encode())
    second = follow(stack, CATALOG, before, screen.progress)
    while (
        call(stack, "POST", "predictions", {"pairs": [{"user": USER, "item": "242"}]})[1][
            "model_version"
        ]
        == original["runId"]
    ):
        time.sleep(0.1)
    served = time.monotonic() - dropped
    screen.say(f"Second run done: {second.execution}")

    manifest = _manifest(stack)
    trained = _seconds_of_training(stack, manifest)
    return {
        "versions": {
            name: version(name)
            for name in ("matinee", "boto3", "numpy", "numba", "aws-lambda-powertools")
        }
        | {"python": sys.version.split()[0]},
        "states": second.states,
        # The article's data are the first run's: the second one has corrected ratings.
        "metrics": original["evaluation"]["challenger"],
        "metrics_adam": articles["evaluation"]["challenger"],
        "lists": original["evaluation"]["lists"],
        # Rows of two ones, as the article made them; with side features there is more.
        "counts": articles["counts"],
        "train_bytes": articles["counts"]["train_bytes"],
        "counts_with_features": original["counts"],
        "features": original["features"],
        "drop_to_served_s": round(served, 2),
        "outside_training_s": round(served - trained, 2),
        "api_base_url": stack.api_base_url,
        "manifest": manifest,
    }


def _seconds_of_training(stack: Stack, manifest: dict[str, Any]) -> float:
    """How long the models of a run took, which train side by side."""
    client = stack.client("sagemaker")
    jobs = [
        client.describe_training_job(TrainingJobName=one["trainingJobName"])
        for one in manifest["trainings"].values()
    ]
    begun = min(job["TrainingStartTime"] for job in jobs)
    ended = max(job["TrainingEndTime"] for job in jobs)
    return float((ended - begun).total_seconds())


def _corrections(train: str) -> str:
    """Turn the first few ratings over, as users do who change their minds."""
    rows = [line.split("\t") for line in train.splitlines()[:_CORRECTED]]
    return "".join(
        f"{user}\t{item}\t{6 - int(rating)}\t{int(timestamp) + 1_000_000}\n"
        for user, item, rating, timestamp in rows
    )


def _manifest(stack: Stack, catalog: str = CATALOG) -> dict[str, Any]:
    url = f"{stack.api_base_url}/catalogs/{catalog}/model"
    status, manifest = api.call(url, REGION, "GET")
    if status != 200:
        raise RuntimeError(f"GET model answered {status}: {manifest}")
    return manifest


def call(stack: Stack, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    """Call the API of the local stack for the demo's catalog."""
    return api.call(f"{stack.api_base_url}/catalogs/{CATALOG}/{path}", REGION, method, body)
