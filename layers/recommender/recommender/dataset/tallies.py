"""What a run's rows come to: its counts, and whether anything can be learned from them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recommender.catalog.config import CatalogConfig
from recommender.dataset.deduplication import HELD_OUT, REPLACED, TEST, TRAIN
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import UnsuitableRatingsError
from recommender.predictor_types import BINARY_CLASSIFIER

Float32s = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


@dataclass
class Tally:
    """Counts of rows, by side."""

    rows: list[int] = field(default_factory=lambda: [0, 0])
    likes: list[int] = field(default_factory=lambda: [0, 0])
    entries: list[int] = field(default_factory=lambda: [0, 0])  # of the sparse rows
    lowest: float = math.inf  # rating in train
    highest: float = -math.inf

    @classmethod
    def of(cls, outcomes: npt.NDArray[np.uint8], values: Float32s, liked: Flags) -> "Tally":
        """Count some rows, whose sparse rows have two entries each."""
        tally = cls()
        for side in (TRAIN, TEST):
            there = outcomes == side
            tally.rows[side] = int(np.count_nonzero(there))
            tally.likes[side] = int(np.count_nonzero(there & liked))
            tally.entries[side] = 2 * tally.rows[side]
            if side == TRAIN and tally.rows[TRAIN]:
                tally.lowest = float(values.min(where=there, initial=np.inf))
                tally.highest = float(values.max(where=there, initial=-np.inf))
        return tally

    def add(self, other: "Tally") -> None:
        """Count the rows of another tally as well."""
        for side in (TRAIN, TEST):
            self.rows[side] += other.rows[side]
            self.likes[side] += other.likes[side]
            self.entries[side] += other.entries[side]
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)

    def like_share(self, side: int) -> float:
        """Share of likes among the rows of a side."""
        return self.likes[side] / self.rows[side] if self.rows[side] else 0.0


def counts_of(
    files: int,
    rejected: int,
    vocabulary: Vocabulary,
    tally: Tally,
    outcomes: npt.NDArray[np.int64],
) -> dict[str, int | float]:
    """Put together what became of the rows; ``outcomes`` counts them by it."""
    cells = sum(tally.rows) * vocabulary.dimension
    return {
        "files": files,
        "rows": int(outcomes.sum()) + rejected,
        "rejected": rejected,
        "duplicates_replaced": int(outcomes[REPLACED]),
        "held_out_from_train": int(outcomes[HELD_OUT]),
        "users": len(vocabulary.users),
        "items": len(vocabulary.items),
        "cold_users": len(vocabulary.cold_users),
        "cold_items": len(vocabulary.cold_items),
        "feature_dim": vocabulary.dimension,
        "train_rows": tally.rows[TRAIN],
        "test_rows": tally.rows[TEST],
        "train_non_zeros": tally.entries[TRAIN],
        "test_non_zeros": tally.entries[TEST],
        "sparsity": 1 - sum(tally.entries) / cells if cells else 0.0,
        "train_positive_share": tally.like_share(TRAIN),
        "test_positive_share": tally.like_share(TEST),
    }


def check_suitable(
    catalog: str, tally: Tally, config: CatalogConfig, counts: Mapping[str, int | float]
) -> None:
    """Refuse what no model can be learned from or judged by.

    Raises:
        UnsuitableRatingsError: with the numbers that say so.
    """
    found = f"of {counts['rows']:,} rows, {counts['rejected']:,} were rejected"
    noun = "rating"
    if config.is_implicit:
        noun = "pair of user and item"
        found += f", {counts['weightless']:,} count nothing"
    train, test = tally.rows
    if not train and not test:
        raise UnsuitableRatingsError(catalog, f"there is no {noun} at all ({found})")
    if not train:
        raise UnsuitableRatingsError(
            catalog,
            f"no {noun} is left to train on: {test:,} are in the test set "
            f"({found}, {counts['held_out_from_train']:,} train ratings are of test pairs)",
        )
    if not test:
        how = (
            f"split.last_per_user {config.last_per_user} sets the latest ratings of users aside "
            "who have two or more"
            if config.last_per_user
            else f"split.fraction {config.holdout_fraction} of the pairs is set aside"
        )
        raise UnsuitableRatingsError(
            catalog,
            f"no {noun} is left to test with: {train:,} are in the train set "
            f"({found}; with no test files, {how})",
        )
    if config.is_implicit:
        single = [side for side in ("user", "item") if counts[f"{side}s"] == 1]
        if not single:
            return
        raise UnsuitableRatingsError(
            catalog, f"there is a single {' and a single '.join(single)}, so nothing can be ranked"
        )
    if config.predictor_type == BINARY_CLASSIFIER:
        if tally.likes[TRAIN] in (0, train):
            what = "at least" if tally.likes[TRAIN] else "below"
            problem = (
                f"all {train:,} train ratings, from {tally.lowest:g} to {tally.highest:g}, are "
                f"{what} like_threshold {config.like_threshold:g}, which config.json may set"
            )
        else:
            return
    elif tally.lowest == tally.highest:
        problem = f"all {train:,} train ratings are {tally.lowest:g}"
    else:
        return
    raise UnsuitableRatingsError(catalog, f"{problem}, so there is nothing to tell apart")
