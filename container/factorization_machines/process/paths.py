"""The folders and files that SageMaker and a container share."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MODEL_FILE = "model_algo-1"
ARCHIVE_FILE = "model.tar.gz"
CURVE_FILE = "learning_curve.csv"


@dataclass(frozen=True)
class Paths:
    """Everything below one root: ``/opt/ml`` in a container, any folder on a laptop.

    Source:
        SageMaker developer guide, "How Amazon SageMaker provides training information".
    """

    root: Path

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Paths":
        """Take the root from ``OPT_ML``, so that no laptop needs a writable ``/opt``."""
        return cls(Path(environ.get("OPT_ML") or "/opt/ml"))

    @property
    def input(self) -> Path:
        """Return the folder of all that a job is given."""
        return self.root / "input"

    @property
    def hyperparameters(self) -> Path:
        """JSON object of strings."""
        return self.root / "input/config/hyperparameters.json"

    @property
    def input_data_config(self) -> Path:
        """JSON object: one member a channel."""
        return self.root / "input/config/inputdataconfig.json"

    @property
    def resource_config(self) -> Path:
        """JSON object: this host, all hosts."""
        return self.root / "input/config/resourceconfig.json"

    def channel(self, name: str) -> Path:
        """Return the folder that holds the files of a channel."""
        return self.root / "input/data" / name

    @property
    def model(self) -> Path:
        """Return the folder that becomes ``model.tar.gz``, and comes back when serving."""
        return self.root / "model"

    @property
    def failure(self) -> Path:
        """Return the file whose text SageMaker shows as the job's failure reason."""
        return self.root / "output/failure"
