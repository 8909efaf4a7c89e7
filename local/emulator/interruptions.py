"""Runs that a stack interrupted when it was stopped."""

import json
from typing import Any

INTERRUPTED = "States.ServiceRestart"
"""MiniStack's name for the error of an execution that ran when it ended."""


def interrupted(stepfunctions: Any, machine: str) -> list[str]:
    """The catalogs whose last run is one that a stack interrupted.

    Args:
        stepfunctions: a client.
        machine: the ARN of the state machine.
    """
    pages = stepfunctions.get_paginator("list_executions").paginate(stateMachineArn=machine)
    last: dict[str, dict[str, Any]] = {}
    for page in pages:
        for one in page["executions"]:
            catalog = one["name"].rsplit("-", 2)[0]
            if catalog not in last or one["name"] > last[catalog]["name"]:
                last[catalog] = one
    failed = {catalog: one for catalog, one in last.items() if one["status"] == "FAILED"}
    return sorted(
        catalog
        for catalog, one in failed.items()
        if stepfunctions.describe_execution(executionArn=one["executionArn"]).get("error")
        == INTERRUPTED
    )


def run_again(functions: Any, admit_upload: str, bucket: str, catalogs: list[str]) -> None:
    """Let catalogs be run, as an upload does, which also cleans up behind the interrupted run.

    Args:
        functions: a client of Lambda.
        admit_upload: the name of the function that is told of uploads.
        bucket: where ratings are uploaded.
        catalogs: their names.
    """
    for catalog in catalogs:
        detail = {"bucket": {"name": bucket}, "object": {"key": f"ratings/{catalog}/restart"}}
        event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
        functions.invoke(
            FunctionName=admit_upload,
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )
