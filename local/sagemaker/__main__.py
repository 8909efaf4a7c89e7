"""Start the local SageMaker: ``python -m local.sagemaker --port 4580 --state build/sagemaker``."""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from local.sagemaker.containers.images import Containers
from local.sagemaker.environment import LOOPBACK
from local.sagemaker.service.app import DEFAULT_ACCOUNT, LocalSageMaker
from local.sagemaker.service.server import LoopbackServer

logger = logging.getLogger("local.sagemaker")


def main() -> int:
    """Serve until SIGTERM or SIGINT, then stop every child."""
    arguments = _arguments()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    for talkative in ("botocore", "boto3", "urllib3", "s3transfer"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    stopping = threading.Event()

    def stop(number: int, _: FrameType | None) -> None:
        logger.info("%s: stopping", signal.Signals(number).name)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if arguments.end_with_parent:
        threading.Thread(target=_watch, args=(os.getppid(), stopping), daemon=True).start()
    arguments.state.mkdir(parents=True, exist_ok=True)
    service = LocalSageMaker(
        arguments.state.resolve(), arguments.account, Containers(arguments.container_python)
    )
    service.warm_up()
    with LoopbackServer(arguments.port, service, arguments.host) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        print(server.url, flush=True)  # tells a launcher the port, and that calls are answered
        logger.info("SageMaker answers at %s", server.url)
        stopping.wait()
        server.shutdown()
        service.close()
    return 0


def _watch(parent: int, stopping: threading.Event) -> None:
    """Stop when the starter is gone, however that ended."""
    while os.getppid() == parent and not stopping.wait(0.5):
        pass
    stopping.set()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.sagemaker",
        description="SageMaker on this machine: training jobs, endpoints and transform jobs as "
        "processes. S3 and CloudWatch Logs are those of AWS_ENDPOINT_URL.",
    )
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder for logs and job folders")
    parser.add_argument("--account", default=DEFAULT_ACCOUNT, help="twelve digits for ARNs")
    parser.add_argument(
        "--container-python",
        default=sys.executable,
        help="interpreter that has the container's packages (default: this one)",
    )
    parser.add_argument(
        "--end-with-parent",
        action="store_true",
        help="stop when the process that started this ends",
    )
    parser.add_argument("--verbose", action="store_true", help="log every request")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
