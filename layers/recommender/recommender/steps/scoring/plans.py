"""Decide once which run scores a pair list, and how."""

from recommender.aws import storage
from recommender.model_names import LIKE, RANKING
from recommender.pipeline.pointers import Pointer
from recommender.pipeline.run_files import pointer_key
from recommender.pipeline.scoring.files import ScoringFiles
from recommender.pipeline.scoring.plans import ScoringPlan
from recommender.pipeline.snapshots import Snapshot, SnapshotFile
from recommender.serving import served_runs
from recommender.steps import snapshots


def decide(
    ratings_bucket: str, bucket: str, files: ScoringFiles, file: SnapshotFile
) -> ScoringPlan | None:
    """Decide, or find what was decided before; None if nothing serves that could score.

    What serves may change at any moment. Of two that decide at once, the first one's word stands.

    Raises:
        InvalidConfigError: the settings cannot be used.
    """
    found = storage.find_json(bucket, files.plan)
    if found.value is None:
        scorer = _scorer(bucket, files.catalog)
        if scorer is None:
            return None
        listed = storage.list_latest(ratings_bucket, f"catalogs/{files.catalog}/config.")
        config = snapshots.settings_of(ratings_bucket, Snapshot.of(files.catalog, listed))
        plan = ScoringPlan(file, *scorer, config)
        if storage.replace_json(bucket, files.plan, found, plan.to_dict()):
            return plan
    return ScoringPlan.from_dict(storage.read_json(bucket, files.plan))


def read(bucket: str, files: ScoringFiles) -> ScoringPlan | None:
    """Read what was decided, if anything was."""
    found = storage.read_json_if_there(bucket, files.plan)
    return None if found is None else ScoringPlan.from_dict(found)


def _scorer(bucket: str, catalog: str) -> tuple[str, str] | None:
    """The run whose model scores pairs, and which model: the like model, if one serves."""
    found = storage.read_json_if_there(bucket, pointer_key(catalog))
    if found is None:
        return None
    pointer = Pointer.from_dict(found)
    if pointer.like is not None:
        return pointer.like, LIKE
    # A run may make its lists of the popular items, and then has no model at all.
    if served_runs.load(bucket, catalog, pointer.lists).ranking is None:
        return None
    return pointer.lists, RANKING
