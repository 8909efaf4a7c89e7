"""MovieLens-100K as rows of features: ids alone, or with what is known of users and movies."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from recommender.features import FeatureRows, Float32s, Integers

USERS, ITEMS = 943, 1682
_AGES = (18, 25, 35, 45, 50, 56)
_YEARS = (1940, 1950, 1960, 1970, 1975, 1980, 1985, 1990, 1992, 1993, 1994, 1995, 1996, 1997)
_GENRES = slice(5, 24)
_UNKNOWN_YEAR = 1995


@dataclass(frozen=True)
class Ratings:
    """Ratings of one file: numbers from 0, and stars."""

    users: Integers
    items: Integers
    stars: Float32s


def read_ratings(path: Path) -> Ratings:
    """Read a tab separated rating file."""
    table = np.loadtxt(path, dtype=np.int64)
    return Ratings(table[:, 0] - 1, table[:, 1] - 1, table[:, 2].astype(np.float32))


def side_columns(folder: Path) -> tuple[list[list[int]], list[list[int]], tuple[int, ...]]:
    """Read demographics from ``u.user``, genres and years from ``u.item``.

    Returns:
        Columns of each user and of each item, after those of the ids, and the sizes of all fields.
    """
    first = USERS + ITEMS
    sizes = [USERS, ITEMS]
    people = [line.split("|") for line in (folder / "u.user").read_text().splitlines()]
    users: list[list[int]] = [[] for _ in range(USERS)]
    ages = np.digitize([int(person[1]) for person in people], _AGES)
    for values in (ages.tolist(), [person[2] for person in people], [p[3] for p in people]):
        kinds = sorted(set(values))
        for person, value in zip(people, values, strict=True):
            users[int(person[0]) - 1].append(first + kinds.index(value))
        first += len(kinds)
        sizes.append(len(kinds))
    items: list[list[int]] = [[] for _ in range(ITEMS)]
    for line in (folder / "u.item").read_text("latin-1").splitlines():
        fields = line.split("|")
        flags = [place for place, flag in enumerate(fields[_GENRES]) if flag == "1"]
        year = int(fields[2][-4:] or _UNKNOWN_YEAR)
        items[int(fields[0]) - 1] = [first + place for place in flags]
        items[int(fields[0]) - 1].append(first + 19 + int(np.digitize(year, _YEARS)))
    return users, items, (*sizes, 19, len(_YEARS) + 1)


def rows_of(ratings: Ratings, folder: Path, *, rich: bool) -> tuple[FeatureRows, tuple[int, ...]]:
    """Encode ratings, and tell the sizes of the fields."""
    if not rich:
        rows = FeatureRows.pairs(ratings.users, ratings.items + USERS, USERS + ITEMS)
        return rows, (USERS, ITEMS)
    users, items, sizes = side_columns(folder)
    rows_columns = [
        [user, USERS + item, *users[user], *items[item]]
        for user, item in zip(ratings.users.tolist(), ratings.items.tolist(), strict=True)
    ]
    columns = np.concatenate([np.array(row, np.int64) for row in rows_columns])
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows_columns])])
    values = np.ones(columns.size, np.float32)
    return FeatureRows(offsets.astype(np.int64), columns, values, sum(sizes)), sizes
