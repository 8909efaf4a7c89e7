"""Vectors of users and items without ratings, by a linear map from features to vectors.

A ranking model learns from who chose what, and side features make its lists no better; of a model
of ratings they become part of the vectors of those who have any. But they are all that is known of
an item nobody has rated. So the vectors of the rated ones are regressed on their features, and the
others get what the regression says: with features that tell nothing, the mean of all.

Source:
    Gantner, Drumond, Freudenthaler, Rendle, Schmidt-Thieme, *Learning Attribute-to-Feature Mappings
    for Cold-Start Recommendations*, ICDM 2010; leave-one-out errors of ridge regression: Golub,
    Heath, Wahba, *Generalized Cross-Validation as a Method for Choosing a Good Ridge Parameter*,
    Technometrics 1979.
"""

from dataclasses import dataclass, replace

import numpy as np

from recommender.catalog.side_features import SideFeatures
from recommender.features import FeatureRows, Float64s, Integers
from recommender.model.pair_model import PairModel

# More rated entities than these make the map no better, and take time.
_MOST_FITTED, _MOST_NUMBERS, _MOST_FEATURES = 20_000, 1 << 24, 2_000
_FEWEST_FITTED = 3
# What holds the map down, in entities.
_RIDGES = (0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)


@dataclass(frozen=True)
class ColdStart:
    """How one side's vectors follow from features.

    Attributes:
        count: how many users or items without ratings got a vector.
        explained: which share of the differences between rated ones' scores the features explain,
            each told by the map of all the others; 0 if they explain nothing.
    """

    count: int
    explained: float

    def to_dict(self) -> dict[str, object]:
        """For ``metrics.json``."""
        return {"count": self.count, "explained": round(self.explained, 4)}


def with_cold(model: PairModel, features: SideFeatures) -> tuple[PairModel, dict[str, ColdStart]]:
    """Add users and items without ratings to a model.

    Args:
        model: of users and items with ratings.
        features: of these and, behind them, of those without.

    Returns:
        The model with all of them, and "user" and "item" -> how they were added, as far as there
        are any.
    """
    found: dict[str, ColdStart] = {}
    users = np.column_stack((model.user_factors, model.user_weights)).astype(np.float64)
    items = np.column_stack((model.item_factors, model.item_weights)).astype(np.float64)
    user_metric, item_metric = _metric(items), _metric(users)
    if features.cold_users:
        users, found["user"] = _extended(users, features.users, user_metric)
    if features.cold_items:
        items, found["item"] = _extended(items, features.items, item_metric)
    if not found:
        return model, found
    extended = replace(
        model,
        user_weights=users[:, -1].astype(np.float32),
        user_factors=users[:, :-1].astype(np.float32),
        item_weights=items[:, -1].astype(np.float32),
        item_factors=items[:, :-1].astype(np.float32),
    )
    return extended, found


def _metric(others: Float64s) -> Float64s:
    """A matrix ``L``: ``|e L|^2`` is the mean square of what an error ``e`` does to scores."""
    sides = others.copy()
    sides[:, -1] = 1.0  # the other's weight meets a one
    gram = sides.T @ sides / max(1, len(sides))
    values, vectors = np.linalg.eigh(gram)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _extended(vectors: Float64s, rows: FeatureRows, metric: Float64s) -> tuple[Float64s, ColdStart]:
    """Vectors of the first rows, and behind them what the others' features say."""
    rated, cold = len(vectors), len(rows) - len(vectors)
    columns = _most_frequent(rows.part(0, rated))
    told = np.flatnonzero(np.diff(rows.offsets[: rated + 1]) > 0)
    most = min(_MOST_FITTED, _MOST_NUMBERS // (columns.size + 1))
    told = told[:: -(-told.size // most) or 1]
    mean = vectors.mean(axis=0) if rated else np.zeros(vectors.shape[1])
    if told.size < _FEWEST_FITTED or not columns.size:
        guessed = np.broadcast_to(mean, (cold, mean.size))
        return np.concatenate((vectors, guessed)), ColdStart(cold, 0.0)
    known, wanted = _dense(rows, told, columns), vectors[told]
    centre, mean = known.mean(axis=0), wanted.mean(axis=0)
    map_, explained = _fitted(known - centre, wanted - mean, metric)
    guessed = np.empty((cold, mean.size))
    for first in range(0, cold, most):
        some = np.arange(first, min(first + most, cold))
        guessed[some] = mean + (_dense(rows, rated + some, columns) - centre) @ map_
    return np.concatenate((vectors, guessed)), ColdStart(cold, explained)


def _fitted(known: Float64s, wanted: Float64s, metric: Float64s) -> tuple[Float64s, float]:
    """The map of the ridge whose leave-one-out errors are least; zero if the mean is as good."""
    n = len(known)
    values, vectors = np.linalg.eigh(known.T @ known)
    values = np.maximum(values, 0.0)
    turned = known @ vectors
    pull = turned.T @ wanted
    least = float(np.square(wanted @ metric * (n / (n - 1))).sum())
    nothing, best = least, np.zeros((known.shape[1], wanted.shape[1]))
    for ridge in _RIDGES:
        held = pull / (values + ridge)[:, None]
        leverage = 1 / n + (np.square(turned) / (values + ridge)).sum(axis=1)
        left_out = (wanted - turned @ held) / np.maximum(1 - leverage, 1e-9)[:, None]
        error = float(np.square(left_out @ metric).sum())
        if error < least:
            least, best = error, vectors @ held
    return best, 1 - least / nothing if nothing else 0.0


def _most_frequent(rows: FeatureRows) -> Integers:
    """The columns that most rows have, ascending; as many as can be looked at."""
    counts = np.bincount(rows.columns)
    order = np.lexsort((np.arange(counts.size), -counts))[:_MOST_FEATURES]
    return np.sort(order[counts[order] > 0])


def _dense(rows: FeatureRows, chosen: Integers, columns: Integers) -> Float64s:
    """Some rows of some columns as a table."""
    table = np.zeros((chosen.size, columns.size))
    for at, row in enumerate(chosen.tolist()):
        entries = slice(int(rows.offsets[row]), int(rows.offsets[row + 1]))
        places = np.searchsorted(columns, rows.columns[entries])
        places = np.minimum(places, columns.size - 1)
        there = columns[places] == rows.columns[entries]
        table[at, places[there]] = rows.values[entries][there]
    return table
