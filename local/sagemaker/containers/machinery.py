"""What running a container takes, all in one: every job and endpoint is given the same."""

from dataclasses import dataclass

from local.sagemaker.containers.images import Containers
from local.sagemaker.containers.logs import LogShipping
from local.sagemaker.containers.processes import Processes
from local.sagemaker.storage.s3 import Storage


@dataclass(frozen=True)
class Machinery:
    """What a container is run with."""

    storage: Storage
    processes: Processes
    containers: Containers
    shipping: LogShipping
