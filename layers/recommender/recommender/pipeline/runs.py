"""A run: what it read, what it is called, where its files lie."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

CODE_VERSION = "0.2.0"
"""Part of a run's identity: new code may make other tensors of the same files."""


@dataclass(frozen=True, order=True)
class SnapshotFile:
    """One object version that a run reads.

    ``last_modified`` is ISO 8601 in UTC, to the second.
    """

    last_modified: str
    key: str
    version_id: str
    etag: str
    size: int

    @property
    def identity(self) -> str:
        """Names this version of this object, for good."""
        return hashlib.sha256(f"{self.key}\n{self.version_id}\n{self.etag}".encode()).hexdigest()


@dataclass(frozen=True)
class Snapshot:
    """The exact object versions that a run reads, oldest first."""

    catalog: str
    files: tuple[SnapshotFile, ...]

    @classmethod
    def of(cls, catalog: str, files: Iterable[SnapshotFile]) -> "Snapshot":
        """Order the files as their ratings are applied: by time, then by key."""
        return cls(catalog, tuple(sorted(files)))

    def rating_files(self) -> list[SnapshotFile]:
        """The files under ``ratings/``."""
        return [file for file in self.files if file.key.startswith("ratings/")]

    def catalog_file(self, stem: str) -> SnapshotFile | None:
        """The newest file ``catalogs/<catalog>/<stem>.<anything>``, if there is one."""
        prefix = f"catalogs/{self.catalog}/{stem}."
        found = [file for file in self.files if file.key.startswith(prefix)]
        return found[-1] if found else None

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"catalog": self.catalog, "files": [asdict(file) for file in self.files]}


def run_id(snapshot: Snapshot, plan: Mapping[str, object]) -> str:
    """Derive a run's name from what it reads and how it will train.

    Args:
        snapshot: the files; at least one.
        plan: everything else that shapes the result (image, hyperparameters).
    Returns:
        Time of the newest file and a digest, so that names sort by time and the same input has
        the same name: ``20260921t101502-3f9a0c11d2``. Letters, digits and ``-``, 26 characters.
    """
    newest = max(file.last_modified for file in snapshot.files)
    stamp = datetime.fromisoformat(newest).astimezone(UTC).strftime("%Y%m%dt%H%M%S")
    content = {"snapshot": snapshot.to_dict(), "plan": dict(plan), "code": CODE_VERSION}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{stamp}-{digest[:10]}"


def attempt_id(base: str, attempt: int) -> str:
    """Name another try at a run that failed: the first keeps the bare name."""
    return base if attempt == 1 else f"{base}-{attempt}"


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
        """The model cut into user and item parts: ``.npz``."""
        return self.root + "factors/factors.npz"

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

    def recommendations(self, shard: int) -> str:
        """Top-N lists of one shard of users."""
        return f"{self.root}recommendations/part-{shard:05d}.jsonl"


def pointer_key(catalog: str) -> str:
    """Where the pointer to a catalog's serving run lies."""
    return f"current/{catalog}.json"


def refusal_prefix(catalog: str) -> str:
    """Where a catalog's refused file versions are remembered."""
    return f"refused/{catalog}/"


def refusal_key(catalog: str, file: SnapshotFile) -> str:
    """Where it is remembered that a file version was refused."""
    return f"{refusal_prefix(catalog)}{file.identity}.json"


def shards(n_users: int, users_per_shard: int) -> list[dict[str, int]]:
    """Cut ``n_users`` users into consecutive shards.

    Returns:
        ``{"number", "first", "last"}`` each, ``last`` exclusive.
    """
    starts = range(0, n_users, users_per_shard)
    return [
        {"number": number, "first": first, "last": min(first + users_per_shard, n_users)}
        for number, first in enumerate(starts)
    ]


def utf8(json_text: str) -> bytes:
    r"""Encode JSON. A lone surrogate, which UTF-8 cannot hold, stays the escape that it was.

    JSON allows ``"\ud800"`` in what users upload and ask, so it must be possible to quote it.
    """
    return json_text.encode("utf-8", "backslashreplace")


def json_bytes(value: object) -> bytes:
    """JSON as it is stored: readable, ordered, UTF-8."""
    return utf8(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def json_lines(rows: Sequence[Mapping[str, object]]) -> bytes:
    """JSON Lines, UTF-8."""
    return utf8("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def execution_input(catalog: str, settle_seconds: int, poll_seconds: int) -> dict[str, object]:
    """The input of an execution. Equal for every start of a catalog, so starting twice is once."""
    return {"catalog": catalog, "settleSeconds": settle_seconds, "pollSeconds": poll_seconds}
