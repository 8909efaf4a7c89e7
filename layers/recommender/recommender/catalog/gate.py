"""The gate's settings: what a new model must reach before it may serve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

LIKE_METRICS: Sequence[str] = ("accuracy", "cross_entropy", "f1", "auc")
RATING_METRICS: Sequence[str] = ("rmse", "mae")
RANKING_METRICS: Sequence[str] = ("hit_rate", "ndcg", "coverage")
"""The metrics of a model, by the names of ``metrics.json``."""


@dataclass(frozen=True)
class Gate:
    """When a challenger may replace the champion.

    Attributes:
        tolerance: by which share of the champion's loss its own may be worse.
        baseline_margin: by which share of the item means' loss its own must be better.
        minimum: metric -> the least that it may be.
        maximum: metric -> the most that it may be.
        max_shrink: by which share ratings, users or items may be fewer than in the serving run,
            if no file was deleted.
    """

    tolerance: float = 0.01
    baseline_margin: float = 0.0
    minimum: Mapping[str, float] = field(default_factory=dict)
    maximum: Mapping[str, float] = field(default_factory=dict)
    max_shrink: float = 0.3

    def to_dict(self) -> dict[str, object]:
        """For a run's plan; the constructor takes it back."""
        return {**vars(self), "minimum": dict(self.minimum), "maximum": dict(self.maximum)}

    def of_predictions(self) -> "Gate":
        """The gate without what it asks of lists."""
        return self._limited_to((*LIKE_METRICS, *RATING_METRICS))

    def of_lists(self) -> "Gate":
        """The gate with what it asks of lists alone."""
        return self._limited_to(RANKING_METRICS)

    def _limited_to(self, names: Sequence[str]) -> "Gate":
        minimum, maximum = (
            {name: limit for name, limit in limits.items() if name in names}
            for limits in (self.minimum, self.maximum)
        )
        return replace(self, minimum=minimum, maximum=maximum)


class GateSettings(TypedDict, total=False):
    """What the schema lets through."""

    tolerance: float
    baseline_margin: float
    minimum: dict[str, float]
    maximum: dict[str, float]
    max_shrink: float


def gate_of(settings: GateSettings) -> Gate:
    """Complete what ``config.json`` says with the defaults."""
    defaults = Gate()
    return Gate(
        tolerance=float(settings.get("tolerance", defaults.tolerance)),
        baseline_margin=float(settings.get("baseline_margin", defaults.baseline_margin)),
        minimum={name: float(least) for name, least in settings.get("minimum", {}).items()},
        maximum={name: float(most) for name, most in settings.get("maximum", {}).items()},
        max_shrink=float(settings.get("max_shrink", defaults.max_shrink)),
    )


def misplaced_limit(gate: Gate, known: Sequence[str]) -> tuple[str, float] | None:
    """Find a limit on a metric that a model will not have.

    Args:
        gate: the limits.
        known: the metrics that it will have.

    Returns:
        Its path below ``gate`` and its value; None if there is none.
    """
    for side, limits in (("minimum", gate.minimum), ("maximum", gate.maximum)):
        for name, limit in limits.items():
            if name not in known:
                return f"{side}.{name}", limit
    return None
