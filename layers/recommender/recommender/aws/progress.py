"""How far a long step has come: told to the log and kept beside the run, every few seconds."""

import time
from collections.abc import Callable, Mapping

from recommender.aws import storage
from recommender.observability import logger
from recommender.runs import RunFiles

Report = Callable[[str, Mapping[str, int]], None]
"""Is told what is being done and how far it has come; cheap enough to be called at any time."""

_SECONDS = 5.0


def silent(phase: str, figures: Mapping[str, int]) -> None:
    """Report to nobody."""


def reporter(bucket: str, files: RunFiles, seconds: float = _SECONDS) -> Report:
    """Report to the log and to the run's ``progress.json``, at most every ``seconds``.

    A step that takes no longer than that reports nothing.
    """
    due = time.monotonic() + seconds

    def report(phase: str, figures: Mapping[str, int]) -> None:
        nonlocal due
        if time.monotonic() < due:
            return
        facts = {"run": files.run_id, "phase": phase, **figures}
        logger.info("progress", extra=facts)
        storage.write_json(bucket, files.progress, facts)
        due = time.monotonic() + seconds

    return report
