"""Which image URIs this machine can run, and what running them means here."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from local.sagemaker.environment import LOOPBACK
from local.sagemaker.faults import JobError

REPOSITORY = "factorization-machines"
Program = Literal["train", "serve"]


def repository_of(image: str) -> str:
    """The repository's own name: ``factorization-machines`` of ``<registry>/<path>/<it>:1``."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


@dataclass(frozen=True)
class Containers:
    """Runs the programs of ``container/`` as processes.

    Every image whose repository is named ``factorization-machines`` is that container: SageMaker's
    built-in one in each region, and the one that a user pushed.
    """

    python: str = field(default_factory=lambda: sys.executable)

    def command(self, image: str, program: Program) -> list[str]:
        """The command that stands for ``docker run <image> <program>``.

        Raises:
            JobError: this machine cannot run the image.
        """
        if repository_of(image) != REPOSITORY:
            raise JobError(
                f"ClientError: the local SageMaker runs images named {REPOSITORY} only, "
                f"and cannot run {image}"
            )
        # -P: a file in the job's folder must never be imported in place of a module.
        return [self.python, "-P", "-m", "factorization_machines", program]

    @staticmethod
    def environment(opt_ml: Path, wanted: Mapping[str, str]) -> dict[str, str]:
        """The process environment: this machine's, the request's, and where ``/opt/ml`` is."""
        ours = {
            "OPT_ML": str(opt_ml),
            "MATINEE_BIND_HOST": LOOPBACK,
            "PYTHONUNBUFFERED": "1",
        }
        return {**os.environ, **wanted, **ours}
