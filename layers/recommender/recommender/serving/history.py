"""Answers about catalogs and their runs: which there are, and what became of them."""

import re
from collections.abc import Mapping

from recommender.api.queries import Page
from recommender.aws import storage
from recommender.catalog.keys import check_catalog_name
from recommender.errors import UnknownCatalogError, UnknownRunError
from recommender.pipeline.manifests import summary
from recommender.pipeline.run_files import RunFiles

_RUN = re.compile(r"[0-9a-z-]{1,64}")
_POINTERS = "current/"
_UNFINISHED = "unfinished"
"""A run without a record: it is at work, or it was ended before it could write one."""


def catalogs(bucket: str, page: Page) -> dict[str, object]:
    """Name the catalogs of which a model serves, in the order of their names."""
    keys = sorted(storage.list_keys(bucket, _POINTERS))
    names = [key.removeprefix(_POINTERS).removesuffix(".json") for key in keys]
    return {"found": len(names), "catalogs": names[page.offset :][: page.limit]}


def runs(bucket: str, catalog: str, page: Page) -> dict[str, object]:
    """Tell a catalog's runs in short, the newest data first.

    Returns:
        ``found``, how many there are, and of a page of them ``run_id``, ``outcome``, times, a
        sentence, and by model the verdict and its reasons.

    Raises:
        InvalidCatalogNameError: no catalog can have that name.
        UnknownCatalogError: it has no runs.
    """
    names = storage.list_folders(bucket, f"runs/{check_catalog_name(catalog)}/")[::-1]
    if not names:
        raise UnknownCatalogError(catalog)
    some = names[page.offset :][: page.limit]
    return {"found": len(names), "runs": [_told(bucket, catalog, name) for name in some]}


def run(bucket: str, catalog: str, run_id: str) -> Mapping[str, object]:
    """Show the manifest of a run that has ended.

    Raises:
        InvalidCatalogNameError: no catalog can have that name.
        UnknownRunError: there is none.
    """
    record = _record(bucket, check_catalog_name(catalog), run_id)
    if record is None:
        raise UnknownRunError(run_id)
    return record


def _record(bucket: str, catalog: str, run_id: str) -> dict[str, object] | None:
    if not _RUN.fullmatch(run_id):  # another text would make the key of something else
        return None
    return storage.read_json_if_there(bucket, RunFiles(catalog, run_id).manifest)


def _told(bucket: str, catalog: str, run_id: str) -> dict[str, object]:
    record = _record(bucket, catalog, run_id)
    if record is None:
        return {"run_id": run_id, "outcome": _UNFINISHED}
    evaluation = record.get("evaluation")
    models = evaluation.get("models", {}) if isinstance(evaluation, Mapping) else {}
    return {
        "run_id": run_id,
        "outcome": record["outcome"],
        "started_at": record["startedAt"],
        "finished_at": record["finishedAt"],
        "summary": summary(record),
        "verdicts": {
            name: {"verdict": told["verdict"], "reasons": told.get("reasons", [])}
            for name, told in models.items()
        },
    }
