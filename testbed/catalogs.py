"""A catalog of a running local stack, driven as users drive it: by S3 and HTTP."""

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from local.client import api
from local.emulator.stack import REGION, Stack

QUICK = {
    "solver": "adam",
    "num_factors": "4",
    "epochs": "30",
    "mini_batch_size": "100",
    "factors_lr": "0.02",
    "linear_lr": "0.02",
    "factors_wd": "0.001",
    "factors_init_sigma": "0.1",
}
"""Hyperparameters that learn a few hundred planted ratings in a moment."""


@dataclass
class Catalog:
    """One catalog of the stack, driven by S3 and HTTP alone."""

    stack: Stack
    name: str

    def put(self, name: str, data: bytes, folder: str = "ratings") -> None:
        """Put a file of the catalog, under ``ratings/`` or ``catalogs/``."""
        self.stack.client("s3").put_object(
            Bucket=self.stack.outputs["RatingsBucketName"],
            Key=f"{folder}/{self.name}/{name}",
            Body=data,
        )

    def delete(self, name: str, folder: str = "ratings") -> None:
        """Delete a file of the catalog."""
        self.stack.client("s3").delete_object(
            Bucket=self.stack.outputs["RatingsBucketName"], Key=f"{folder}/{self.name}/{name}"
        )

    def configure(self, **settings: object) -> None:
        """Put the catalog's settings, quick to train unless they say otherwise."""
        hyperparameters = {**QUICK, **settings.pop("hyperparameters", {})}  # type: ignore[dict-item]
        config = {"hyperparameters": hyperparameters, **settings}
        self.put("config.json", json.dumps(config).encode(), folder="catalogs")

    def executions(self) -> list[dict[str, Any]]:
        """This catalog's executions, the oldest first."""
        found = self.stack.client("stepfunctions").list_executions(
            stateMachineArn=self.stack.outputs["StateMachineArn"]
        )["executions"]
        mine = [one for one in found if one["name"].rsplit("-", 2)[0] == self.name]
        return sorted(mine, key=lambda one: one["name"])

    def lease(self) -> dict[str, Any]:
        """Read the lease as the table has it."""
        return (
            self.stack.client("dynamodb")
            .get_item(
                TableName=self.stack.outputs["StateTableName"],
                Key={"catalog": {"S": self.name}, "record": {"S": "lease"}},
                ConsistentRead=True,
            )
            .get("Item", {})
        )

    def settle(self, runs: int, seconds: float = 180) -> list[dict[str, Any]]:
        """Wait until this many runs have ended and the catalog is free."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.executions()
            ended = len(found) >= runs and all(one["status"] != "RUNNING" for one in found)
            # An execution may be about to start for what arrived meanwhile: the lease knows.
            if ended and "owner" not in self.lease():
                return found
            time.sleep(0.1)
        raise AssertionError(
            f"{self.name}: {[(x['name'], x['status']) for x in self.executions()]}"
        )

    def wait_for_state(self, state: str, run: int, seconds: float = 120) -> str:
        """Wait until the run of that number entered a state; give its ARN."""
        client = self.stack.client("stepfunctions")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.executions()
            if len(found) >= run:
                arn = str(found[run - 1]["executionArn"])
                events = client.get_execution_history(executionArn=arn)["events"]
                entered = [
                    one["stateEnteredEventDetails"]["name"]
                    for one in events
                    if "stateEnteredEventDetails" in one
                ]
                if state in entered:
                    return arn
            time.sleep(0.05)
        raise AssertionError(f"{self.name} never came to {state!r}")

    def output(self, execution: dict[str, Any]) -> dict[str, Any]:
        """What the last step of a run that succeeded gave."""
        told = self.stack.client("stepfunctions").describe_execution(
            executionArn=execution["executionArn"]
        )
        return dict(json.loads(told["output"])["finish"])

    def error(self, execution: dict[str, Any]) -> tuple[str, str]:
        """Error and cause of a run that failed."""
        told = self.stack.client("stepfunctions").describe_execution(
            executionArn=execution["executionArn"]
        )
        return told.get("error", ""), told.get("cause", "")

    def artifact(self, key: str) -> bytes:
        """Read an object that the pipeline wrote."""
        bucket = self.stack.outputs["ArtifactsBucketName"]
        body = self.stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        return bytes(body.read())

    def artifacts(self) -> list[str]:
        """List the keys of all runs."""
        bucket = self.stack.outputs["ArtifactsBucketName"]
        pages = (
            self.stack.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=bucket, Prefix=f"runs/{self.name}/")
        )
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def manifests(self) -> list[dict[str, Any]]:
        """Every run's manifest, by the time it finished."""
        keys = [key for key in self.artifacts() if key.endswith("/manifest.json")]
        found = [json.loads(self.artifact(key)) for key in keys]
        return sorted(found, key=lambda one: str(one["execution"]))

    def pointer(self) -> dict[str, Any]:
        """Read what the catalog's pointer says."""
        return dict(json.loads(self.artifact(f"current/{self.name}.json")))

    def endpoint(self) -> dict[str, Any]:
        """Describe the catalog's endpoint."""
        client = self.stack.client("sagemaker")
        return dict(client.describe_endpoint(EndpointName=f"matinee-{self.name}"))

    def call(self, path: str, body: object = None, **more: Any) -> tuple[int, dict[str, Any]]:
        """Call the API below the catalog; POST when there is a body."""
        url = f"{self.stack.api_base_url}/catalogs/{quote(self.name)}/{path}"
        posts = body is not None or "raw" in more
        return api.call(url, REGION, "POST" if posts else "GET", body, **more)

    def predict(self, *pairs: tuple[str, str]) -> tuple[int, dict[str, Any]]:
        """Ask for predictions of pairs of user and item."""
        return self.call(
            "predictions", {"pairs": [{"user": user, "item": item} for user, item in pairs]}
        )


def planted(seed: int = 7, users: int = 60, items: int = 40, share: float = 0.6) -> bytes:
    """Ratings with something to learn: two kinds of users, two kinds of items, a little noise."""
    rng = np.random.default_rng(seed)
    lines = []
    for user in range(1, users + 1):
        for item in range(1, items + 1):
            if rng.random() < share:
                matches = user % 2 == item % 2
                liked = matches if rng.random() < 0.95 else not matches
                rating = rng.integers(4, 6) if liked else rng.integers(1, 4)
                lines.append(f"{user}\t{item}\t{rating}\t{880000000 + len(lines)}\n")
    return "".join(lines).encode()
