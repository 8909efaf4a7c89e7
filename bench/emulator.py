"""An AWS on loopback for benches of whole functions: S3 and DynamoDB in a process of their own."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.emulator.processes import LOOPBACK, Server, answers, choose_port
from local.emulator.stack import REGION, ROOT

PYTHON = ROOT / ".venvs/emulator/bin/python"


@contextmanager
def emulator() -> Iterator[dict[str, str]]:
    """Run the emulator, and say what points a process at it: environment variables."""
    port = choose_port(0)
    url = f"http://{LOOPBACK}:{port}"
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    with tempfile.TemporaryDirectory() as folder:
        server = Server(
            "the AWS emulator",
            [str(PYTHON), "-m", "ministack.app"],
            inherited
            | {
                "GATEWAY_PORT": str(port),
                "BIND_HOST": LOOPBACK,
                "MINISTACK_HOST": LOOPBACK,
                "IOT_MTLS_ENABLED": "false",
                "TMPDIR": folder,
                "LOG_LEVEL": "WARNING",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": "",
            },
            Path(folder) / "emulator.log",
            ROOT,
        )
        try:
            server.wait_until(lambda: answers(f"{url}/_ministack/health"), 60)
            yield {
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        finally:
            server.stop()
