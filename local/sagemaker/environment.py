"""Where the server runs: this machine's loopback address, and the AWS region it is set to."""

import os

LOOPBACK = "127.0.0.1"
DEFAULT_REGION = "us-east-1"


def region_of_environment() -> str:
    """The region this machine is set to, or the usual one."""
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    return next((os.environ[name] for name in names if os.environ.get(name)), DEFAULT_REGION)
