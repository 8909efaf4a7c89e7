"""Events as AWS sends them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from testbed.template import ACCOUNT, REGION


def object_deleted(bucket: str, key: str, kind: str = "Delete Marker Created") -> dict[str, Any]:
    """A deletion, likewise."""
    event = object_created(bucket, key)
    detail = {**event["detail"], "reason": "DeleteObject", "deletion-type": kind}
    return {**event, "detail-type": "Object Deleted", "detail": detail}


def object_created(bucket: str, key: str) -> dict[str, Any]:
    """An upload, as EventBridge tells it: the key stands as it is."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": "2026-11-22T10:00:00Z",
        "region": REGION,
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {
                "key": key,
                "size": 5,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                "sequencer": "00617F08299329D189",
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": ACCOUNT,
            "source-ip-address": "1.2.3.4",
            "reason": "PutObject",
        },
    }


def scoring_ended(machine: str, execution: str, given: object, status: str) -> dict[str, Any]:
    """The end of an execution that scored a pair list, likewise."""
    event = execution_ended(machine, execution, "", status)
    return {**event, "detail": {**event["detail"], "input": json.dumps(given)}}


def execution_ended(machine: str, execution: str, catalog: str, status: str) -> dict[str, Any]:
    """An execution's end, as EventBridge tells it."""
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": ACCOUNT,
        "time": "2026-11-22T10:00:00Z",
        "region": REGION,
        "resources": [f"{machine.replace(':stateMachine:', ':execution:')}:{execution}"],
        "detail": {
            "executionArn": f"{machine.replace(':stateMachine:', ':execution:')}:{execution}",
            "stateMachineArn": machine,
            "name": execution,
            "status": status,
            "startDate": 1551225271984,
            "stopDate": 1551225283000,
            "input": json.dumps({"catalog": catalog, "settleSeconds": 20, "pollSeconds": 30}),
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": None,
        },
    }


def api_call(
    method: str,
    path: str,
    *,
    body: str | None = None,
    query: Mapping[str, str | Sequence[str]] | None = None,
) -> dict[str, Any]:
    """A call of the REST API, as API Gateway hands it to a function (payload 1.0)."""
    asked = (query or {}).items()
    several = {name: [one] if isinstance(one, str) else list(one) for name, one in asked}
    values = {name: each for name, each in several.items() if each}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Host": "id.execute-api.amazonaws.com"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None
        if query is None
        else {name: each[-1] for name, each in values.items()},
        "multiValueQueryStringParameters": None if query is None else values,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "id",
            "httpMethod": method,
            "identity": {"sourceIp": "1.2.3.4", "userAgent": "test"},
            "path": f"/api{path}",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTimeEpoch": 1428582896000,
            "resourcePath": path,
            "stage": "api",
        },
        "body": body,
        "isBase64Encoded": False,
    }
