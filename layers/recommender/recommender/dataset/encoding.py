"""Rating files to a dataset: ids to numbers, repeats resolved, train and test kept apart."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from recommender.catalog.config import CatalogConfig
from recommender.catalog.feature_columns import columns_of
from recommender.catalog.feature_making import make_side_features
from recommender.catalog.side_tables import SideTable
from recommender.dataset.adding_up import Ageing
from recommender.dataset.deduplication import TEST, TRAIN, deduplicate
from recommender.dataset.draws import Draw
from recommender.dataset.spool import RowSpool, SpooledRows
from recommender.dataset.tallies import Tally, check_suitable, counts_of
from recommender.dataset.vocabulary import Numbering, Vocabulary
from recommender.lookahead import ahead
from recommender.predictor_types import BINARY_CLASSIFIER
from recommender.ratings.account import FileAccount
from recommender.ratings.identifiers import IdTable
from recommender.ratings.rejects import RejectLog
from recommender.ratings.table import RatingsBuilder
from recommender.recordio.pairs import PairWriter
from recommender.recordio.writing import write_rows

Numbers = npt.NDArray[np.int64]
Float32s = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Side:
    """The train or the test set: ``(n,)`` each, in the order of the files and their lines.

    Attributes:
        users: user numbers (not columns).
        items: item numbers (not columns).
        ratings: float32; without ratings what pairs come to.
    """

    users: Numbers
    items: Numbers
    ratings: Float32s

    def __len__(self) -> int:
        return int(self.ratings.size)


class RunRows:
    """The rows of a run's files: what the first pass leaves to the second.

    Attributes:
        users: codes of users.
        items: codes of items.
        spool: the usable rows, in the order of files and lines.
        rejects: the others.
        has_test_files: whether one of them belongs to the test set.
        written_by: seconds since 1970 by which the files were written. A row of a later time has
            a wrong one.
    """

    def __init__(self, directory: str | None = None) -> None:
        """Start empty; ``directory`` takes the temporary file of a large run."""
        self.users, self.items = IdTable("user"), IdTable("item")
        self.spool = RowSpool(directory)
        self.rejects = RejectLog()
        self.has_test_files, self.written_by = False, math.inf
        self._builders: list[RatingsBuilder] = []

    @property
    def files(self) -> int:
        """How many files were read."""
        return len(self._builders)

    @property
    def accounts(self) -> list[FileAccount]:
        """How each of them was read."""
        return [into.account for into in self._builders]

    def names_of(self, role: str) -> set[str]:
        """What their columns of a role are called."""
        return {one.names[role] for one in self.accounts if role in one.names}

    @property
    def weightless(self) -> int:
        """How many rows of them count nothing."""
        return sum(into.account.weightless for into in self._builders)

    @property
    def not_rated(self) -> int:
        """How many rows of them have a rating that says that there is none."""
        return sum(into.account.not_rated for into in self._builders)

    def builder(self, key: str, *, is_test: bool) -> RatingsBuilder:
        """Begin a file, behind those that were read before."""
        self.has_test_files |= is_test
        take = partial(self.spool.append, is_test=is_test)
        self._builders.append(RatingsBuilder(key, self.users, self.items, take, self.rejects))
        return self._builders[-1]


class Dataset:
    """Everything that a run learns from and is judged by.

    Attributes:
        vocabulary: the ids of both sides.
        item_likes: ``(items,)`` how many train ratings of each item are likes.
        counts: what happened to the rows, for manifest and report. ``rows`` = ``rejected`` +
            ``duplicates_replaced`` + ``held_out_from_train`` + ``train_rows`` + ``test_rows`` and,
            in a catalog without ratings, ``weightless``, which count nothing, in one with them
            ``not_rated``; between the rows of so many pairs of one side a time of its own decided
            (``repeats_by_time``), or their order (``repeats_by_order``); ``sparsity`` is the share
            of zeros in the one-hot rows.
        seen_counts: ``(users,)`` how many items each user rated, on either side.
        seen_items: those items' numbers, user after user, ascending.
        features: the side features of users and items.
        lowest: the lowest rating of train.
        highest: the highest.
        left_out: why other columns of the side files are no features, for the report.
        rows_read: how many rows were read and usable, whether they count or not.
        encoded_rows: how many of these `records` has passed by now.
    """

    def __init__(
        self,
        catalog: str,
        rows: RunRows,
        config: CatalogConfig,
        threads: Executor | None = None,
        side_tables: Mapping[str, SideTable] = MappingProxyType({}),
    ) -> None:
        """Decide which rows count and on which side.

        A later rating of a pair replaces an earlier one of the same side: by time, then by the
        order of the files, then by line (see `deduplicate`). Where there are no ratings, it stands
        for all of them, and what they say is added up. A pair rated in a test file belongs to the
        test set alone. With no test file at all, the config says which rows are: a share of the
        pairs, chosen by their two ids, or the latest of each user.

        Args:
            catalog: the catalog's name, for messages.
            rows: what the first pass read, files in the order that decides between ratings of
                equal age. The dataset's rows keep it, so equal files give equal bytes.
            config: the catalog's settings.
            threads: work on several blocks at a time.
            side_tables: "user" or "item" -> the table to make features of.

        Raises:
            UnsuitableRatingsError: a side is empty, or there is nothing to learn in train.
        """
        rows.spool.close()
        self._spool, self._config, self._threads = rows.spool, config, threads
        self.rows_read, self.encoded_rows = rows.spool.rows, 0
        self._users, self._items = Numbering.of(rows.users), Numbering.of(rows.items)
        names = self._users.names, self._items.names
        wanted, self.left_out = columns_of(side_tables, config.features)
        side = self.features = make_side_features(*names, wanted)
        self.vocabulary = Vocabulary(*names, side.names, side.cold_users, side.cold_items)
        split = not rows.has_test_files
        ageing = None
        if config.is_implicit:
            ageing = Ageing.of(rows.spool, config.half_life_days, rows.written_by, threads)
        deduplicated = deduplicate(
            rows.spool,
            self._users,
            self._items,
            last_per_user=config.last_per_user if split else 0,
            ageing=ageing,
            threads=threads,
        )
        self._outcomes, self._totals = deduplicated.outcomes, deduplicated.totals
        self.seen_counts, self.seen_items = deduplicated.seen_counts, deduplicated.seen_items
        draw = Draw(self.vocabulary) if split and not config.last_per_user else None
        self.item_likes = np.zeros(len(self._items.names), np.int64)
        self._firsts: list[tuple[int, int]] = []  # rows of each side before each block
        tally = Tally()
        for _, (liked, part) in ahead(partial(self._look, draw), rows.spool.blocks, threads):
            self._firsts.append((tally.rows[TRAIN], tally.rows[TEST]))
            self.item_likes += liked
            tally.add(part)
        self.lowest, self.highest = tally.lowest, tally.highest
        outcomes = np.bincount(self._outcomes, minlength=4)
        self.counts = counts_of(rows.files, rows.rejects.count, self.vocabulary, tally, outcomes)
        if config.is_implicit:
            self.counts["weightless"] = rows.weightless
            self.counts["rows"] += rows.weightless
        else:
            self.counts |= {f"repeats_{rule}": n for rule, n in deduplicated.repeats.items()}
            self.counts["not_rated"] = rows.not_rated
            self.counts["rows"] += rows.not_rated
        check_suitable(catalog, tally, config, self.counts)

    @property
    def rows(self) -> int:
        """How many rows both sides have together."""
        return self.rows_of(TRAIN) + self.rows_of(TEST)

    def rows_of(self, side: int) -> int:
        """How many rows a side has: `TRAIN` or `TEST`."""
        return int(self.counts["train_rows" if side == TRAIN else "test_rows"])

    def blocks(self, side: int) -> Iterator[Side]:
        """The rows of a side, some at a time, in the order of files and lines."""
        for block in self._spool.blocks:
            yield self._rows(block, side)

    def records(
        self, train_shards: int = 1, *, as_rated: bool = False
    ) -> Iterator[tuple[int, int, bytes]]:
        """Encode all rows as RecordIO-protobuf, in the order of files and lines.

        Args:
            train_shards: the train side is cut into so many runs of consecutive rows, whose
                lengths differ by one at most.
            as_rated: label rows with the ratings themselves, whatever is predicted.

        Returns:
            Side, number of the shard and some of its records, again and again. The chunks of a
            shard, joined, are the records of its rows in order.
        """
        first_item = len(self._users.names)
        writer = None if self.features.dimension else PairWriter(self.vocabulary.dimension)
        train_rows = self.rows_of(TRAIN)
        cuts = [train_rows * shard // train_shards for shard in range(1, train_shards)]

        def encoded(numbered: tuple[SpooledRows, tuple[int, int]]) -> list[tuple[int, int, bytes]]:
            block, firsts = numbered
            found = []
            for side, first in zip((TRAIN, TEST), firsts, strict=True):
                rows = self._rows(block, side)
                if not len(rows):
                    continue
                targets = rows.ratings if as_rated else labels(rows.ratings, self._config)
                shard = bisect_right(cuts, first) if side == TRAIN else 0
                ends = [cut - first for cut in cuts[shard:]] if side == TRAIN else []
                start = 0
                for end in [*(end for end in ends if end < len(rows)), len(rows)]:
                    part = slice(start, end)
                    if writer:
                        columns = rows.items[part] + np.int64(first_item)
                        data = writer.write(rows.users[part], columns, targets[part])
                    else:
                        full = self.features.rows(rows.users[part], rows.items[part])
                        data = write_rows(full, targets[part])
                    found.append((side, shard, data))
                    start, shard = end, shard + 1
            return found

        self.encoded_rows = 0
        numbered = zip(self._spool.blocks, self._firsts, strict=True)
        for (block, _), found in ahead(encoded, numbered, self._threads):
            yield from found
            self.encoded_rows += len(block)

    def _rows(self, block: SpooledRows, side: int) -> Side:
        outcomes = self._outcomes[block.first : block.first + len(block)]
        some = np.flatnonzero(outcomes == side)
        if some.size == len(block):
            users, items, values = block.users(), block.items(), self._values(block)
        elif some.size:
            users, items = block.users()[some], block.items()[some]
            values = self._values(block)[some]
        else:
            none = np.zeros(0, np.int64)
            return Side(none, none, np.zeros(0, np.float32))
        return Side(
            self._users.numbers(users).astype(np.int64),
            self._items.numbers(items).astype(np.int64),
            values,
        )

    def _values(self, block: SpooledRows) -> Float32s:
        """The ratings of a block's rows, or what they come to."""
        return block.values() if self._totals is None else self._totals.values(block)

    def _look(self, draw: "Draw | None", block: SpooledRows) -> tuple[Numbers, "Tally"]:
        """Draw a block's test rows, if that is how they are chosen, and count what there is."""
        outcomes = self._outcomes[block.first : block.first + len(block)]
        users = self._users.numbers(block.users())
        items = self._items.numbers(block.items())
        if draw:
            drawn = draw.falls_in_test(users, items, self._config.holdout_fraction)
            outcomes[drawn & (outcomes == TRAIN)] = TEST
        values = self._values(block)
        liked = likes(values, self._config)
        liked_items = np.bincount(
            items[liked & (outcomes == TRAIN)], minlength=len(self._items.names)
        )
        tally = Tally.of(outcomes, values, liked)
        if self.features.dimension:
            more = self.features.entries(users, items)
            for side in (TRAIN, TEST):
                tally.entries[side] += int(more[outcomes == side].sum())
        return liked_items, tally


def labels(ratings: Float32s, config: CatalogConfig) -> Float32s:
    """What the model is to predict: ``(n,)`` 1 for a like and 0 otherwise, or the rating."""
    if config.is_implicit or config.predictor_type == BINARY_CLASSIFIER:
        return likes(ratings, config).astype(np.float32)
    return ratings.astype(np.float32)


def likes(ratings: Float32s, config: CatalogConfig) -> Flags:
    """Which ratings reach the threshold: ``(n,)``; without ratings every pair is a like."""
    if config.is_implicit:
        return np.ones(ratings.size, np.bool_)
    # The threshold is rounded like the ratings were, or 4.1 would not be at least 4.1.
    return ratings >= np.float32(config.like_threshold)
