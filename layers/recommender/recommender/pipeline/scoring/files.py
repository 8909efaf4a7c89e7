"""Where the files of a pair list's scoring lie, and what it is called."""

import re
from dataclasses import dataclass

from recommender.pipeline.snapshots import SnapshotFile

_PACKINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_STEM = 80


def execution_name(catalog: str, file: SnapshotFile) -> str:
    """Name the execution that scores a version of a file: whoever starts it, there is one."""
    return f"{catalog}-{file.identity[:20]}"


def _stem_of(key: str) -> str:
    """A file's name without its endings, as far as it can stand anywhere."""
    name = key.rpartition("/")[2]
    for packing in _PACKINGS:
        name = name.removesuffix(packing)
    stem = _UNSAFE.sub("-", name.rpartition(".")[0] or name)
    return stem[:_LONGEST_STEM].strip("-._") or "pairs"


@dataclass(frozen=True)
class ScoringFiles:
    """Keys of a scoring's files in the artifacts bucket.

    What begins with ``_`` is not for those who read the scores: readers of folders pass it over.
    """

    catalog: str
    name: str

    @classmethod
    def of(cls, catalog: str, file: SnapshotFile) -> "ScoringFiles":
        """The files of this version of a pair list."""
        return cls(catalog, f"{_stem_of(file.key)}-{file.identity[:10]}")

    @property
    def root(self) -> str:
        """Everything of the scoring."""
        return f"scores/{self.catalog}/{self.name}/"

    def part(self, number: int) -> str:
        """The scores of some rows, in JSON Lines."""
        return f"{self.root}part-{number:05d}.jsonl"

    @property
    def rejects(self) -> str:
        """Rows that could not be read, one JSON object a line."""
        return self.root + "rejects.jsonl"

    @property
    def manifest(self) -> str:
        """Which run scored, how many, how long, and how it ended."""
        return self.root + "manifest.json"

    @property
    def done(self) -> str:
        """Empty, and there once all else is."""
        return self.root + "_SUCCESS"

    @property
    def plan(self) -> str:
        """Which run scores, with which settings: decided once."""
        return self.root + "_work/plan.json"

    def pairs(self, number: int) -> str:
        """The ids and lines of a part's rows."""
        return f"{self.root}_work/pairs/part-{number:05d}.json"

    @property
    def all_rows(self) -> str:
        """Prefix of what the transform job reads."""
        return self.root + "_work/rows/"

    def rows(self, number: int) -> str:
        """What the model is asked of a part, as RecordIO-protobuf."""
        return f"{self.all_rows}part-{number:05d}.rec"

    @property
    def all_answers(self) -> str:
        """Prefix of what the transform job writes."""
        return self.root + "_work/answers/"

    def answers(self, number: int) -> str:
        """What the model said of a part, in JSON Lines."""
        return f"{self.all_answers}part-{number:05d}.rec.out"
