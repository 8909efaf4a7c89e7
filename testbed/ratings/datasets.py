"""Ratings and datasets that are in memory, whole, with their ids spelled out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from recommender.catalog.config import CatalogConfig
from recommender.dataset.deduplication import TEST, TRAIN
from recommender.dataset.encoding import Dataset, RunRows, Side, labels
from recommender.dataset.vocabulary import Vocabulary
from recommender.features import Integers
from recommender.formats.moments import SECOND
from recommender.model.seen_items import SeenItems
from recommender.ratings.form import RatingForm
from recommender.ratings.identifiers import NULL_WORDS, IdTable
from recommender.ratings.reading import read_ratings
from recommender.ratings.rejects import Reject, RejectLog
from recommender.ratings.table import RatingRows, RatingsBuilder
from recommender.ratings.times import NO_TIMESTAMP
from recommender.recordio.writing import write_pairs

Row = tuple[str, str, float, int]
"""User, item, rating, timestamp."""
CLASSIFIER = CatalogConfig()
REGRESSOR = CatalogConfig(predictor_type="regressor")

_ANY_FORM = RatingForm()


@dataclass(frozen=True, eq=False)
class IdColumn:
    """One id per row; each distinct id is kept once.

    Attributes:
        names: the distinct ids; every one of them occurs in the column.
        numbers: ``(n,)`` int32 index into ``names``.
    """

    names: tuple[str, ...]
    numbers: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.numbers.size)

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.numbers[row])]

    def __iter__(self) -> Iterator[str]:
        names = self.names
        return (names[number] for number in self.numbers.tolist())

    @classmethod
    def of(cls, ids: Iterable[str]) -> "IdColumn":
        """Number ids in the order in which they first occur."""
        seen: dict[str, int] = {}
        numbers = [seen.setdefault(name, len(seen)) for name in ids]
        return cls(tuple(seen), np.array(numbers, np.int32))


def ids_of(table: IdTable, codes: npt.NDArray[np.int32]) -> IdColumn:
    """Spell the codes of some rows out."""
    distinct, numbers = np.unique(codes, return_inverse=True)
    names = {code: name for name, code in table.spelled_ids().items()}
    return IdColumn(
        tuple(names.get(code) or str(code) for code in distinct.tolist()), numbers.astype(np.int32)
    )


@dataclass(frozen=True, eq=False)
class Ratings:
    """The usable rows of one file, in file order; all columns have ``n`` entries.

    Attributes:
        users: the user's id.
        items: the item's id.
        values: float32, finite.
        timestamps: int64, whole seconds since 1970; -1 where none is given.
        lines: int64 line of the row, counted from 1.
    """

    users: IdColumn
    items: IdColumn
    values: npt.NDArray[np.float32]
    timestamps: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.values.size)


def read_into(
    key: str, data: bytes, reject_limit: float, form: RatingForm = _ANY_FORM
) -> tuple[RatingsBuilder, list[RatingRows], RejectLog]:
    """Read a file of ratings: what read it, the rows that it handed on, and the others."""
    log, parts = RejectLog(), list[RatingRows]()
    into = RatingsBuilder(key, IdTable("user"), IdTable("item"), parts.append, log)
    read_ratings(iter([data]), into, reject_limit, form)
    return into, parts, log


def parse_ratings(
    key: str, data: bytes, reject_limit: float, form: RatingForm = _ANY_FORM
) -> tuple[Ratings, list[Reject]]:
    """Read a file of ratings that fits into memory; see `read_ratings`."""
    into, parts, log = read_into(key, data, reject_limit, form)
    codes, others, values, timestamps, lines = (
        np.concatenate(column)
        for column in zip(
            *((p.users, p.items, p.values, p.timestamps, p.lines) for p in parts), strict=True
        )
    )
    seconds = timestamps // SECOND
    found = Ratings(ids_of(into.users, codes), ids_of(into.items, others), values, seconds, lines)
    return found, log.kept


@dataclass(frozen=True)
class ParsedFile:
    """One rating file, read.

    Attributes:
        key: its key.
        ratings: its usable rows.
        is_test: whether it belongs to the test set.
        rejected: how many other rows it has.
    """

    key: str
    ratings: Ratings
    is_test: bool
    rejected: int = 0


class WholeDataset(Dataset):
    """A dataset whose sides can be had whole."""

    @property
    def train(self) -> Side:
        """What is learned from; all of it in memory."""
        return self._side(TRAIN)

    @property
    def test(self) -> Side:
        """What the model is judged by; all of it in memory. No pair of it is in ``train``."""
        return self._side(TEST)

    def _side(self, side: int) -> Side:
        none = Side(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
        parts = [none, *self.blocks(side)]
        return Side(
            np.concatenate([part.users for part in parts]),
            np.concatenate([part.items for part in parts]),
            np.concatenate([part.ratings for part in parts]),
        )


def build_dataset(catalog: str, files: Sequence[ParsedFile], config: CatalogConfig) -> WholeDataset:
    """Make the train and the test set out of rating files that are in memory.

    Raises:
        UnsuitableRatingsError: a side is empty, or there is nothing to learn in train.
    """
    rows = RunRows()
    for file in files:
        into = rows.builder(file.key, is_test=file.is_test)
        rows.rejects.count += file.rejected
        table = file.ratings
        users, items = _codes(table.users, rows.users), _codes(table.items, rows.items)
        times = np.where(table.timestamps < 0, NO_TIMESTAMP, table.timestamps * SECOND)
        into.add_rows(RatingRows(users, items, table.values, times, table.lines))
    return WholeDataset(catalog, rows, config)


def _codes(column: IdColumn, table: IdTable) -> npt.NDArray[np.int32]:
    names = np.array([table.add(name) for name in column.names], np.int32)
    return np.asarray(names[column.numbers], np.int32)


def encode(side: Side, vocabulary: Vocabulary, config: CatalogConfig) -> bytes:
    """Write one side as RecordIO-protobuf: one record per rating, two ones and a label each."""
    item_columns = side.items + np.int64(len(vocabulary.users))
    targets = labels(side.ratings, config)
    return write_pairs(side.users, item_columns, vocabulary.dimension, targets)


def seen_of(users: Integers, items: Integers, n_users: int) -> SeenItems:
    """Group pairs of numbers by user."""
    n_items = int(items.max(initial=-1)) + 1
    return SeenItems.from_keys(users.astype(np.int64) * n_items + items, n_users, n_items)


def standing(rows: Sequence[Sequence[Any]]) -> set[int]:
    """The rule read aloud: of each pair's rows the place of the one that stands.

    Of those that have a time (their fourth cell; -1 for none) the latest, of equally late ones
    the last; of that and the last one without a time, the one that comes later.
    """
    timed: dict[tuple[str, str], tuple[int, int]] = {}
    untimed: dict[tuple[str, str], int] = {}
    for place, (user, item, _, time) in enumerate(rows):
        if time < 0:
            untimed[user, item] = place
        else:
            timed[user, item] = max(timed.get((user, item), (-1, -1)), (time, place))
    pairs = timed.keys() | untimed.keys()
    return {max(timed.get(pair, (-1, -1))[1], untimed.get(pair, -1)) for pair in pairs}


def distinct_rows() -> st.SearchStrategy[list[Row]]:
    """Ratings of distinct pairs, at distinct times."""
    ids = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Z"]), min_size=1, max_size=4)
    ids = ids.filter(lambda one: one not in NULL_WORDS)
    pairs = st.lists(st.tuples(ids, ids), min_size=4, max_size=40, unique=True)
    return pairs.map(
        lambda drawn: [(user, item, float(at % 3), at) for at, (user, item) in enumerate(drawn)]
    )


def table_of(rows: Sequence[Row]) -> Ratings:
    """Spell rows out as the table of a file."""
    return Ratings(
        IdColumn.of(row[0] for row in rows),
        IdColumn.of(row[1] for row in rows),
        np.array([row[2] for row in rows], np.float32),
        np.array([row[3] for row in rows], np.int64),
        np.arange(1, len(rows) + 1, dtype=np.int64),
    )


def file_of(rows: Sequence[Row], *, test: bool = False, rejected: int = 0) -> ParsedFile:
    """Make a file of rows."""
    key = "ratings/films/test/x" if test else "ratings/films/x"
    return ParsedFile(key, table_of(rows), is_test=test, rejected=rejected)


def dataset_of(*files: ParsedFile, config: CatalogConfig = REGRESSOR) -> WholeDataset:
    """Make a dataset of files."""
    return build_dataset("films", files, config)


def rows_of(dataset: Dataset, side: Side) -> list[tuple[str, str, float]]:
    """Spell a side out: user, item, rating."""
    names = dataset.vocabulary
    return [
        (names.users[user], names.items[item], rating)
        for user, item, rating in zip(
            side.users.tolist(), side.items.tolist(), side.ratings.tolist(), strict=True
        )
    ]
