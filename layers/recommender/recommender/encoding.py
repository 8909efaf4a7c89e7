"""Rating files to a dataset: ids to numbers, repeats resolved, train and test kept apart."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recommender import recordio
from recommender.catalog import CatalogConfig
from recommender.errors import UnsuitableRatingsError
from recommender.identifiers import IdColumn
from recommender.ratings import Ratings
from recommender.vocabulary import Vocabulary

__all__ = [
    "Dataset",
    "ParsedFile",
    "Side",
    "Vocabulary",
    "build_dataset",
    "encode",
    "falls_in_test",
    "labels",
]

Numbers = npt.NDArray[np.int64]
Float32s = npt.NDArray[np.float32]

BINARY_CLASSIFIER = "binary_classifier"


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


@dataclass(frozen=True, eq=False)
class Side:
    """The train or the test set: ``(n,)`` each, in the order of the files and their lines.

    Attributes:
        users: user numbers (not columns).
        items: item numbers (not columns).
        ratings: float32.
    """

    users: Numbers
    items: Numbers
    ratings: Float32s

    def __len__(self) -> int:
        return int(self.ratings.size)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Everything that a run learns from and is judged by.

    Attributes:
        vocabulary: the ids of both sides.
        train: what is learned from.
        test: what the model is judged by; no pair of it is in ``train``.
        item_likes: ``(items,)`` how many train ratings of each item are likes.
        counts: what happened to the rows, for manifest and report. ``rows`` = ``rejected`` +
            ``duplicates_replaced`` + ``held_out_from_train`` + ``train_rows`` + ``test_rows``;
            ``sparsity`` is the share of zeros in the one-hot rows.
    """

    vocabulary: Vocabulary
    train: Side
    test: Side
    item_likes: Numbers
    counts: Mapping[str, int | float] = field(default_factory=dict)


def build_dataset(catalog: str, files: Sequence[ParsedFile], config: CatalogConfig) -> Dataset:
    """Make the train and the test set out of rating files.

    A later rating of a pair replaces an earlier one of the same side: by timestamp, then by the
    order of the files, then by line. A pair rated in a test file belongs to the test set alone.
    With no test file at all, each pair falls on the side that its two ids say.

    Args:
        catalog: the catalog's name, for messages.
        files: the files, in the order that decides between ratings of equal age.
        config: the catalog's settings.

    Returns:
        The dataset. Its rows keep the order of files and lines, so equal files give equal bytes.

    Raises:
        UnsuitableRatingsError: a side is empty, or there is nothing to learn in train.
    """
    rows = _Rows.of(files)
    vocabulary = Vocabulary.of(rows.user_names, rows.item_names)
    users = _positions(rows.user_names, vocabulary.user_numbers)[rows.users]
    items = _positions(rows.item_names, vocabulary.item_numbers)[rows.items]
    pairs = users * np.int64(max(1, len(vocabulary.items))) + items
    train, test, held_out = _surviving(rows, pairs)
    if not any(file.is_test for file in files):
        in_test = falls_in_test(vocabulary, users[train], items[train], config.holdout_fraction)
        train, test = train[~in_test], train[in_test]
    train_side = Side(users[train], items[train], rows.values[train])
    test_side = Side(users[test], items[test], rows.values[test])
    counts = _counts(files, vocabulary, train_side, test_side, held_out, config)
    _check_suitable(catalog, train_side, test_side, config, counts)
    liked_items = train_side.items[_likes(train_side.ratings, config)]
    item_likes = np.bincount(liked_items, minlength=len(vocabulary.items)).astype(np.int64)
    return Dataset(vocabulary, train_side, test_side, item_likes, counts)


def falls_in_test(
    vocabulary: Vocabulary, users: Numbers, items: Numbers, fraction: float
) -> npt.NDArray[np.bool_]:
    """Decide for each pair, from its two ids alone, whether it is set aside for testing.

    Args:
        vocabulary: gives the ids behind the numbers.
        users: ``(n,)`` user numbers.
        items: ``(n,)`` item numbers.
        fraction: share of all pairs to set aside; a larger one keeps what a smaller one chose.

    Returns:
        ``(n,)`` True for a test pair.

    Source:
        The two ids' BLAKE2b digests, mixed by the finaliser of SplitMix64 (Steele, Lea and Flood,
        *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014).
    """
    user_digests = _digests(vocabulary.users, b"user")[users]
    item_digests = _digests(vocabulary.items, b"item")[items]
    drawn = _mix(_mix(user_digests) + item_digests)
    return drawn < np.uint64(min(int(fraction * 2**64), 2**64 - 1))


def labels(ratings: Float32s, config: CatalogConfig) -> Float32s:
    """What the model is to predict: ``(n,)`` 1 for a like and 0 otherwise, or the rating."""
    if config.predictor_type == BINARY_CLASSIFIER:
        return _likes(ratings, config).astype(np.float32)
    return ratings.astype(np.float32)


def encode(side: Side, vocabulary: Vocabulary, config: CatalogConfig) -> bytes:
    """Write one side as RecordIO-protobuf: one record per rating, two ones and a label each."""
    item_columns = side.items + np.int64(len(vocabulary.users))
    targets = labels(side.ratings, config)
    return recordio.write_pairs(side.users, item_columns, vocabulary.dimension, targets)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of all files, one after the other; users and items numbered across files."""

    user_names: tuple[str, ...]
    item_names: tuple[str, ...]
    users: Numbers
    items: Numbers
    values: Float32s
    timestamps: Numbers
    is_test: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, files: Sequence[ParsedFile]) -> "_Rows":
        tables = [file.ratings for file in files]
        user_names, users = _joined([table.users for table in tables])
        item_names, items = _joined([table.items for table in tables])
        return cls(
            user_names,
            item_names,
            users,
            items,
            np.concatenate([np.empty(0, np.float32), *(table.values for table in tables)]),
            np.concatenate([np.empty(0, np.int64), *(table.timestamps for table in tables)]),
            np.repeat(
                np.array([file.is_test for file in files], np.bool_),
                np.array([len(table) for table in tables], np.int64),
            ),
        )


def _joined(columns: Sequence[IdColumn]) -> tuple[tuple[str, ...], Numbers]:
    """Number the ids of several files together."""
    numbers: dict[str, int] = {}
    parts = [np.empty(0, np.int64)]
    for column in columns:
        for name in column.names:
            numbers.setdefault(name, len(numbers))
        parts.append(_positions(column.names, numbers)[column.numbers])
    return tuple(numbers), np.concatenate(parts)


def _positions(names: Sequence[str], numbers: Mapping[str, int]) -> Numbers:
    return np.array([numbers[name] for name in names], np.int64)


def _surviving(rows: _Rows, pairs: Numbers) -> tuple[Numbers, Numbers, int]:
    """Choose the rows that count.

    Returns:
        Indices of train rows, of test rows (both ascending), and how many train pairs were
        dropped for being in the test files.
    """
    train = _latest(np.flatnonzero(~rows.is_test), pairs, rows.timestamps)
    test = _latest(np.flatnonzero(rows.is_test), pairs, rows.timestamps)
    held_out = np.isin(pairs[train], pairs[test])
    return train[~held_out], test, int(np.count_nonzero(held_out))


def _latest(candidates: Numbers, pairs: Numbers, timestamps: Numbers) -> Numbers:
    """Of the rows of each pair, keep the latest; of equally late ones, the last."""
    # Both sorts are stable, so rows of one pair and one time stay in file order.
    order = candidates[np.argsort(pairs[candidates], kind="stable")]
    repeats = pairs[order][1:] == pairs[order][:-1]
    if not repeats.any():
        return candidates
    order = candidates[np.lexsort((timestamps[candidates], pairs[candidates]))]
    last_of_pair = np.append(pairs[order][1:] != pairs[order][:-1], True)
    return np.sort(order[last_of_pair])


def _digests(names: Sequence[str], kind: bytes) -> npt.NDArray[np.uint64]:
    joined = b"".join(
        hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, person=kind).digest()
        for name in names
    )
    return np.frombuffer(joined, "<u8").astype(np.uint64)


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _likes(ratings: Float32s, config: CatalogConfig) -> npt.NDArray[np.bool_]:
    # The threshold is rounded like the ratings were, or 4.1 would not be at least 4.1.
    return ratings >= np.float32(config.like_threshold)


def _counts(
    files: Sequence[ParsedFile],
    vocabulary: Vocabulary,
    train: Side,
    test: Side,
    held_out: int,
    config: CatalogConfig,
) -> dict[str, int | float]:
    rejected = sum(file.rejected for file in files)
    usable = sum(len(file.ratings) for file in files)
    return {
        "files": len(files),
        "rows": usable + rejected,
        "rejected": rejected,
        "duplicates_replaced": usable - held_out - len(train) - len(test),
        "held_out_from_train": held_out,
        "users": len(vocabulary.users),
        "items": len(vocabulary.items),
        "feature_dim": vocabulary.dimension,
        "train_rows": len(train),
        "test_rows": len(test),
        "train_non_zeros": 2 * len(train),
        "test_non_zeros": 2 * len(test),
        "sparsity": 1 - 2 / vocabulary.dimension if vocabulary.dimension else 0.0,
        "train_positive_share": _share(_likes(train.ratings, config)),
        "test_positive_share": _share(_likes(test.ratings, config)),
    }


def _share(flags: npt.NDArray[np.bool_]) -> float:
    return float(flags.mean()) if flags.size else 0.0


def _check_suitable(
    catalog: str,
    train: Side,
    test: Side,
    config: CatalogConfig,
    counts: Mapping[str, int | float],
) -> None:
    """Refuse what no model can be learned from or judged by.

    Raises:
        UnsuitableRatingsError: with the numbers that say so.
    """
    found = f"of {counts['rows']:,} rows, {counts['rejected']:,} were rejected"
    if not len(train) and not len(test):
        raise UnsuitableRatingsError(catalog, f"there is no rating at all ({found})")
    if not len(train):
        raise UnsuitableRatingsError(
            catalog,
            f"no rating is left to train on: {counts['test_rows']:,} are in the test set "
            f"({found}, {counts['held_out_from_train']:,} train ratings are of test pairs)",
        )
    if not len(test):
        raise UnsuitableRatingsError(
            catalog,
            f"no rating is left to test with: {counts['train_rows']:,} are in the train set "
            f"({found}; with no test files, split.fraction {config.holdout_fraction} of the pairs "
            "is set aside)",
        )
    learned = labels(train.ratings, config)
    if bool((learned == learned[0]).all()):
        if config.predictor_type == BINARY_CLASSIFIER:
            what = "at least" if learned[0] else "below"
            problem = f"all {len(train):,} train ratings are {what} {config.like_threshold:g}"
        else:
            problem = f"all {len(train):,} train ratings are {train.ratings[0]:g}"
        raise UnsuitableRatingsError(catalog, f"{problem}, so there is nothing to tell apart")
