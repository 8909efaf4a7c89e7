"""Which files are being read, noted beforehand: a try that is killed says nothing itself."""

from collections.abc import Mapping, Sequence
from typing import cast

from recommender.aws import storage
from recommender.pipeline.run_files import reading_note_key
from recommender.pipeline.snapshots import SnapshotFile

DEATHS = 2
_MOST_FILES, _MOST_BYTES = 64, 8 << 20


class ReadingNotes:
    """One small object of a catalog: what is being read just now, and what was when tries died.

    Lambda ends a function that is out of memory or of time without a word to it. The next try finds
    the note of files that were being read, and counts a death for each. Small files are noted
    many at a time, for a note takes as long as reading one; a file with a death has a note of
    its own from then on. So a second death is of this very file, and it is read no more.
    """

    def __init__(
        self, bucket: str, catalog: str, files: Sequence[SnapshotFile], names: Mapping[str, str]
    ) -> None:
        """Look at what earlier tries left.

        Args:
            bucket: of the artifacts.
            catalog: whose files.
            files: those that will be read, in this order.
            names: a file's identity -> what its note is named by: how it is read included.
        """
        self._bucket, self._key = bucket, reading_note_key(catalog)
        self._files, self._names = files, names
        left = storage.read_json_if_there(bucket, self._key) or {}
        known = set(names.values())
        deaths = cast("dict[str, int]", left.get("deaths", {}))
        self._deaths = {name: many for name, many in deaths.items() if name in known}
        for name in cast("list[str]", left.get("reading", [])):
            if name in known:
                self._deaths[name] = self._deaths.get(name, 0) + 1
        self._noted: list[str] = []

    def begin(self, place: int) -> bool:
        """Note that a file is about to be read.

        Args:
            place: of the file among all.

        Returns:
            Whether it may be: not if tries died of it.
        """
        name = self._name(place)
        if self._deaths.get(name, 0) >= DEATHS:
            return False
        if name not in self._noted:
            self._noted = self._with_followers(place)
            self._write()
        return True

    def done(self, place: int) -> None:
        """Take back what was held against a file: it was read to its end, whatever it holds."""
        self._deaths.pop(self._name(place), None)

    def end(self) -> None:
        """Note that no file is being read: what kills a try from here on is none of them."""
        self._noted = []
        self._write()

    def _name(self, place: int) -> str:
        return self._names[self._files[place].identity]

    def _with_followers(self, place: int) -> list[str]:
        noted, size = [self._name(place)], self._files[place].size
        if noted[0] in self._deaths:
            return noted
        for at in range(place + 1, min(place + _MOST_FILES, len(self._files))):
            size += self._files[at].size
            if size > _MOST_BYTES or self._name(at) in self._deaths:
                break
            noted.append(self._name(at))
        return noted

    def _write(self) -> None:
        note = {"reading": self._noted, "deaths": self._deaths}
        storage.write_json(self._bucket, self._key, note)
