"""Read the files of a snapshot: config, titles, ratings."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from recommender.aws import storage
from recommender.catalog.config import CatalogConfig
from recommender.catalog.joining import Join, joined
from recommender.catalog.sheets import MOST_BYTES, Sheet, read_sheet
from recommender.catalog.side_tables import SideTable, table_of
from recommender.catalog.titles import titles_of
from recommender.dataset.encoding import RunRows
from recommender.errors import (
    InvalidConfigError,
    MalformedItemsError,
    MissingRatingsError,
    shown,
)
from recommender.model_names import LIKE
from recommender.observability import logger
from recommender.pipeline.hyperparameters import check_limits, check_values, resolve_features
from recommender.pipeline.snapshots import PassedOver, Snapshot, SnapshotFile
from recommender.ratings.rejects import Reject
from recommender.ratings.scales import Scale, ScaleFinder
from recommender.steps import snapshots
from recommender.steps.progress import Report, silent
from recommender.steps.reading.rating_files import RatingFiles

_MOST_TOLD_FILES = 1000
_MOST_WARNINGS = 20


@dataclass(frozen=True)
class Inputs:
    """What a snapshot's files say; how it is known whether they hold ratings; what was not read."""

    config: CatalogConfig
    titles: dict[str, str]
    rows: RunRows
    side_tables: Mapping[str, SideTable]
    feedback_because: str
    scale: Scale | None
    passed_over: Sequence[PassedOver]
    joins: Sequence[Join]

    @property
    def files(self) -> list[dict[str, object]]:
        """How the rating files were read: the first of them, as many as a manifest holds."""
        return [account.to_dict() for account in self.rows.accounts[:_MOST_TOLD_FILES]]

    @property
    def warnings(self) -> list[str]:
        """What was read and needs a look, in sentences."""
        told = [join.warning for join in self.joins if join.warning]
        if self.scale is not None and self.scale.beyond:
            told.append(
                f"{_counted(self.scale.beyond)} beyond the scale of the others "
                f"({self.scale.told}); look whether they are mistakes"
            )
        told += [warning for account in self.rows.accounts for warning in account.warnings]
        return told[:_MOST_WARNINGS]

    @property
    def rejects(self) -> list[Reject]:
        """The first rows that could not be used."""
        return self.rows.rejects.kept


def read_catalog(
    ratings_bucket: str, snapshot: Snapshot, stack: Mapping[str, Mapping[str, str]]
) -> tuple[CatalogConfig, list[Sheet]]:
    """Read what stands beside the ratings: the settings, and the side files that are wanted.

    Args:
        stack: the hyperparameters that every catalog starts from, by model.

    Raises:
        InvalidConfigError, MalformedItemsError: see there.
    """
    config = snapshots.settings_of(ratings_bucket, snapshot)
    key = f"catalogs/{snapshot.catalog}/config.json"
    check_values(key, config, stack)
    check_limits(key, config, stack[LIKE])
    config = resolve_features(config, stack[LIKE])
    return config, _sheets(ratings_bucket, snapshot, config)


def read(
    ratings_bucket: str,
    artifacts_bucket: str,
    snapshot: Snapshot,
    execution: str,
    stack: Mapping[str, Mapping[str, str]],
    threads: Executor | None = None,
    report: Report = silent,
) -> Inputs:
    """Read every file of a snapshot, at the version that it names.

    Args:
        stack: the hyperparameters that every catalog starts from, by model.
        threads: parse rating files, a few blocks ahead of each other.
        report: is told how far it has come.

    Raises:
        InvalidConfigError, MalformedItemsError, MissingRatingsError: see there.
        MalformedRatingsError, OversizedFileError, NoRoomError: see `RatingFiles.read`.
    """
    config, sheets = read_catalog(ratings_bucket, snapshot, stack)
    config_key = f"catalogs/{snapshot.catalog}/config.json"
    if not snapshot.rating_files():
        raise MissingRatingsError(snapshot.catalog)
    files = RatingFiles(ratings_bucket, artifacts_bucket, snapshot, execution, config)
    files.read(threads, report)
    rows, kind = files.rows, files.kind
    settled = config.known_to_be(config_key, kind.feedback)
    scale = None if settled.is_implicit else _scale_of(rows)
    settled = settled.on_scale(scale)
    check_limits(config_key, settled, stack[LIKE])
    parts = (PassedOver(file.key, "has no rows") for file, _ in files.without_rows)
    passed_over = (*snapshot.passed_over, *parts)
    titles, side_tables, joins = _joined(sheets, config, rows)
    return Inputs(settled, titles, rows, side_tables, kind.because, scale, passed_over, joins)


def _counted(ratings: int) -> str:
    return "1 rating lies" if ratings == 1 else f"{ratings:,} ratings lie"


def _scale_of(rows: RunRows) -> Scale | None:
    rows.spool.close()
    finder = ScaleFinder()
    for block in rows.spool.blocks:
        finder.add(block.values())
    return finder.find()


def _sheets(bucket: str, snapshot: Snapshot, config: CatalogConfig) -> list[Sheet]:
    """Read ``items.*`` and ``users.*``, as far as something is made of them.

    Raises:
        InvalidConfigError: the config declares features of a file that is not there.
        MalformedItemsError: a file cannot be read.
    """
    found = []
    for noun in ("item", "user"):
        file = snapshot.catalog_file(f"{noun}s")
        declared = config.features is not None and noun in config.features
        if file is None:
            if declared:
                raise InvalidConfigError(
                    f"catalogs/{snapshot.catalog}/config.json",
                    f"$.features.{noun}s",
                    f"wants features, and there is no file catalogs/{snapshot.catalog}/{noun}s.*",
                )
            continue
        if noun == "item" or declared or config.features is None:
            found.append(_sheet(bucket, file, noun))
    return found


def _sheet(bucket: str, file: SnapshotFile, noun: str) -> Sheet:
    if file.size > MOST_BYTES:
        told = f"the file is {file.size:,} bytes long; at most {MOST_BYTES:,} are allowed"
        raise MalformedItemsError(file.key, 1, told)
    data = storage.read_version(bucket, file)
    try:
        return read_sheet(file.key, data, noun)
    except MalformedItemsError:
        raise
    except Exception as error:
        logger.exception("a file cannot be read", extra={"key": file.key})
        told = f"{type(error).__name__}: {shown(str(error), 200)}"
        raise MalformedItemsError(file.key, 1, f"the file cannot be read ({told})") from error


def _joined(
    sheets: Iterable[Sheet], config: CatalogConfig, rows: RunRows
) -> tuple[dict[str, str], dict[str, SideTable], list[Join]]:
    """Find titles, and what features may be made of, by the column that holds the ratings' ids.

    Raises:
        MalformedItemsError: a file has no such column, or too many of its rows cannot be used.
    """
    titles: dict[str, str] = {}
    tables: dict[str, SideTable] = {}
    joins: list[Join] = []
    for one in sheets:
        ids = rows.items if one.noun == "item" else rows.users
        sheet, join = joined(one, ids, rows.names_of(one.noun))
        declared = config.features is not None and sheet.noun in config.features
        table = _table(sheet, declared=declared)
        if table is not None and (declared or config.features is None):
            # A file that knows few of the ratings' ids spells them otherwise: no strangers' file.
            tables[sheet.noun] = table.of_rated(ids.uses, with_cold=join.spells_alike)
        if sheet.noun == "item" and (table is None or sheet.has_titles):
            titles = titles_of(sheet)
            join = replace(join, titled=sum(map(ids.uses, titles)))
        joins.append(join)
    return titles, tables, joins


def _table(sheet: Sheet, *, declared: bool) -> SideTable | None:
    """Arrange a side file. One of items that nothing is declared of may hold titles alone."""
    try:
        return table_of(sheet)
    except MalformedItemsError:
        if sheet.noun == "item" and not declared:
            return None
        raise
