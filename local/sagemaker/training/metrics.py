"""The metrics of a training job, found in what its container printed."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# The built-in algorithm's lines, such as
# #quality_metric: host=algo-1, epoch=3, train binary_classification_cross_entropy <loss>=0.61
_QUALITY = re.compile(
    r"#quality_metric: host=\S+?,(?: (?:epoch|batch)=\d+,?)* (train|test|validation) (\S+) "
    r"<(?:loss|score)>=(\S+)"
)
# The console calls the F score of any beta by one name.
_F_SCORE = re.compile(r"binary_f_\d+(\.\d+)?")


@dataclass(frozen=True)
class Metric:
    """One metric's last value."""

    name: str
    value: float


def final_metrics(lines: Iterable[str], definitions: Mapping[str, str]) -> list[Metric]:
    """The last finite value of each metric.

    Args:
        lines: the container's log.
        definitions: further metrics of the request: name to a regular expression with one group.

    Returns:
        The metrics by order of first appearance, named as SageMaker names the built-in
        algorithm's: ``test:binary_classification_accuracy``.
    """
    own = {name: re.compile(pattern) for name, pattern in definitions.items()}
    values: dict[str, float] = {}
    for line in lines:
        found = _QUALITY.search(line)
        if found:
            side, metric, text = found.groups()
            name = "binary_f_beta" if _F_SCORE.fullmatch(metric) else metric
            _keep(values, f"{side}:{name}", text)
        for name, pattern in own.items():
            match = pattern.search(line)
            if match and match.groups():
                _keep(values, name, match[1])
    return [Metric(name, value) for name, value in values.items()]


def _keep(values: dict[str, float], name: str, text: str) -> None:
    try:
        value = float(text.rstrip(","))
    except ValueError:
        return
    # JSON has no NaN, and neither has the service's answer.
    if math.isfinite(value):
        values[name] = value
