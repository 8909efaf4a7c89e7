"""The log lines of a training job, in the built-in algorithm's form.

SageMaker reads metrics out of a job's log by regular expressions, and a hyperparameter tuner
reads its objective the same way. So these lines are an interface, not decoration.
"""

import logging
import sys
from collections.abc import Mapping, Sequence

from recommender.evaluation.metrics import classification_metrics, regression_metrics
from recommender.features import Float32s, Float64s

from factorization_machines.fitted import EpochSummary, SweepSummary

_logger = logging.getLogger("factorization_machines")


def log_to_stdout() -> None:
    """Send the job's lines to standard output, each flushed as it is written."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        logging.Formatter(
            "[%(asctime)s %(levelname)s %(thread)d] %(message)s", datefmt="%m/%d/%Y %H:%M:%S"
        )
    )
    _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)
    _logger.propagate = False


class Journal:
    """Writes what happens on one host."""

    def __init__(self, host: str, *, classifies: bool) -> None:
        self._host, self._classifies = host, classifies
        self._curve: list[str] = []

    def say(self, text: str) -> None:
        """Write a line for people."""
        _logger.info(text)

    def epoch_ended(self, summary: EpochSummary | SweepSummary) -> None:
        """Write the training metrics of an epoch, and how far the job is."""
        if isinstance(summary, SweepSummary):
            self._sweep_ended(summary)
            return
        if self._classifies:
            metrics = {
                "binary_classification_accuracy <score>": summary.accuracy,
                "binary_classification_cross_entropy <loss>": summary.loss,
                "binary_f_1.000 <score>": summary.f1,
            }
        else:
            metrics = {
                "rmse <loss>": summary.loss**0.5,
                "mse <loss>": summary.loss,
                "absolute_loss <loss>": summary.absolute_error,
            }
        if summary.held_out_loss is not None:
            name = "binary_classification_cross_entropy" if self._classifies else "mse"
            self._quality(
                f"epoch={summary.epoch}, held_out {name} <loss>={summary.held_out_loss:.10g}"
            )
        for name, value in metrics.items():
            self._quality(f"epoch={summary.epoch}, train {name}={value:.10g}")
        names = [name.split()[0] for name in metrics]
        self._add_to_curve(summary.epoch, names, [*metrics.values()])
        self._progress(summary.epoch, summary.epochs)

    def _sweep_ended(self, summary: SweepSummary) -> None:
        """Write how far a ranking model has come."""
        if summary.ndcg is not None:
            self._quality(f"epoch={summary.sweep}, validation ndcg <score>={summary.ndcg:.10g}")
        self._quality(f"epoch={summary.sweep}, train objective <loss>={summary.objective:.10g}")
        values = [summary.objective, summary.ndcg]
        self._add_to_curve(summary.sweep, ["objective", "ndcg"], values)
        self._progress(summary.sweep, summary.sweeps)

    def _add_to_curve(
        self, epoch: int, names: Sequence[str], values: Sequence[float | None]
    ) -> None:
        if not self._curve:
            self._curve.append(f"epoch,{','.join(names)}\n")
        told = ",".join("" if value is None else f"{value:.10g}" for value in values)
        self._curve.append(f"{epoch},{told}\n")

    def _progress(self, epoch: int, epochs: int) -> None:
        done = 100 * (epoch + 1) / epochs
        _logger.info(
            "#progress_metric: host=%s, completed %.1f %% of epochs", self._host, round(done, 1)
        )

    def curve(self) -> str:
        """Give the learning curve as CSV: a header, then a line for each epoch told of."""
        return "".join(self._curve)

    def tested(self, labels: Float32s, predictions: Float64s, *, classifies: bool) -> None:
        """Write the metrics of the test channel.

        Args:
            labels: ``(n,)`` 0/1 labels, or ratings.
            predictions: ``(n,)`` probabilities, or ratings.
            classifies: they are the former.
        """
        if classifies:
            found = classification_metrics(labels, predictions).as_dict()
            metrics = {
                "binary_classification_accuracy <score>": found["accuracy"],
                "binary_classification_cross_entropy <loss>": found["cross_entropy"],
                "binary_f_1.000 <score>": found["f1"],
            }
        else:
            found = regression_metrics(labels, predictions).as_dict()
            metrics = {"rmse <loss>": found["rmse"]}
        self._tell_test(metrics)

    def lists_tested(self, metrics: Mapping[str, float]) -> None:
        """Write what a ranking model's lists reach on the test channel: more is better."""
        self._tell_test({f"{name} <score>": value for name, value in metrics.items()})

    def _tell_test(self, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            _logger.info("#test_score (%s) : %s", self._host, name.split()[0])
            _logger.info("#test_score (%s) : %.10g", self._host, value)
            self._quality(f"test {name}={value:.10g}")

    def _quality(self, text: str) -> None:
        _logger.info("#quality_metric: host=%s, %s", self._host, text)
