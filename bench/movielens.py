"""MovieLens-100K as rows of features: ids alone, or with what is known of users and movies."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from recommender.catalog.feature_columns import columns_of
from recommender.catalog.feature_making import make_side_features
from recommender.catalog.sheets import read_sheet
from recommender.catalog.side_features import SideFeatures
from recommender.catalog.side_tables import table_of
from recommender.features import FeatureRows, Float32s, Integers

Booleans = npt.NDArray[np.bool_]

USERS, ITEMS = 943, 1682
LIKED = 4  # a like is a rating from here on


@dataclass(frozen=True)
class Ratings:
    """Ratings of one file: numbers from 0, and stars."""

    users: Integers
    items: Integers
    stars: Float32s

    @property
    def likes(self) -> Booleans:
        """Which ratings are likes."""
        return self.stars >= LIKED


def read_ratings(path: Path) -> Ratings:
    """Read a tab separated rating file."""
    table = np.loadtxt(path, dtype=np.int64)
    return Ratings(table[:, 0] - 1, table[:, 1] - 1, table[:, 2].astype(np.float32))


def side_features(folder: Path) -> SideFeatures:
    """Make features of ``u.user`` and ``u.item`` as a run does that declares none."""
    files = {"user": folder / "u.user", "item": folder / "u.item"}
    tables = {
        noun: table_of(read_sheet(path.name, path.read_bytes(), noun))
        for noun, path in files.items()
    }
    wanted, _ = columns_of(tables, None)
    ids = ([str(number + 1) for number in range(count)] for count in (USERS, ITEMS))
    return make_side_features(*ids, wanted)


def group_sizes(side: SideFeatures, noun: str) -> list[int]:
    """Number of features of each column of one side's file."""
    return [int(str(one["features"])) for one in side.columns if one["side"] == noun]


def rows_of(ratings: Ratings, folder: Path, *, rich: bool) -> tuple[FeatureRows, tuple[int, ...]]:
    """Encode ratings; the rows, and the sizes of their fields."""
    if not rich:
        rows = FeatureRows.pairs(ratings.users, ratings.items + USERS, USERS + ITEMS)
        return rows, (USERS, ITEMS)
    side = side_features(folder)
    sizes = (USERS, ITEMS, *group_sizes(side, "user"), *group_sizes(side, "item"))
    return side.rows(ratings.users, ratings.items), sizes
