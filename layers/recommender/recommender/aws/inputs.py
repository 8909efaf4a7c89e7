"""Read the files of a snapshot: config, titles, ratings."""

from dataclasses import dataclass

from recommender.aws import snapshots, storage
from recommender.catalog import CatalogConfig, is_test_key, parse_config
from recommender.encoding import ParsedFile
from recommender.errors import MalformedRatingsError, MissingRatingsError
from recommender.items import parse_items
from recommender.ratings import Reject, parse_ratings
from recommender.runs import Snapshot


@dataclass(frozen=True)
class Inputs:
    """What a snapshot's files say."""

    config: CatalogConfig
    titles: dict[str, str]
    files: list[ParsedFile]
    rejects: list[Reject]


def read(ratings_bucket: str, artifacts_bucket: str, snapshot: Snapshot, execution: str) -> Inputs:
    """Read every file of a snapshot, at the version that it names.

    Raises:
        InvalidConfigError, MalformedItemsError, MissingRatingsError: see there.
        MalformedRatingsError: one or more rating files cannot be used; all are remembered, so
            that the next run can do without them.
    """
    config_file = snapshot.catalog_file("config")
    config = (
        CatalogConfig()
        if config_file is None
        else parse_config(config_file.key, storage.read_version(ratings_bucket, config_file))
    )
    items_file = snapshot.catalog_file("items")
    titles = (
        {}
        if items_file is None
        else parse_items(items_file.key, storage.read_version(ratings_bucket, items_file))
    )
    files: list[ParsedFile] = []
    rejects: list[Reject] = []
    refused: list[MalformedRatingsError] = []
    if not snapshot.rating_files():
        raise MissingRatingsError(snapshot.catalog)
    for file in snapshot.rating_files():
        data = storage.read_version(ratings_bucket, file)
        try:
            ratings, bad = parse_ratings(file.key, data, config.reject_limit)
        except MalformedRatingsError as error:
            snapshots.refuse(artifacts_bucket, snapshot.catalog, file, execution, str(error))
            refused.append(error)
            continue
        files.append(ParsedFile(file.key, ratings, is_test_key(file.key), len(bad)))
        rejects.extend(bad)
    if refused:
        first = refused[0]
        others = "".join(f"; also {error}" for error in refused[1:4])
        more = f"; and {len(refused) - 4} more files" if len(refused) > 4 else ""
        raise MalformedRatingsError(first.key, first.line, first.reason + others + more)
    return Inputs(config, titles, files, rejects)
