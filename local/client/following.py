"""Follow a catalog's runs from outside, with the same calls that any AWS user has."""

import contextlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.emulator.stack import Stack

_JOB = re.compile(r'"trainingJobName": *"([^"]+)"')
_EPOCH = re.compile(r"completed ([0-9.]+) % of epochs")


class RunError(RuntimeError):
    """A run ended otherwise than it was meant to; the message holds its reason."""


@dataclass
class Progress:
    """Where a run is.

    ``states`` are the names of the states it entered, with the seconds it spent in each so far.
    """

    execution: str
    status: str
    states: dict[str, float] = field(default_factory=dict)
    current: str = ""
    training: str = ""


def executions(stack: Stack, catalog: str) -> list[dict[str, Any]]:
    """List a catalog's executions, the oldest first."""
    client = stack.client("stepfunctions")
    found = client.list_executions(stateMachineArn=stack.outputs["StateMachineArn"])
    # A name is the catalog's, and two words that tell its executions apart.
    mine = [one for one in found["executions"] if one["name"].rsplit("-", 2)[0] == catalog]
    return sorted(mine, key=lambda one: one["startDate"])


def follow(
    stack: Stack,
    catalog: str,
    known: set[str],
    show: Callable[[Progress, float], None],
    seconds: float = 600,
) -> Progress:
    """Wait for a new execution of a catalog and follow it to its end.

    Args:
        catalog: whose.
        known: ARNs of executions that are not new.
        show: called again and again with the progress and the seconds since this call.
    Raises:
        RunError: none began, or it did not end well, or not in time.
    """
    client = stack.client("stepfunctions")
    began = time.monotonic()
    while True:
        passed = time.monotonic() - began
        new = [one for one in executions(stack, catalog) if one["executionArn"] not in known]
        if new:
            progress = _look(stack, client, new[0]["executionArn"])
            show(progress, passed)
            if progress.status == "SUCCEEDED":
                return progress
            if progress.status != "RUNNING":
                raise RunError(f"run {progress.execution} {progress.status}: {_cause(client, new)}")
        if passed > (seconds if new else 30):
            raise RunError("the run did not end in time" if new else "no run began")
        time.sleep(0.25)


def _look(stack: Stack, client: Any, arn: str) -> Progress:  # a boto3 client
    told = client.describe_execution(executionArn=arn)
    progress = Progress(execution=arn.rsplit(":", 1)[-1], status=told["status"])
    entered: datetime | None = None
    job: re.Match[str] | None = None
    for event in _history(client, arn):
        if "stateEnteredEventDetails" in event:
            progress.current = event["stateEnteredEventDetails"]["name"]
            entered = event["timestamp"]
            job = _JOB.search(event["stateEnteredEventDetails"].get("input", "")) or job
            progress.states.setdefault(progress.current, 0.0)
        elif "stateExitedEventDetails" in event and entered is not None:
            name = event["stateExitedEventDetails"]["name"]
            spent = (event["timestamp"] - entered).total_seconds()
            progress.states[name] = round(progress.states.get(name, 0.0) + spent, 3)
    if job and progress.current in ("Wait for training", "Check training"):
        progress.training = _training(stack, job[1])
    return progress


def _history(client: Any, arn: str) -> list[dict[str, Any]]:  # a boto3 client
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def _training(stack: Stack, name: str) -> str:
    """Say how far a training job is, from its own log."""
    logs = stack.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    try:
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")
    except logs.exceptions.ResourceNotFoundException:
        return "starting"
    messages = [
        event["message"]
        for stream in streams["logStreams"]
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])[
            "events"
        ]
    ]
    found = [_EPOCH.search(message) for message in messages]
    done = [match.group(1) for match in found if match]
    return f"{float(done[-1]):.0f} % done" if done else "starting"


def _cause(client: Any, new: list[dict[str, Any]]) -> str:  # a boto3 client
    told = client.describe_execution(executionArn=new[0]["executionArn"])
    cause = told.get("cause", "")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        cause = json.loads(cause)["errorMessage"]
    return f"{told.get('error', 'no error')}: {cause}"
