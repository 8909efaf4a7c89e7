"""How a file on this machine would be read, told before it is uploaded.

``python -m recommender.catalog.inspection ratings.csv`` prints it; so does ``make read``.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from recommender.catalog.config import CatalogConfig, parse_config
from recommender.catalog.keys import partitions_of
from recommender.catalog.sheets import Sheet, id_columns, read_sheet
from recommender.errors import InputError
from recommender.ratings.account import MOST_FIRST_ROWS, FileAccount, sentences
from recommender.ratings.feedback import EXPLICIT
from recommender.ratings.identifiers import IdTable
from recommender.ratings.reading import read_ratings
from recommender.ratings.rejects import RejectLog
from recommender.ratings.scales import Scale, ScaleFinder
from recommender.ratings.table import RatingRows, RatingsBuilder

_CHUNK = 1 << 20
_MOST_REJECTS = 5
_SIDE_FILES = {"items": "item", "users": "user"}


def inspect_ratings(
    path: Path, config: CatalogConfig
) -> tuple[FileAccount, RejectLog, Scale | None]:
    """Read a file of ratings as a run would.

    Args:
        path: the file; folders such as ``dt=2024-01-31`` above it count as columns.
        config: the settings of its catalog.

    Returns:
        How it was read, the rows that cannot be used, and the scale of its ratings, if it has any.

    Raises:
        MalformedRatingsError: a run would refuse it; the error says why.
        OSError: it cannot be opened.
    """
    log = RejectLog(_MOST_REJECTS)
    finder = ScaleFinder()

    def take(rows: RatingRows) -> None:
        finder.add(rows.values)

    into = RatingsBuilder(path.name, IdTable("user"), IdTable("item"), take, log)
    partitions = partitions_of("/".join(("ratings", "-", *path.parts)))
    form = replace(config.rating_form(), partitions=partitions)
    read_ratings(_chunks(path), into, config.reject_limit, form)
    is_rated = into.meaning.feedback == EXPLICIT
    return into.account, log, finder.find() if is_rated else None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def told(path: Path, config: CatalogConfig) -> Iterator[str]:
    """Say how a file would be read, line by line.

    A file called ``items.*`` or ``users.*`` is a side file, any other one of ratings.

    Raises:
        InputError, OSError: as `inspect_ratings` and `read_sheet`.
    """
    noun = _SIDE_FILES.get(path.name.partition(".")[0])
    if noun is not None:
        yield from _told_of_sheet(read_sheet(path.name, path.read_bytes(), noun))
        return
    account, log, scale = inspect_ratings(path, config)
    yield from sentences(account.to_dict())
    if scale is not None:
        least = config.on_scale(scale).like_threshold
        because = "config.json says so" if config.like_threshold_given else scale.told
        yield f"likes: ratings of {least:g} and more ({because})"
    for reject in log.kept:
        yield f"rejected line {reject.line}: {reject.reason}: {reject.text}"
    yield from (f"warning: {warning}" for warning in account.warnings)


def _told_of_sheet(sheet: Sheet) -> Iterator[str]:
    columns = ", ".join(map(repr, sheet.names)) or "without names"
    yield f"{len(sheet.rows):,} {sheet.noun}s; columns {columns}"
    called = [sheet.names[at] for at in id_columns(sheet.names, sheet.noun)]
    if sheet.may_choose and len(called) != 1:
        which = f" (of {', '.join(map(repr, called))})" if called else ""
        yield f"id: the column{which} that holds the ratings' ids"
    else:
        yield f"id: {called[0]!r}" if called else "id: the first column"
    for row in islice(sheet.rows, MOST_FIRST_ROWS):
        title = f", title {row.title.strip()!r}" if row.title.strip() else ""
        yield f"line {row.line}: {row.problem or f'{sheet.noun} {row.id.strip()}{title}'}"
    bad = [row for row in sheet.rows if row.problem]
    if bad:
        rows = "1 row" if len(bad) == 1 else f"{len(bad):,} rows"
        yield f"rejected: {rows}; line {bad[0].line} {bad[0].problem}"


def main(arguments: list[str] | None = None) -> int:
    """Print how a file would be read; 1 if a run would refuse it."""
    parser = argparse.ArgumentParser(prog="make read", description=__doc__)
    parser.add_argument("file", type=Path, help="a file of ratings, or items.* or users.*")
    parser.add_argument("--config", type=Path, help="the config.json of its catalog")
    given = parser.parse_args(arguments)
    try:
        data = given.config.read_bytes() if given.config else None
        for line in told(given.file, parse_config(str(given.config), data)):
            print(line)
    except InputError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
