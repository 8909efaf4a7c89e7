"""Call the deployed HTTP API as any client does: signed, since its authorisation is AWS_IAM."""

import json
import urllib.error
import urllib.request
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def call(
    url: str, region: str, method: str = "GET", body: object = None, *, raw: bytes | None = None
) -> tuple[int, dict[str, Any]]:
    """Send one request.

    Args:
        body: a value for JSON; ``raw`` is sent as it is instead.
    Returns:
        Status and JSON body, also of an error.
    """
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    signed = AWSRequest(method, url, data=data, headers=headers)
    SigV4Auth(Credentials("local", "local"), "execute-api", region).add_auth(signed)
    request = urllib.request.Request(  # noqa: S310  # our own loopback address
        url, data=data, method=method, headers=dict(signed.headers)
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
