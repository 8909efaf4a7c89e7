"""HTTP on loopback: keep-alive connections, a thread each, whole bodies in and out.

The standard library's server, rather than a framework's: it holds a client's connection open
between calls (a prediction costs no new connection), and one process owns every child.
"""

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.sagemaker.environment import LOOPBACK

MAX_BODY = 6_291_456
"""InvokeEndpoint's limit, in bytes; no control-plane request comes near it."""
_MAX_DISCARDED = 1 << 30
_CHUNK = 1 << 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One request. Header names are lower case; ``body`` is empty when it was ``too_large``."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Application = Callable[[Call], Answer]


class LoopbackServer(ThreadingHTTPServer):
    """An HTTP server that only this machine can reach, unless it is given another address."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, application: Application, host: str = LOOPBACK) -> None:
        super().__init__((host, port), _Handler)
        self.application = application

    @property
    def url(self) -> str:
        """Where it listens; the port is real even when ``0`` was asked for."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"


class _BrokenBodyError(Exception):
    """The body does not follow its own framing: the connection cannot be used again."""


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    server_version = "MatineeLocalSageMaker"
    # Without it, Nagle's algorithm and delayed acknowledgements add 40 ms to each small answer.
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = 75  # seconds that an idle connection is kept

    def _serve(self) -> None:
        try:
            body, too_large = self._read_body()
        except (_BrokenBodyError, ValueError):
            self.close_connection = True
            self.send_error(400)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, self.path, headers, body, too_large)
        try:
            answer = self.server.application(call)
        except Exception:  # one broken call must not take its connection's client by surprise
            logger.exception("%s %s", self.command, self.path)
            answer = Answer(500, b'{"__type":"InternalFailure","message":"See the server\'s log."}')
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _read_body(self) -> tuple[bytes, bool]:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._read_chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if length <= MAX_BODY:
            return self._read_exactly(length), False
        if length > _MAX_DISCARDED:
            self.close_connection = True
            return b"", True
        # Read to its end, so that the client reads the answer instead of a reset connection.
        while length:
            length -= len(self._read_exactly(min(length, _CHUNK)))
        return b"", True

    def _read_chunks(self) -> tuple[bytes, bool]:
        parts: list[bytes] = []
        total = 0
        while True:
            size = int(self.rfile.readline(100).split(b";")[0], 16)
            total += size
            if size < 0 or total > _MAX_DISCARDED:
                raise _BrokenBodyError
            part = self._read_exactly(size)
            if total <= MAX_BODY:
                parts.append(part)
            if self.rfile.readline(100) not in (b"\r\n", b"\n"):
                raise _BrokenBodyError
            if not size:
                return (b"".join(parts), False) if total <= MAX_BODY else (b"", True)

    def _read_exactly(self, length: int) -> bytes:
        data = self.rfile.read(length) if length else b""
        if length < 0 or len(data) != length:
            raise _BrokenBodyError
        return data

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 (the base's names)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        logger.debug(format, *args)
