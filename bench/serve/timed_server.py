"""The image's own server, with a clock around its application.

``GET /times`` answers with the seconds that each request took since it was last asked, from the
body being at hand to the response being handed over, by the clock on the wall and by the
processor's; and with the processor time of the whole process in the meantime.
"""

import io
import json
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from factorization_machines.serving import serve
from factorization_machines.serving.application import Application
from recommender.model.machine import FactorizationMachine

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class TimedApplication(Application):
    """Answers as its base does, and remembers how long that took."""

    def __init__(self, machine: FactorizationMachine, workers: int) -> None:
        super().__init__(machine, workers)
        self._wall: list[float] = []
        self._processor: list[float] = []
        self._process_began = 0.0

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"] == "/times":
            return self._tell(start_response)
        size = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(size))
        began, processor_began = time.perf_counter(), time.thread_time()
        answer = super().__call__(environ, start_response)
        self._processor.append(time.thread_time() - processor_began)
        self._wall.append(time.perf_counter() - began)
        return answer

    def _tell(self, start_response: "StartResponse") -> Iterable[bytes]:
        now = time.process_time()
        taken = {
            "wall": self._wall,
            "processor": self._processor,
            "process": now - self._process_began,
        }
        self._wall, self._processor, self._process_began = [], [], now
        body = json.dumps(taken).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


if __name__ == "__main__":
    sys.exit(serve.main(TimedApplication))
