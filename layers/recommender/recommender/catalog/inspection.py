"""How a file on this machine would be read, told before it is uploaded.

``python -m recommender.catalog.inspection ratings.csv`` prints it; so does ``make read``.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from recommender.catalog.config import CatalogConfig, parse_config
from recommender.catalog.keys import partitions_of
from recommender.errors import InputError
from recommender.ratings.account import FileAccount, sentences
from recommender.ratings.identifiers import IdTable
from recommender.ratings.reading import read_ratings
from recommender.ratings.rejects import RejectLog
from recommender.ratings.table import RatingsBuilder

_CHUNK = 1 << 20
_MOST_REJECTS = 5


def inspect_ratings(path: Path, config: CatalogConfig) -> tuple[FileAccount, RejectLog]:
    """Read a file of ratings as a run would.

    Args:
        path: the file; folders such as ``dt=2024-01-31`` above it count as columns.
        config: the settings of its catalog.

    Returns:
        How it was read, and the rows that cannot be used.

    Raises:
        MalformedRatingsError: a run would refuse it; the error says why.
        OSError: it cannot be opened.
    """
    log = RejectLog(_MOST_REJECTS)
    into = RatingsBuilder(path.name, IdTable("user"), IdTable("item"), lambda _: None, log)
    partitions = partitions_of("/".join(("ratings", "-", *path.parts)))
    form = replace(config.rating_form(), partitions=partitions)
    read_ratings(_chunks(path), into, config.reject_limit, form)
    return into.account, log


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def told(path: Path, config: CatalogConfig) -> Iterator[str]:
    """Say how a file would be read, line by line; see `inspect_ratings` for what may go wrong."""
    account, log = inspect_ratings(path, config)
    yield from sentences(account.to_dict())
    for reject in log.kept:
        yield f"rejected line {reject.line}: {reject.reason}: {reject.text}"
    yield from (f"warning: {warning}" for warning in account.warnings)


def main(arguments: list[str] | None = None) -> int:
    """Print how a file would be read; 1 if a run would refuse it."""
    parser = argparse.ArgumentParser(prog="make read", description=__doc__)
    parser.add_argument("file", type=Path, help="a file of ratings")
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
