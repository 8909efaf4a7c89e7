"""What is kept and told of a run's end."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from recommender.model_names import LIKE, RANKING

FINAL = frozenset({"promoted", "rejected", "refused"})
"""Outcomes that the same files would only repeat. A failed run is worth another attempt."""

WITHOUT_RECORD = frozenset({"unchanged", "waiting"})
"""Outcomes of runs that made nothing to tell of."""

# Lambda ends a function that outgrows its memory from outside, and says no more than that.
_KILLED = frozenset({"Runtime.ExitError", "Runtime.OutOfMemory"})
_LASTING = frozenset(
    {"ConflictingResourceError", "MissingSettingsError", "NoRoomError", "TrainingStoppedError"}
)
_ASKED = "ClientError"
_OUT_OF_MEMORY = "as a rule it ran out of memory; that of the encoder is EncodeMemoryMB"


@dataclass(frozen=True)
class RunError:
    """The first error of a run, as Step Functions passed it on."""

    type: str
    message: str

    @classmethod
    def from_state(cls, error: Mapping[str, str] | None) -> "RunError | None":
        """Read ``{"Error", "Cause"}``; a function's cause is JSON that holds its message."""
        if error is None:
            return None
        cause = error.get("Cause", "")
        try:
            message = json.loads(cause).get("errorMessage", cause)
        except (ValueError, AttributeError):
            message = cause
        kind = error.get("Error", "Unknown")
        if kind in _KILLED and "signal: killed" in str(message):
            message = f"{message} ({_OUT_OF_MEMORY})"
        return cls(kind, str(message))


def may_pass(error: RunError | None) -> bool:
    """Whether a run that failed so may do better later, with nothing changed.

    A job that says itself that it was asked for something impossible, one that somebody stopped,
    settings and names that are wrong, and too little room will not.
    """
    if error is None:
        return True
    lasting = error.type in _LASTING
    return not lasting and not (error.type == "TrainingFailedError" and _ASKED in error.message)


def manifest(
    *,
    catalog: str,
    run_id: str,
    execution: str,
    outcome: str,
    started_at: str,
    finished_at: str,
    plan: Mapping[str, object] | None,
    state: Mapping[str, object],
    evaluation: Mapping[str, object] | None,
    error: RunError | None,
) -> dict[str, object]:
    """Put together the record of a run, whatever became of it.

    Args:
        state: what the state machine's own comes to, as far as it came: ``trainings`` by model,
            ``endpoint``.
    """
    record: dict[str, object] = {
        "catalog": catalog,
        "runId": run_id,
        "execution": execution,
        "outcome": outcome,
        "startedAt": started_at,
        "finishedAt": finished_at,
    }
    record.update(plan or {})
    for step in ("trainings", "endpoint"):
        if step in state:
            record[step] = state[step]
    if evaluation is not None:
        record["evaluation"] = evaluation
    if error is not None:
        record["error"] = {"type": error.type, "message": error.message}
    return record


def summary(record: Mapping[str, object]) -> str:
    """One line for people."""
    told = f"{record['catalog']}: {_outcome(record)}" + _likes(record)
    return told + _withdrawn(record) + _left_out(record) + _first_warning(record)


_USUAL_THRESHOLD = 4


def _likes(record: Mapping[str, object]) -> str:
    """Say what a like is, where it was found out and is not what most people expect."""
    scale, config = record.get("scale"), record.get("config")
    if not isinstance(scale, Mapping) or not isinstance(config, Mapping):
        return ""
    least = scale.get("likeThreshold", _USUAL_THRESHOLD)
    if config.get("like_threshold_given", True) or least == _USUAL_THRESHOLD:
        return ""
    return (
        f". Ratings of {least:g} and more are likes ({scale['because']}); like_threshold in "
        "config.json may say otherwise"
    )


def _withdrawn(record: Mapping[str, object]) -> str:
    """Say how many people are out of service, where the old models go on serving."""
    gone = record.get("withdrawnUsers")
    if not isinstance(gone, int) or not gone:
        return ""
    who = (
        "1 user whose ratings are gone is"
        if gone == 1
        else f"{gone:,} users whose ratings are gone are"
    )
    return f". {who} not served any more"


def _left_out(record: Mapping[str, object]) -> str:
    """Name the files that a run did without."""
    refused = record.get("refusedFiles")
    if not isinstance(refused, Sequence) or not refused:
        return ""
    named = ", ".join(str(one["key"]) for one in refused[:_MOST_NAMED])
    more = f" and {len(refused) - _MOST_NAMED} more" if len(refused) > _MOST_NAMED else ""
    return f". Left out, for they were refused before: {named}{more}"


def _first_warning(record: Mapping[str, object]) -> str:
    told, evaluation = record.get("warnings"), record.get("evaluation")
    warnings = list(told) if isinstance(told, Sequence) else []
    if isinstance(evaluation, Mapping) and record["outcome"] == "promoted":
        warnings += cast("Sequence[str]", evaluation.get("warnings", []))
    if not warnings:
        return ""
    more = f" (and {len(warnings) - 1} more warnings)" if len(warnings) > 1 else ""
    return f". Warning: {warnings[0]}{more}"


def _outcome(record: Mapping[str, object]) -> str:
    outcome = record["outcome"]
    evaluation = record.get("evaluation")
    error = record.get("error")
    if outcome == "promoted" and isinstance(evaluation, Mapping):
        return "; ".join(_promotions(evaluation))
    if outcome == "rejected" and isinstance(evaluation, Mapping):
        return f"challenger rejected, nothing changed: {'; '.join(evaluation['reasons'])}"
    if outcome == "unchanged":
        return "nothing new to train on"
    if outcome == "waiting":
        return (
            "waiting for ratings. Its settings and side files are in order; upload a file of "
            f"ratings under ratings/{record['catalog']}/ and training begins by itself"
        )
    what = "upload refused" if outcome == "refused" else "run failed"
    why = (
        f"{error['type']}: {error['message']}" if isinstance(error, Mapping) else "no reason known"
    )
    serves = record.get("serves", True)
    left = "the model that served keeps serving" if serves else "no model serves yet"
    return f"{what}, {left}. {why}"


def _promotions(evaluation: Mapping[str, Mapping[str, Mapping[str, object]]]) -> Iterator[str]:
    """Say of each of a run's models whether it serves from now on."""
    models = evaluation.get("models", {LIKE: {"verdict": "promoted"}})
    serves = {name: told["verdict"] == "promoted" for name, told in models.items()}
    if serves.get(LIKE):
        challenger = cast("Mapping[str, float]", evaluation["challenger"])
        yield f"new model serving ({_figures(challenger)})"
    if serves.get(RANKING):
        told = cast("Mapping[str, float]", evaluation["ranking"])
        figures = {name: told[name] for name in ("ndcg", "hit_rate")}
        yield f"new lists ({_figures(figures)})"
    for name in serves:
        if not serves[name]:
            reasons = cast("Sequence[str]", models[name]["reasons"])
            yield f"the new {name} model was rejected: {'; '.join(reasons)}"


def _figures(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in metrics.items())


_MOST_NAMED = 3
_LEVELS = {"promoted": "information", "waiting": "information", "rejected": "warning"}
_TOLD = (
    "catalog",
    "runId",
    "execution",
    "outcome",
    "startedAt",
    "finishedAt",
    "counts",
    "warnings",
    "evaluation",
    "endpoint",
    "error",
)


def notice(record: Mapping[str, object]) -> dict[str, object]:
    """The facts of a run that go into its notice: small, whatever the number of files."""
    level = _LEVELS.get(str(record["outcome"]), "error")
    return {"level": level, **{name: record[name] for name in _TOLD if name in record}}
