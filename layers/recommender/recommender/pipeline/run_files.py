"""Where a run's files lie, and what a catalog keeps beside its runs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from recommender.model_names import RANKING
from recommender.pipeline.runs import CODE_VERSION
from recommender.pipeline.snapshots import SnapshotFile


@dataclass(frozen=True)
class RunFiles:
    """Keys of a run's files in the artifacts bucket. Prefixes that a job reads end with ``/``."""

    catalog: str
    run_id: str

    @property
    def root(self) -> str:
        """Everything of the run."""
        return f"runs/{self.catalog}/{self.run_id}/"

    @property
    def plan(self) -> str:
        """Snapshot, config, hyperparameters, counts: what the later steps need to know."""
        return self.root + "plan.json"

    @property
    def train(self) -> str:
        """Prefix of the train channel."""
        return self.root + "train/"

    @property
    def test(self) -> str:
        """Prefix of the test channel."""
        return self.root + "test/"

    @property
    def ranking(self) -> str:
        """Prefix of the ranking model's train channel."""
        return self.root + "ranking/"

    @property
    def vocabulary(self) -> str:
        """Ids in column order."""
        return self.root + "vocabulary/vocabulary.json"

    @property
    def features(self) -> str:
        """Side features of users and items, if the run has any: ``.npz``."""
        return self.root + "vocabulary/features.npz"

    @property
    def titles(self) -> str:
        """Item id to title."""
        return self.root + "vocabulary/titles.json"

    @property
    def pairs(self) -> str:
        """Train and test ratings as numbers: ``.npz``."""
        return self.root + "vocabulary/pairs.npz"

    @property
    def seen(self) -> str:
        """Which items each user rated: ``.npz``."""
        return self.root + "vocabulary/seen.npz"

    @property
    def rejects(self) -> str:
        """Rows that could not be used, one JSON object a line."""
        return self.root + "rejects/rejects.jsonl"

    @property
    def model(self) -> str:
        """Prefix under which SageMaker writes ``<job>/output/model.tar.gz``."""
        return self.root + "model/"

    @property
    def factors(self) -> str:
        """The like model cut into user and item parts: ``.npz``."""
        return self.root + "factors/factors.npz"

    @property
    def ranking_factors(self) -> str:
        """The ranking model, likewise: ``.npz``."""
        return self.root + "factors/ranking.npz"

    @property
    def rated(self) -> str:
        """What the ranking model knows of each user, items and weights: ``.npz``."""
        return self.root + "factors/rated.npz"

    def channels(self, model: str) -> dict[str, str]:
        """Prefixes that a model's training job reads, by the channel's name."""
        return (
            {"train": self.ranking}
            if model == RANKING
            else {"train": self.train, "test": self.test}
        )

    @property
    def metrics(self) -> str:
        """Every figure of the evaluation."""
        return self.root + "metrics.json"

    @property
    def manifest(self) -> str:
        """The run's record, written last."""
        return self.root + "manifest.json"

    @property
    def report(self) -> str:
        """The manifest for people."""
        return self.root + "report.html"

    @property
    def all_recommendations(self) -> str:
        """Prefix of the lists of all shards."""
        return self.root + "recommendations/"

    def recommendations(self, shard: int, ending: str = "jsonl") -> str:
        """Top-N lists of one shard of users; ``ending`` is the format's."""
        return f"{self.all_recommendations}part-{shard:05d}.{ending}"

    @property
    def recommendations_done(self) -> str:
        """Empty, and there once the lists of all shards are."""
        return self.all_recommendations + "_SUCCESS"


def pointer_key(catalog: str) -> str:
    """Where the pointer to a catalog's serving run lies."""
    return f"current/{catalog}.json"


def withdrawn_key(catalog: str) -> str:
    """Where it is said for whom a catalog's serving runs do not answer any more."""
    return f"withdrawn/{catalog}.json"


def refusal_prefix(catalog: str) -> str:
    """Where a catalog's refused file versions are remembered."""
    return f"refused/{catalog}/"


def reading_note_key(catalog: str) -> str:
    """Where it is noted which files are being read, and which were when tries died."""
    return f"reading/{catalog}.json"


def refusal_key(catalog: str, file: SnapshotFile, reading: Mapping[str, object]) -> str:
    """Where it is remembered that a file version was refused as it was read.

    Other settings of reading, or other code, may read it: then it is another refusal.

    Args:
        reading: the settings that decide how a rating file is read.
    """
    told = json.dumps({"reading": reading, "code": CODE_VERSION}, sort_keys=True)
    digest = hashlib.sha256(f"{file.identity}\n{told}".encode()).hexdigest()
    return f"{refusal_prefix(catalog)}{digest}.json"
