"""A pair list to what is asked of the model: read, looked up, cut into parts."""

import json
import time
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt

from recommender.api.answers import ServedRun
from recommender.aws import storage
from recommender.errors import UnknownCatalogError
from recommender.features import Integers
from recommender.json_text import json_lines, utf8
from recommender.model_names import LIKE
from recommender.pipeline.jobs import MAX_PAYLOAD_MB
from recommender.pipeline.scoring.files import ScoringFiles
from recommender.pipeline.snapshots import SnapshotFile
from recommender.ratings.form import PairForm
from recommender.ratings.identifiers import IdTable
from recommender.ratings.reading import read_ratings
from recommender.ratings.rejects import RejectLog
from recommender.ratings.table import RatingRows, RatingsBuilder
from recommender.recordio.writing import write_rows
from recommender.serving import served_runs
from recommender.serving.asking import to_ask
from recommender.steps.scoring import plans

_MOST_ROWS = 50_000
_MOST_BYTES = (MAX_PAYLOAD_MB << 20) - (64 << 10)
_MOST_REJECTS = 100_000
_ALL_ROWS_MAY_BE_BAD = 1.0  # as long as one is good: the others are told of, and cost nobody
_LONGEST_WAIT = 3600
_MOST_SECONDS_OF_WAITING = 30 * 24 * 3600
WAITING, TO_ASK, ANSWERED = "waiting", "to ask", "answered"


@dataclass(frozen=True)
class Encoded:
    """What the state machine needs to know of a pair list.

    Attributes:
        outcome: `WAITING` if nothing serves yet; `TO_ASK` if there are rows for a transform job;
            `ANSWERED` if the factors answer all pairs.
        wait_seconds: until the next look at what serves.
        run_id: the run that scores.
        parts: number of each part.
        counts: rows, as the manifest has them.
    """

    outcome: str
    wait_seconds: int = 0
    run_id: str = ""
    parts: list[dict[str, int]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """For the state machine."""
        return {
            "outcome": self.outcome,
            "waitSeconds": self.wait_seconds,
            "runId": self.run_id,
            "parts": self.parts,
            "counts": self.counts,
        }


def encode(
    ratings_bucket: str, bucket: str, catalog: str, file: SnapshotFile, poll_seconds: int
) -> Encoded:
    """Read a pair list, and write what the later steps need of it.

    Whoever does it again, late or after half of it, writes the same bytes: the run that scores and
    the settings are decided once.

    Args:
        ratings_bucket: where the list lies.
        bucket: where runs lie and scores go.
        catalog: whose list.
        file: its version.
        poll_seconds: the shortest time between two looks at what serves.

    Raises:
        InvalidConfigError: the settings cannot be used.
        MalformedRatingsError: this is no list of pairs, or none of its rows can be used.
        UnknownCatalogError: nothing came to serve in a month.
    """
    files = ScoringFiles.of(catalog, file)
    plan = plans.decide(ratings_bucket, bucket, files, file)
    if plan is None:
        return Encoded(WAITING, _seconds_to_wait(catalog, file, poll_seconds))
    run = served_runs.served(bucket, catalog, plan.run_id)
    parts = _Parts(bucket, files, run, asks=plan.scored_by == LIKE)
    log = RejectLog(_MOST_REJECTS)
    into = RatingsBuilder(file.key, parts.users, parts.items, parts.take, log)
    chunks = storage.stream_version(ratings_bucket, file)
    form = PairForm.of(plan.config.form)
    read_ratings(chunks, into, _ALL_ROWS_MAY_BE_BAD, form)
    parts.close()
    rejects = json_lines([asdict(reject) for reject in log.kept])
    storage.write(bucket, files.rejects, rejects, "application/x-ndjson")
    counts = {"rows": into.rows + log.count, "rejected": log.count, **parts.counts}
    numbers = [{"number": number} for number in range(parts.written)]
    outcome = TO_ASK if counts["by_transform"] else ANSWERED
    return Encoded(outcome, 0, plan.run_id, numbers, counts)


def _seconds_to_wait(catalog: str, file: SnapshotFile, shortest: int) -> int:
    """A quarter of the time that the list has waited already, an hour at most.

    So who uploads pairs together with the first ratings has the scores soon, and a month of
    waiting fits into the history of an execution.

    Raises:
        UnknownCatalogError: it has waited for a month.
    """
    waited = time.time() - file.seconds
    if waited > _MOST_SECONDS_OF_WAITING:
        raise UnknownCatalogError(catalog)
    return int(min(max(waited / 4, shortest), _LONGEST_WAIT))


class _Parts:
    """Cuts the rows of a list into parts, in order, and writes each as soon as it is whole.

    A part's rows fit into one request of the transform job.

    Attributes:
        users: gives codes to users.
        items: gives codes to items.
        written: how many parts there are.
        counts: what became of the rows.
    """

    def __init__(self, bucket: str, files: ScoringFiles, run: ServedRun, *, asks: bool) -> None:
        self.users, self.items = IdTable("user"), IdTable("item")
        self.written = 0
        names = ("scored", "by_transform", "by_factors", "unknown_users", "unknown_items")
        self.counts = dict.fromkeys(names, 0)
        self._bucket, self._files, self._run, self._asks = bucket, files, run, asks
        self._pending: list[RatingRows] = []

    def take(self, rows: RatingRows) -> None:
        """Take some rows."""
        self._pending.append(rows)
        while sum(map(len, self._pending)) >= _MOST_ROWS:
            self._write_first(_MOST_ROWS)

    def close(self) -> None:
        """Write what is left."""
        if self._pending:
            self._write_first(sum(map(len, self._pending)))

    def _write_first(self, size: int) -> None:
        users, items, lines = (
            np.concatenate([getattr(rows, name) for rows in self._pending])
            for name in ("users", "items", "lines")
        )
        last, left = self._pending[-1], users.size - size  # only of the last ones some are left
        self._pending = [last.some(np.arange(len(last) - left, len(last)))] if left else []
        self._write(
            [self.users.spelling(code) for code in users[:size].tolist()],
            [self.items.spelling(code) for code in items[:size].tolist()],
            lines[:size],
        )

    def _write(self, users: list[str], items: list[str], lines: npt.NDArray[np.int64]) -> None:
        """Write a part, or several if it is too much for one."""
        numbers = self._run.numbers_of(list(zip(users, items, strict=True)))
        asked = to_ask(self._run, *numbers) if self._asks else np.zeros(0, np.int64)
        body = b""
        if asked.size:
            body = write_rows(self._run.features.rows(*(side[asked] for side in numbers)), None)
        if len(body) > _MOST_BYTES and len(users) > 1:
            half = len(users) // 2
            for part in (slice(0, half), slice(half, None)):
                self._write(users[part], items[part], lines[part])
            return
        if body:
            storage.write(
                self._bucket, self._files.rows(self.written), body, "application/octet-stream"
            )
        pairs = {
            "users": users,
            "items": items,
            "lines": lines.tolist(),
            "withdrawn": sorted(self._run.withdrawn.intersection(users)),
        }
        key = self._files.pairs(self.written)
        storage.write(self._bucket, key, utf8(json.dumps(pairs)), "application/json")
        self.written += 1
        self._count(numbers, asked.size)

    def _count(self, numbers: tuple[Integers, Integers], asked: int) -> None:
        users, items = numbers
        known_users, known_items = len(self._run.vocabulary.users), len(self._run.vocabulary.items)
        self.counts["scored"] += users.size
        self.counts["by_transform"] += asked
        self.counts["by_factors"] += users.size - asked
        self.counts["unknown_users"] += int(((users < 0) | (users >= known_users)).sum())
        self.counts["unknown_items"] += int(((items < 0) | (items >= known_items)).sum())
