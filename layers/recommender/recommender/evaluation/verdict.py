"""The gate: whether the new model may replace the one that serves, and why."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from recommender.catalog.gate import Gate
from recommender.errors import ShapeMismatchError
from recommender.evaluation.metrics import Metrics, RankingMetrics
from recommender.evaluation.paired import PairedDifference


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may serve, and why or why not, in sentences."""

    promoted: bool
    reasons: tuple[str, ...]

    @classmethod
    def refusal(cls, reason: str) -> "Verdict":
        """Of a model that cannot even be looked at."""
        return cls(promoted=False, reasons=(reason,))

    @classmethod
    def of(cls, findings: Iterable[tuple[bool, str]]) -> "Verdict":
        """Put findings together: with one against the model, only those against it are told."""
        every = tuple(findings)
        against = tuple(reason for is_good, reason in every if not is_good)
        return cls(not against, against or tuple(reason for _, reason in every))

    def also(self, findings: Iterable[tuple[bool, str]]) -> "Verdict":
        """The verdict with more findings, all of which must speak for the model."""
        return Verdict.of([*((self.promoted, reason) for reason in self.reasons), *findings])

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        verdict = "promoted" if self.promoted else "rejected"
        return {"verdict": verdict, "reasons": list(self.reasons)}


def judge(
    challenger: Metrics,
    baseline: Metrics,
    champion: Metrics | None,
    gate: Gate,
    ranking: RankingMetrics | None = None,
    difference: PairedDifference | None = None,
) -> Verdict:
    """Decide whether the challenger may replace the champion.

    It may not if it is worse than the champion by more than the tolerance and, where both are
    compared row by row, by more than chance makes of these rows.

    Args:
        challenger: the new model on the test set.
        baseline: the item means on the same test set.
        champion: the serving model on the same test set, if there is one.
        gate: what is asked of the challenger.
        ranking: what the new model's lists reach, for limits on that.
        difference: of challenger and champion on the same rows, if they were compared so.

    Returns:
        Promoted with what it is better than, or not promoted with everything that is wrong.

    Raises:
        ShapeMismatchError: challenger and baseline are of different kinds.
    """
    broken = [name for name, value in challenger.as_dict().items() if not math.isfinite(value)]
    if broken:
        return Verdict(
            promoted=False,
            reasons=tuple(f"The new model's {name} is not finite." for name in broken),
        )
    name, loss = challenger.loss
    baseline_name, baseline_loss = baseline.loss
    if name != baseline_name:
        raise ShapeMismatchError("the baseline's loss", name, baseline_name)
    findings = [_beside_baseline(name, loss, baseline_loss, gate.baseline_margin)]
    findings.append(_beside_champion(name, loss, champion, gate.tolerance, difference))
    lists = ranking.as_dict() if ranking is not None and ranking.users else {}
    findings += beside_limits({**challenger.as_dict(), **lists}, gate, "model's")
    return Verdict.of(findings)


_Finding = tuple[bool, str]
"""Whether something speaks for the challenger, and the sentence that says so."""


def _beside_baseline(name: str, loss: float, baseline: float, margin: float) -> _Finding:
    ours, theirs = told_apart(loss, baseline)
    is_better = loss < baseline * (1.0 - margin)
    share = f" by more than {margin:.1%}" if margin else ""
    comparison = f"{'' if is_better else 'not '}better than the item means' {theirs}{share}"
    return is_better, f"The new model's {name} {ours} is {comparison}."


def _beside_champion(
    name: str,
    loss: float,
    champion: Metrics | None,
    tolerance: float,
    difference: PairedDifference | None,
) -> _Finding:
    if champion is None:
        return True, "No model serves yet."
    champion_name, champion_loss = champion.loss
    if champion_name != name:
        return True, f"The serving model has no {name} to compare with, only {champion_name}."
    if not math.isfinite(champion_loss):
        return True, f"The serving model's {name} is not finite."
    ours, theirs = told_apart(loss, champion_loss)
    share = f"{tolerance:.1%}"
    is_good = loss <= champion_loss * (1.0 + tolerance)
    if loss <= champion_loss:
        comparison = "no worse"
    else:
        comparison = f"{'at most' if is_good else 'more than'} {share} worse"
    told = f"The new model's {name} {ours} is {comparison} than the serving one's {theirs}"
    if is_good or difference is None:
        return is_good, f"{told}."
    if not difference.can_be_told:
        rows = "1 test row is" if difference.rows == 1 else f"{difference.rows} test rows are"
        return True, f"{told}. {rows} too few to tell whether that is chance."
    error = f"standard error of the difference {difference.standard_error:.4f}"
    if difference.is_no_chance:
        return False, f"{told}, and by more than chance makes: {error}."
    return True, f"{told}, which may be chance on {difference.rows:,} test rows: {error}."


def beside_limits(figures: Mapping[str, float], gate: Gate, whose: str) -> Iterator[_Finding]:
    """Compare figures with the gate's limits.

    Args:
        figures: name -> what was reached.
        gate: whose limits are looked at.
        whose: they are, as part of a sentence: "model's".
    """
    for side, limits in (("minimum", gate.minimum), ("maximum", gate.maximum)):
        for name, limit in limits.items():
            if name not in figures:
                asked = f"gate.{side} asks for {limit:g}"
                yield False, f"The new {whose} {name} cannot be told on this test set; {asked}."
                continue
            ours, theirs = told_apart(figures[name], limit)
            is_least = side == "minimum"
            is_good = figures[name] >= limit if is_least else figures[name] <= limit
            if is_good:
                comparison = "not below" if is_least else "not above"
            else:
                comparison = "below" if is_least else "above"
            yield is_good, f"The new {whose} {name} {ours} is {comparison} gate.{side}, {theirs}."


def told_apart(one: float, other: float) -> tuple[str, str]:
    """Write two figures with four digits, or with as many as it takes to see which is larger."""
    for digits in range(4, 17):
        texts = f"{one:.{digits}f}", f"{other:.{digits}f}"
        if texts[0] != texts[1] or one == other:
            break
    return texts
