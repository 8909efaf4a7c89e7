"""Sample the posterior of a machine over rows of any shape, and make one plain machine of it.

The mean of the scores of ``S`` machines is exactly one machine: mean weights, and all factors
side by side, divided by the square root of ``S``. So the rank asked for is shared out among the
draws that are kept, and nothing is lost by cutting.
"""

import numpy as np
from recommender.features import FeatureRows, Float64s, Integers

from factorization_machines.gibbs.calibration import Shift, fit_line, fit_link
from factorization_machines.gibbs.likelihoods import Likelihood
from factorization_machines.gibbs.priors import FIRST_PRECISION, draw_normal_gamma
from factorization_machines.gibbs.randomness import RandomState
from factorization_machines.gibbs.rows.sweeps import Columns, draw_factor, draw_weights, score_rows

_FIRST_SPREAD = 0.1
BIAS_PRECISION = 1e-3


class RowSampler:
    """The state of one chain; `sweep` moves it on, `keep` takes it into the posterior mean."""

    def __init__(
        self,
        rows: FeatureRows,
        sizes: tuple[int, ...],
        likelihood: Likelihood,
        rank: int,
        state: RandomState,
        generator: np.random.Generator,
    ) -> None:
        """Begin near zero.

        Args:
            rows: ``n`` rows, columns distinct within a row.
            sizes: number of columns of each field, for one prior each; empty: one field.
            likelihood: of the rows' labels.
            rank: factors of one draw.
            state: generator of the compiled draws.
            generator: generator of the hyperparameters' draws.
        """
        self._columns = _by_column(rows, sizes)
        self._likelihood, self._state, self._generator = likelihood, state, generator
        groups = int(self._columns.groups.max(initial=0)) + 1
        self._seen = np.diff(self._columns.offsets) > 0
        self._bias = 0.0
        self._weights = np.zeros(rows.dimension)
        self._factors = generator.standard_normal((rank, rows.dimension)) * _FIRST_SPREAD
        self._precisions = np.full((rank + 1, groups), FIRST_PRECISION)
        self._means = np.zeros((rank + 1, groups))
        self.scores, self._targets = np.zeros(len(rows)), np.zeros(len(rows))
        self._sums = np.empty(len(rows))
        self._kept_factors: list[Float64s] = []
        self._kept_weights, self._kept_bias = np.zeros(rows.dimension), 0.0
        self._expected, self._chances = np.zeros(len(rows)), np.zeros(len(rows))
        self._kept_scores = np.zeros(len(rows))

    def sweep(self) -> None:
        """Draw every parameter once."""
        weight = self._likelihood.draw_targets(self.scores, self._targets)
        residuals = self._targets - self.scores
        count = residuals.size
        precision = weight * count + BIAS_PRECISION
        pull = weight * (float(residuals.sum()) + count * self._bias)
        drawn = pull / precision + float(self._generator.standard_normal()) / precision**0.5
        residuals -= drawn - self._bias
        self._bias = drawn
        self._draw_priors()
        draw_weights(
            self._columns,
            weight,
            self._weights,
            residuals,
            self._precisions[0],
            self._means[0],
            self._state,
        )
        for f, factor in enumerate(self._factors):
            draw_factor(
                self._columns,
                weight,
                factor,
                residuals,
                self._precisions[f + 1],
                self._means[f + 1],
                self._state,
                self._sums,
            )
        # Anew, so that rounding errors of the running residuals do not add up.
        score_rows(self._columns, self._weights, self._factors, self.scores)
        self.scores += self._bias

    def keep(self) -> None:
        """Take this draw into the posterior mean."""
        self._kept_factors.append(self._factors.copy())
        self._kept_weights += self._weights
        self._kept_bias += self._bias
        self._kept_scores += self.scores
        self._expected += self._likelihood.expected(self.scores)
        self._chances += self._likelihood.chances(self.scores)

    def collapse(
        self, rank: int, *, classifies: bool
    ) -> tuple[tuple[float, Float64s, Float64s], Shift]:
        """Make one plain machine of the kept draws.

        Args:
            rank: of the machine: at least the kept draws' factors together.
            classifies: scores are to be log-odds of a like; else ratings.

        Returns:
            Bias, ``(d,)`` weights and ``(d, rank)`` factors, and the map from the machine's
            scores to log-odds of a like.
        """
        kept = len(self._kept_factors)
        scores, expected = self._kept_scores / kept, self._expected / kept
        line = fit_link(scores, expected) if classifies else fit_line(scores, expected)
        # A machine's products cannot be turned round by one sign, unlike those of pairs.
        scale = max(line.scale, 0.0)
        factors = np.zeros((self._weights.size, rank))
        stacked = np.concatenate(self._kept_factors).T * (scale / kept) ** 0.5
        factors[:, : stacked.shape[1]] = stacked
        bias = self._kept_bias / kept * scale + line.shift
        chances = self._chances / kept
        found = scores * scale + line.shift
        link = fit_link(found, chances) if np.isfinite(chances).all() else Shift(1.0, 0.0)
        return (bias, self._kept_weights * (scale / kept), factors), link

    def _draw_priors(self) -> None:
        """Draw mean and inverse variance of each group's weights, and of each of its factors."""
        for group in range(self._precisions.shape[1]):
            members = self._seen & (self._columns.groups == group)
            if members.any():
                values = np.vstack([self._weights[members], self._factors[:, members]]).T
                self._means[:, group], self._precisions[:, group] = draw_normal_gamma(
                    values, self._generator
                )


def _by_column(rows: FeatureRows, sizes: tuple[int, ...]) -> Columns:
    order = np.argsort(rows.columns, kind="stable")
    row_of = np.repeat(np.arange(len(rows), dtype=np.int32), np.diff(rows.offsets))
    counts = np.bincount(rows.columns, minlength=rows.dimension)
    groups: Integers = np.searchsorted(np.cumsum(sizes), np.arange(rows.dimension), side="right")
    return Columns(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        row_of[order],
        rows.values[order].astype(np.float64),
        groups.astype(np.int64) if sizes else np.zeros(rows.dimension, np.int64),
    )
