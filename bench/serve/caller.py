"""The caller's side of the timed server: exchanges, and what they took on both sides."""

import http.client
import json
import socket
import statistics

from bench.stopwatch import median_seconds
from local.emulator.processes import LOOPBACK

JSON = "application/json"


class Caller:
    """One kept-alive connection to a server that is listening."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, method: str, path: str, body: bytes, kind: str) -> bytes:
        """One request and the body of its response."""
        headers = {"Content-Type": kind, "Accept": kind}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}: {content[:300]!r}")
        return content

    def times(
        self, method: str, path: str, body: bytes, kind: str, rounds: int
    ) -> dict[str, float]:
        """Medians of many exchanges, in milliseconds; see `bench.serve.__main__`."""
        for _ in range(rounds // 10):
            self.exchange(method, path, body, kind)
        self.exchange("GET", "/times", b"", JSON)  # what came before does not count
        whole = median_seconds(
            lambda: self.exchange(method, path, body, kind), rounds, unmeasured=rounds // 10
        )
        taken = json.loads(self.exchange("GET", "/times", b"", JSON))
        seconds = {
            "server_ms": statistics.median(taken["wall"]),
            "server_cpu_ms": statistics.median(taken["processor"]),
            "process_ms": taken["process"] / len(taken["wall"]),
            "whole_ms": whole,
        }
        return {name: round(value * 1e3, 3) for name, value in seconds.items()}
