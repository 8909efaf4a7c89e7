"""How far a long step has come: told to the log and to the catalog's lease, every few seconds."""

import time
from collections.abc import Callable, Mapping

from recommender.aws import leases
from recommender.errors import ServiceUnavailableError
from recommender.observability import logger

Report = Callable[[str, Mapping[str, int]], None]
"""Is told what is being done and how far it has come; cheap enough to be called at any time.

Of the figures, ``of_bytes`` and ``of_rows`` say what ``bytes`` and ``rows`` will come to.
"""

_SECONDS = 5.0


def silent(phase: str, figures: Mapping[str, int]) -> None:
    """Report to nobody."""


def reporter(
    table: str, catalog: str, owner: str, run_id: str, seconds: float = _SECONDS
) -> Report:
    """Report to the log and to ``progress`` of the lease, at most every ``seconds``.

    A step that takes no longer than that reports nothing. A report that cannot be written down
    costs nothing but itself.

    Raises:
        LeaseLostError: by the report itself, which so ends a step whose work is not wanted any
            more.
    """
    begun = time.monotonic()
    due = begun + seconds

    def report(phase: str, figures: Mapping[str, int]) -> None:
        nonlocal due
        now = time.monotonic()
        if now < due:
            return
        facts: dict[str, str | int | float] = {"phase": phase, **figures}
        facts["seconds"] = round(now - begun)
        for what in ("bytes", "rows"):
            if figures.get(f"of_{what}"):
                facts["share"] = round(figures[what] / figures[f"of_{what}"], 3)
        logger.info("progress", extra={"run": run_id, **facts})
        try:
            leases.note_progress(table, catalog, owner, {"run": run_id, **facts})
        except ServiceUnavailableError as error:
            logger.warning("progress is in the log alone", extra={"reason": str(error)})
        due = time.monotonic() + seconds

    return report
