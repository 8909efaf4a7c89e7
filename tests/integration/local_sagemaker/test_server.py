"""The local SageMaker's HTTP server: kept connections, on loopback only."""

import http.client
import json
import socket

import pytest

from testbed.local_sagemaker.calls import ONE_ROW
from testbed.local_sagemaker.server import Service


def test_one_connection_carries_many_invocations(service: Service, endpoint: str) -> None:
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=10)
    connection.connect()
    first = connection.sock
    for _ in range(3):
        connection.request(
            "POST",
            f"/endpoints/{endpoint}/invocations",
            body=iter([ONE_ROW[:20].encode(), ONE_ROW[20:].encode()]),
            headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
            encode_chunked=True,
        )
        answer = connection.getresponse()
        assert (answer.status, "predictions" in json.load(answer)) == (200, True)
    assert connection.sock is first
    connection.close()


def test_the_server_listens_on_loopback_only(service: Service) -> None:
    port = int(service.url.rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; says which address leads outside
        outside = probe.getsockname()[0]
    if outside.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError), socket.create_connection((outside, port), 1):  # noqa: PT011
        pass
