"""Which epoch of a training by gradients is handed over: the last, a running mean, the best."""

import numpy as np
from recommender.evaluation.metrics import classification_metrics, regression_metrics
from recommender.features import FeatureRows, Float32s, Floats
from recommender.hyperparameters.settings import Hyperparameters
from recommender.model.machine import FactorizationMachine, predict

from factorization_machines.errors import DivergedError

_Labelled = tuple[FeatureRows, Float32s]


class EpochChoice:
    """Sees every epoch's parameters, and keeps what will be handed over."""

    def __init__(self, settings: Hyperparameters, holdout: _Labelled | None) -> None:
        """Begin before the first epoch; ``holdout`` rows decide which epoch is best, if given."""
        self._settings, self._holdout = settings, holdout
        self._decay = settings.averaging_decay
        self._weight, self._bias = 0.0, 0.0
        self._mean: Floats | None = None
        self._best: tuple[float, FactorizationMachine] | None = None
        self._last: FactorizationMachine | None = None
        self._epoch, self._best_epoch = -1, -1

    def add(self, bias: float, parameters: Floats) -> float | None:
        """Take the parameters at the end of an epoch.

        Args:
            bias: the bias.
            parameters: ``(d, k + 1)`` factors and weight of each column; copied if kept.

        Returns:
            The loss of the held out rows, if there are any.

        Raises:
            DivergedError: a parameter is not finite, as of the last epoch or of one to be scored.
        """
        self._epoch += 1
        if self._decay > 0:
            self._weight = self._decay * self._weight + 1.0
            share = 1.0 / self._weight
            if self._mean is None:
                self._mean = np.zeros(parameters.shape)
            self._mean += share * (parameters - self._mean)
            self._bias += share * (bias - self._bias)
            bias, parameters = self._bias, self._mean
        if self._holdout is None and self._epoch + 1 < self._settings.epochs:
            return None
        machine = self._machine(bias, parameters)
        self._last = machine
        if self._holdout is None:
            return None
        loss = self._loss(machine, *self._holdout)
        if self._best is None or loss < self._best[0]:
            self._best, self._best_epoch = (loss, machine), self._epoch
        return loss

    @property
    def is_over(self) -> bool:
        """No epoch was better for as long as the patience lasts."""
        return self._best is not None and self._epoch - self._best_epoch >= self._settings.patience

    def machine(self) -> FactorizationMachine:
        """Give what is handed over, after the last epoch."""
        if self._best is not None:
            return self._best[1]
        if self._last is None:
            raise DivergedError(0, "no epoch was trained")
        return self._last

    def _machine(self, bias: float, parameters: Floats) -> FactorizationMachine:
        machine = FactorizationMachine(
            bias=float(np.float32(bias)),
            linear=np.ascontiguousarray(parameters[:, -1], np.float32),
            factors=np.ascontiguousarray(parameters[:, :-1], np.float32),
            predictor_type=self._settings.predictor_type,
        )
        if not machine.is_finite:
            raise DivergedError(self._epoch, "a parameter is not finite")
        return machine

    def _loss(self, machine: FactorizationMachine, rows: FeatureRows, labels: Float32s) -> float:
        predictions = predict(rows, machine)
        if self._settings.classifies:
            return classification_metrics(labels, predictions).loss[1]
        return regression_metrics(labels, predictions).loss[1] ** 2


def split_off(
    rows: FeatureRows, labels: Float32s, fraction: float, seed: int
) -> tuple[FeatureRows, Float32s, _Labelled | None]:
    """Hold a share of the rows out, at random.

    Args:
        rows: ``n`` rows.
        labels: ``(n,)``.
        fraction: of the rows, below 1.
        seed: of the choice.

    Returns:
        The rows and labels that are left, and those held out: none if the share is less than
        one row.
    """
    count = int(fraction * len(rows))
    if not count:
        return rows, labels, None
    generator = np.random.Generator(np.random.PCG64([seed, len(rows)]))
    out = np.zeros(len(rows), bool)
    out[generator.permutation(len(rows))[:count]] = True
    return _taken(rows, ~out), labels[~out], (_taken(rows, out), labels[out])


def _taken(rows: FeatureRows, mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> FeatureRows:
    counts = np.diff(rows.offsets)
    entries = np.repeat(mask, counts)
    return FeatureRows(
        np.concatenate([[0], np.cumsum(counts[mask])]).astype(np.int64),
        rows.columns[entries],
        rows.values[entries],
        rows.dimension,
    )
