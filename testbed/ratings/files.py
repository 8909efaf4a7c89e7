"""Small files of ratings, and the rows that are read from them."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from recommender.errors import MalformedRatingsError
from recommender.formats.moments import SECOND
from recommender.ratings.identifiers import IdTable
from recommender.ratings.rejects import RejectLog
from recommender.ratings.table import RatingRows, RatingsBuilder

from testbed.ratings.datasets import Ratings, ids_of, parse_ratings

KEY = "ratings/films/ua.base"


# What ``ua.base`` looks like: user, item, rating, seconds.
ROWS = [(1, 242, 3, 881250949), (186, 302, 5, 891717742), (1, 377, 1, 878887116)]


class Row(NamedTuple):
    """One row, read."""

    user: str
    item: str
    value: float
    timestamp: int
    line: int


def rows_of(table: Ratings) -> list[Row]:
    """List the rows of a table."""
    columns = (table.values.tolist(), table.timestamps.tolist(), table.lines.tolist())
    return [Row(*row) for row in zip(table.users, table.items, *columns, strict=True)]


def builder() -> tuple[RatingsBuilder, list[RatingRows]]:
    """A builder with tables of its own, and the rows it is handed."""
    rows: list[RatingRows] = []
    users, items = IdTable("user"), IdTable("item")
    return RatingsBuilder(KEY, users, items, rows.append, RejectLog()), rows


def spelled(into: RatingsBuilder, parts: Sequence[RatingRows]) -> list[Row]:
    """Spell out the rows that a builder handed on."""
    return [
        Row(user, item, *row)
        for part in parts
        for user, item, *row in zip(
            ids_of(into.users, part.users),
            ids_of(into.items, part.items),
            *(column.tolist() for column in (part.values, part.timestamps // SECOND, part.lines)),
            strict=True,
        )
    ]


def accepted(data: bytes) -> list[Row]:
    """Read a file all of whose rows are good."""
    table, rejects = parse_ratings(KEY, data, reject_limit=0.1)
    assert rejects == []
    return rows_of(table)


def refusal(data: bytes, limit: float = 0.1) -> MalformedRatingsError:
    """Read a file that is refused."""
    with pytest.raises(MalformedRatingsError) as caught:
        parse_ratings(KEY, data, limit)
    assert caught.value.key == KEY
    return caught.value


def delimited(delimiter: str, rows: Sequence[Sequence[object]] = ROWS, end: str = "\n") -> bytes:
    """Write rows with a delimiter."""
    return "".join(delimiter.join(map(str, row)) + end for row in rows).encode()


def expected(first_line: int) -> list[Row]:
    """Tell how `ROWS` are read from a line on."""
    return [
        Row(str(user), str(item), rating, time, line)
        for line, (user, item, rating, time) in enumerate(ROWS, first_line)
    ]
