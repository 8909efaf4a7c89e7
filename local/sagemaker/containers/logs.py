"""Copy container logs to CloudWatch Logs, for those who look there. Best effort, never in the way.

The log files in the state folder are complete. This follows them while they grow; a log service
that is absent, slow or broken ends the following and nothing else.
"""

import contextlib
import functools
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.environment import region_of_environment

logger = logging.getLogger(__name__)

_INTERVAL = 0.5
_MAX_BATCH_BYTES = 500_000
_MAX_BATCH_EVENTS = 1_000
_EVENT_OVERHEAD = 26


class LogShipping:
    """Follows log files into CloudWatch Logs when a local log service is set."""

    @functools.cached_property
    def _client(self) -> Any | None:
        # Only ever an emulator: with none set, this would write into somebody's AWS account.
        if not (os.environ.get("AWS_ENDPOINT_URL_LOGS") or os.environ.get("AWS_ENDPOINT_URL")):
            return None
        config = Config(
            connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 1}
        )
        return boto3.client("logs", region_name=region_of_environment(), config=config)

    def follow(self, path: Path, group: str, stream: str) -> threading.Event:
        """Copy lines of ``path`` as they come, until the returned event is set and all is copied.

        Args:
            path: the log file; it may not exist yet.
            group: the log group, created when missing.
            stream: the log stream, created when missing.
        """
        ended = threading.Event()
        threading.Thread(
            target=self._follow,
            args=(path, group, stream, ended),
            name=f"log-{stream}",
            daemon=True,
        ).start()
        return ended

    def _follow(self, path: Path, group: str, stream: str, ended: threading.Event) -> None:
        try:
            client = self._client
            if client is None:
                return
            for create, names in (
                (client.create_log_group, {"logGroupName": group}),
                (client.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
            ):
                with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
                    create(**names)
            path.touch()
            with path.open("rb") as file:
                while not ended.wait(_INTERVAL):
                    self._copy(client, file, group, stream)
                while self._copy(client, file, group, stream):
                    pass
        except (BotoCoreError, ClientError, OSError) as error:
            logger.debug("no longer copying %s to %s: %s", path, group, error)

    @staticmethod
    def _copy(client: Any, file: BinaryIO, group: str, stream: str) -> bool:
        """Send what has come since; whether there was anything."""
        now = int(time.time() * 1000)
        events: list[dict[str, object]] = []
        size = 0
        while size < _MAX_BATCH_BYTES and len(events) < _MAX_BATCH_EVENTS:
            start = file.tell()
            line = file.readline(_MAX_BATCH_BYTES // 4)
            if not line.endswith(b"\n") and len(line) < _MAX_BATCH_BYTES // 4:
                file.seek(start)  # an unfinished line waits for its end
                break
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if text:
                events.append({"timestamp": now, "message": text})
            size += len(line) + _EVENT_OVERHEAD
        if events:
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        return bool(events)
