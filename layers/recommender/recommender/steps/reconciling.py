"""What the endpoint serves and what the catalog says that it serves, made one again.

A run that dies between the endpoint's switch and the pointer leaves predictions by one run and
everything else by another. Whoever ends a run next asks the endpoint, and moves the pointer on if a
later, promoted run serves there, or else the endpoint back.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from recommender.aws import sagemaker, storage
from recommender.model_names import LIKE
from recommender.pipeline import jobs
from recommender.pipeline.manifests import manifest, summary
from recommender.pipeline.pointers import Pointer
from recommender.pipeline.report import render
from recommender.pipeline.run_files import RunFiles, pointer_key


def settled(bucket: str, prefix: str, files: RunFiles, outcome: str) -> str:
    """Make endpoint and pointer agree before a run ends that promotes nothing, as far as it knows.

    To be called by who holds the catalog.

    Args:
        bucket: where runs lie.
        prefix: what names of resources begin with.
        files: the run's.
        outcome: what it came to.

    Returns:
        The same, or "promoted" if its model serves: what failed came after that.
    """
    moved_to = reconcile(bucket, prefix, files.catalog)
    if outcome == "unchanged":
        catch_up(bucket, files)
    return "promoted" if moved_to == files.run_id and outcome != "unchanged" else outcome


def reconcile(bucket: str, prefix: str, catalog: str) -> str | None:
    """Ask the endpoint which run it serves; to be called by who holds the catalog.

    An endpoint of a catalog that trains no like model any more is deleted.

    Returns:
        The run that the pointer was moved to, if it was: its record says "promoted" now.
    """
    name = jobs.endpoint_name(prefix, catalog)
    endpoint = sagemaker.describe_endpoint(name)
    if endpoint is None or endpoint["EndpointStatus"] != "InService":
        return None
    variants = endpoint.get("ProductionVariants", [])
    if not variants:
        return None
    found = storage.find_json(bucket, pointer_key(catalog))
    pointer = None if found.value is None else Pointer.from_dict(found.value)
    run_id = jobs.run_of_variant(variants[0]["VariantName"])
    if pointer is not None and pointer.like == run_id:
        return None
    files = RunFiles(catalog, run_id)
    config = endpoint["EndpointConfigName"]
    if _is_promoted(bucket, files) and _fence(bucket, files) > _fence_of(bucket, pointer):
        record = _as_promoted(bucket, files, {"endpointName": name, "endpointConfigName": config})
        moved = Pointer.moved(record, pointer)
        record["serves"] = moved.models
        report = render(record, summary(record))
        storage.write(bucket, files.report, report, "text/html; charset=utf-8")
        storage.write_json(bucket, files.manifest, record)
        storage.replace_json(bucket, pointer_key(catalog), found, moved.to_dict())
        return run_id
    if pointer is None:
        return None
    if pointer.like is None:  # the catalog has no like model any more, and an endpoint costs money
        sagemaker.delete_endpoint(name)
    elif pointer.endpoint_config_name and pointer.endpoint_config_name != config:
        sagemaker.move_back(name, pointer.endpoint_config_name)
    return None


def catch_up(bucket: str, files: RunFiles) -> None:
    """Move the pointer to a run whose record says promoted, if it died before it could.

    To be called by who holds the catalog, of the run that its files belong to.
    """
    found = storage.find_json(bucket, pointer_key(files.catalog))
    pointer = None if found.value is None else Pointer.from_dict(found.value)
    record = storage.read_json(bucket, files.manifest)
    if record["outcome"] != "promoted" or _fence(bucket, files) <= _fence_of(bucket, pointer):
        return
    moved = Pointer.moved(record, pointer)
    storage.replace_json(bucket, pointer_key(files.catalog), found, moved.to_dict())


def _is_promoted(bucket: str, files: RunFiles) -> bool:
    """Whether a run's like model was found good enough to serve."""
    metrics = storage.read_json_if_there(bucket, files.metrics)
    if metrics is None:
        return False
    models = cast("Mapping[str, Mapping[str, str]]", metrics["models"])
    return LIKE in models and models[LIKE]["verdict"] == "promoted"


def _fence_of(bucket: str, pointer: Pointer | None) -> int:
    return -1 if pointer is None else _fence(bucket, RunFiles(pointer.catalog, pointer.run_id))


def _fence(bucket: str, files: RunFiles) -> int:
    """Which owner of the catalog made a run: later ones have higher numbers."""
    plan = storage.read_json_if_there(bucket, files.plan)
    parts = str((plan or {}).get("execution", "")).split("-")
    return int(parts[-2]) if len(parts) > 2 and parts[-2].isdigit() else -1


def _as_promoted(bucket: str, files: RunFiles, endpoint: Mapping[str, object]) -> dict[str, object]:
    """The record of a run that serves, although its own last step never came, or said otherwise."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = storage.read_json_if_there(bucket, files.manifest)
    if record is None:
        plan = storage.read_json(bucket, files.plan)
        record = manifest(
            catalog=files.catalog,
            run_id=files.run_id,
            execution=str(plan["execution"]),
            outcome="promoted",
            started_at=now,
            finished_at=now,
            plan=plan,
            state={},
            evaluation=storage.read_json_if_there(bucket, files.metrics),
            error=None,
        )
    trouble = record.pop("error", None)
    record |= {"outcome": "promoted", "finishedAt": now, "endpoint": endpoint}
    # What went wrong is kept: somebody may have been told of it.
    return record | {"recoveredFrom": trouble or "a last step that never came"}
