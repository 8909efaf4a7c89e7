"""Read the rating files of a snapshot: one that cannot be read keeps no other from being read."""

import errno
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace

from recommender.aws import storage
from recommender.catalog.config import CatalogConfig
from recommender.catalog.keys import is_test_key, partitions_of
from recommender.dataset.encoding import RunRows
from recommender.errors import (
    MalformedRatingsError,
    NoRoomError,
    OversizedFileError,
    RecommenderError,
    shown,
)
from recommender.formats.parquet.pages import DecoderError
from recommender.observability import logger
from recommender.pipeline.snapshots import Snapshot, SnapshotFile
from recommender.ratings.detection.kinds import is_of_the_other_kind
from recommender.ratings.feedback import EXPLICIT
from recommender.ratings.reading import read_ratings
from recommender.ratings.table import RatingsBuilder
from recommender.steps import snapshots
from recommender.steps.progress import Report
from recommender.steps.reading.notes import DEATHS, ReadingNotes

_MOST_TOLD = 4
_ROW_BYTES = 16
_KILLED = (
    f"the encoder was ended {DEATHS} times while it read this file (the first time perhaps small "
    "ones beside it): out of memory, or out of its 15 minutes. Divide the file, or raise the "
    "stack's parameter EncodeMemoryMB"
)

Refused = MalformedRatingsError | OversizedFileError


class RatingFiles:
    """Reads the files of a run, one after the other.

    Attributes:
        rows: the rows of all files that were read.
        kind: whether they hold ratings.
        refused: why others were not.
        without_rows: the files that hold none, and nothing else is wrong with them.
    """

    def __init__(
        self,
        ratings_bucket: str,
        artifacts_bucket: str,
        snapshot: Snapshot,
        execution: str,
        config: CatalogConfig,
    ) -> None:
        """Begin with the files of a snapshot; there is at least one."""
        self.rows, self.kind = RunRows(), Kind(config)
        self.refused: list[Refused] = []
        self.without_rows: list[tuple[SnapshotFile, MalformedRatingsError]] = []
        self._bucket, self._artifacts = ratings_bucket, artifacts_bucket
        self._catalog, self._execution, self._config = snapshot.catalog, execution, config
        self._files = snapshot.rating_files()
        self._usable = self._rows = 0
        self._taken, self._total = 0, sum(file.size for file in self._files)
        self.rows.written_by = max(file.seconds for file in self._files)

    def read(self, threads: Executor | None, report: Report) -> None:
        """Read all files.

        Raises:
            MalformedRatingsError, OversizedFileError: some cannot be used; all are remembered, so
                that the next run can do without them.
            NoRoomError: all of them together are too much, and no single one is.
        """
        reading = self._config.reading()
        names = {
            file.identity: snapshots.name_of_reading(self._catalog, file, reading)
            for file in self._files
        }
        notes = ReadingNotes(self._artifacts, self._catalog, self._files, names)
        try:
            for place, file in enumerate(self._files):
                if not notes.begin(place):
                    self._refuse(file, OversizedFileError(file.key, _KILLED))
                    continue
                left_room = self._read(file, threads, report)
                notes.done(place)
                if not left_room:
                    break
        finally:
            notes.end()
        if not self.rows.spool.rows and not self.refused:
            # Nothing but empty parts: then one of them is what its owner asks about.
            for file, empty in self.without_rows:
                self._refuse(file, empty)
        if self.refused:
            raise self._all_refused()

    def _read(self, file: SnapshotFile, threads: Executor | None, report: Report) -> bool:
        """Read a file, or refuse it; say whether there is room left for others."""
        rows = self.rows
        room = max(self._rows * _ROW_BYTES, 1)
        into = rows.builder(file.key, is_test=is_test_key(file.key))
        source = _Source(storage.stream_version(self._bucket, file), self, report)
        form = replace(self.kind.form, partitions=partitions_of(file.key))
        try:
            with rows.spool.within_room():
                read_ratings(iter(source), into, self._config.reject_limit, form, threads)
            self.kind.look_at(into, file)
            self._usable += 1
            self._rows += into.rows
        except Exception as error:
            if source.error is not None:
                raise source.error from None
            if isinstance(error, MalformedRatingsError) and error.has_no_rows:
                self.without_rows.append((file, error))
                return True
            judged = self._judged(error, file, into, room)
            self._refuse(file, judged)
            return not isinstance(judged, OversizedFileError)
        return True

    def _judged(
        self, error: Exception, file: SnapshotFile, into: RatingsBuilder, room: int
    ) -> Refused:
        """Tell what kept a file from being read from what would keep any.

        Args:
            error: what happened.
            file: the file.
            into: took its rows.
            room: bytes that the rows of the files before it take.

        Raises:
            NoRoomError: the disk is full, and rather with the files before it.
            RecommenderError, DecoderError: it has nothing to do with what the file holds.
        """
        if isinstance(error, MalformedRatingsError):
            return error
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            error = NoRoomError("memory", self.rows.spool.rows, 0, "EncodeMemoryMB")
        if isinstance(error, NoRoomError):
            own = max(into.rows * _ROW_BYTES, file.size)
            if error.what == "memory" or own >= room:
                return OversizedFileError(file.key, str(error))
        if isinstance(error, RecommenderError | DecoderError):
            raise error
        logger.exception("a file cannot be read", extra={"key": file.key})
        row = into.rows + into.rejected + 1
        told = f"{type(error).__name__}: {shown(str(error), 200)}"
        return MalformedRatingsError(
            file.key,
            row,
            f"the file cannot be read from about here on ({told}). If other programs read it, this "
            "is a fault of Matinee",
        )

    def _refuse(self, file: SnapshotFile, error: Refused) -> None:
        decided_by = None
        if isinstance(error, MalformedRatingsError) and is_of_the_other_kind(error):
            decided_by = self.kind.decided_by
        snapshots.refuse(
            self._artifacts,
            self._catalog,
            file,
            self._execution,
            str(error),
            self._config.reading(),
            decided_by,
            for_want_of_room=isinstance(error, OversizedFileError),
        )
        self.refused.append(error)

    def _all_refused(self) -> Refused:
        """One error for all: of the uploader, unless only the operator can help."""
        malformed = [one for one in self.refused if isinstance(one, MalformedRatingsError)]
        first: Refused = malformed[0] if malformed else self.refused[0]
        rest = [one for one in self.refused if one is not first]
        others = "".join(f"; also {error}" for error in rest[: _MOST_TOLD - 1])
        left = len(self.refused) - _MOST_TOLD
        told = first.reason + others + (f"; and {left} more files" if left > 0 else "")
        leaves_others = self._usable > 0 or self._left_unread
        if isinstance(first, MalformedRatingsError):
            return MalformedRatingsError(first.key, first.line, told, leaves_others=leaves_others)
        return OversizedFileError(first.key, told, leaves_others=leaves_others)

    @property
    def _left_unread(self) -> bool:
        return len(self._files) > self._usable + len(self.refused) + len(self.without_rows)

    def note_taken(self, size: int, report: Report) -> None:
        """Count bytes of the files as they come, and report on them."""
        self._taken += size
        done = {"bytes": self._taken, "of_bytes": self._total, "rows": self.rows.spool.rows}
        report("reading", done)


class _Source:
    """A file's bytes as they come; what keeps them from coming is no fault of the file's."""

    def __init__(self, chunks: Iterator[bytes], files: RatingFiles, report: Report) -> None:
        self.error: Exception | None = None
        self._chunks, self._files, self._report = chunks, files, report

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._chunks:
                self._files.note_taken(len(chunk), self._report)
                yield chunk
        except Exception as error:
            self.error = error
            raise


class Kind:
    """Whether a catalog's files hold ratings: its settings say so, or the first file does.

    Attributes:
        form: how the next file is written.
        feedback: `EXPLICIT` or `IMPLICIT`, once a file is read.
        because: how that is known.
        decided_by: the file that said so, if one did.
    """

    def __init__(self, config: CatalogConfig) -> None:
        """Begin with what the settings say."""
        self.form, self.feedback = config.rating_form(), config.feedback
        self.because = "config.json says so" if config.feedback else ""
        self.decided_by: SnapshotFile | None = None

    def look_at(self, into: RatingsBuilder, file: SnapshotFile) -> None:
        """Look at a file that was read; the first one decides, where the settings do not."""
        if self.feedback:
            return
        self.feedback, self.decided_by = into.meaning.feedback, file
        if self.feedback == EXPLICIT:
            self.form = replace(self.form, feedback=EXPLICIT)
            self.because = f"the first file, {into.key}, has a column of ratings"
        else:
            self.form = replace(self.form, first_file=into.key)
            self.because = f"the first file, {into.key}, has no column of ratings"
