"""Write down a run's end: manifest, pointer, report."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from recommender.aws import leases, storage
from recommender.catalog.config import CatalogConfig
from recommender.errors import LeaseLostError
from recommender.pipeline.manifests import FINAL, manifest, summary
from recommender.pipeline.pointers import Pointer
from recommender.pipeline.report import render
from recommender.pipeline.run_files import RunFiles, pointer_key
from recommender.pipeline.runs import attempt_id
from recommender.pipeline.snapshots import Snapshot


def open_run(bucket: str, catalog: str, base: str, execution: str) -> tuple[RunFiles, bool]:
    """Find the run that this snapshot and plan belong to.

    Returns:
        Its files, and whether it came to an end that need not be repeated. A failed run is
        followed by another attempt under a name of its own, and stays readable. So is one that
        another execution left half done: its training job was stopped, and keeps its name.
    """
    attempt = 1
    while True:
        files = RunFiles(catalog, attempt_id(base, attempt))
        record = storage.read_json_if_there(bucket, files.manifest)
        if record is None:
            plan = storage.read_json_if_there(bucket, files.plan)
            if plan is None or plan["execution"] == execution:
                return files, False
        elif record["outcome"] in FINAL:
            return files, True
        attempt += 1


def waits_for_ratings(
    bucket: str, snapshot: Snapshot, refused: Sequence[Mapping[str, object]]
) -> bool:
    """Whether a catalog has settings or side files and no ratings yet, which is no mistake.

    It is one if ratings were there: refused, empty, or deleted beneath a model that serves.
    """
    beside = [one.key for one in snapshot.passed_over if one.key.startswith("ratings/")]
    if snapshot.rating_files() or refused or beside:
        return False
    return storage.read_json_if_there(bucket, pointer_key(snapshot.catalog)) is None


def changed_settings(bucket: str, catalog: str, config: CatalogConfig) -> dict[str, object]:
    """Compare settings with those of the run that serves.

    Returns:
        Name -> ``{"before", "now"}`` of each that differs; nothing if no run serves.
    """
    current = storage.read_json_if_there(bucket, pointer_key(catalog))
    if current is None:
        return {}
    plan = storage.read_json_if_there(bucket, RunFiles(catalog, str(current["runId"])).plan)
    if plan is None:
        return {}
    before = cast("Mapping[str, object]", plan["config"])
    now = cast("Mapping[str, object]", json.loads(json.dumps(config.to_dict())))
    return {
        name: {"before": before.get(name), "now": value}
        for name, value in now.items()
        if name in before and before[name] != value and name != "like_threshold_given"
    }


def record_outcome(
    bucket: str,
    files: RunFiles,
    state: Mapping[str, object],
    **facts: object,
) -> dict[str, object]:
    """Write manifest and report of a run, from its plan, its evaluation and the state's facts.

    Args:
        state: the state machine's own, as far as it came.
        facts: the remaining arguments of :func:`recommender.pipeline.manifests.manifest`.
    Returns:
        The record; the one that stands when the run serves already. What failed then came after,
        such as its notice, and the record must not deny what the pointer says.
    """
    current = storage.read_json_if_there(bucket, pointer_key(files.catalog))
    if facts["outcome"] == "failed" and current is not None and current["runId"] == files.run_id:
        return storage.read_json(bucket, files.manifest)
    record = manifest(
        catalog=files.catalog,
        run_id=files.run_id,
        plan=storage.read_json_if_there(bucket, files.plan),
        state=_by_model(state),
        evaluation=storage.read_json_if_there(bucket, files.metrics),
        **facts,  # type: ignore[arg-type]
    )
    serving = None if current is None else Pointer.from_dict(current)
    if record["outcome"] == "promoted":
        serving = Pointer.moved(record, serving)
    record["serves"] = None if serving is None else serving.models
    storage.write(bucket, files.report, render(record, summary(record)), "text/html; charset=utf-8")
    storage.write_json(bucket, files.manifest, record)
    return record


def record_of(bucket: str, files: RunFiles) -> dict[str, object]:
    """Read the record that a run has already."""
    return storage.read_json(bucket, files.manifest)


def _by_model(state: Mapping[str, object]) -> dict[str, object]:
    """Put what is known of each model's training under its name."""
    found = dict(state)
    trainings = cast("list[Mapping[str, Mapping[str, object]]]", state.get("trainings", []))
    if trainings:
        found["trainings"] = {
            cast("str", one["model"]): {**one["training"], **one["trained"]} for one in trainings
        }
    return found


def move_pointer(bucket: str, table: str, execution: str, record: Mapping[str, object]) -> None:
    """Point the catalog at the run that serves now.

    Raises:
        LeaseLostError: another run owns the catalog, and this one never moved the pointer.
    """
    catalog = cast("str", record["catalog"])
    key = pointer_key(catalog)
    # Read before the lease: whoever takes it from here on changes what is replaced below.
    found = storage.find_json(bucket, key)
    if leases.read(table, catalog).owner != execution:
        # A retry of a step that had already given the lease back finds its own pointer.
        if found.value is None or found.value["runId"] != record["runId"]:
            raise LeaseLostError(catalog, execution)
        return
    before = found.value
    if before is not None and before["runId"] == record["runId"]:
        return  # a retry, which must not take its own pointer for what served before
    moved = Pointer.moved(record, None if before is None else Pointer.from_dict(before))
    if not storage.replace_json(bucket, key, found, moved.to_dict()):
        raise LeaseLostError(catalog, execution)
