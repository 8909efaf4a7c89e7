"""Side features: vectors are drawn to a linear map of what is known of their entities."""

import numpy as np
from recommender.features import Float32s, Float64s, Integers

from factorization_machines.als.observed import Booleans
from factorization_machines.als.products import ROUNDING, factorise, substitute
from factorization_machines.compiled.arrays import Int32s
from factorization_machines.compiled.compiling import compiled
from factorization_machines.fields import SideFeatures


class FeatureMap:
    """The map ``M`` that minimises ``sum p |v - f M|^2 + r |M|^2``, ``f`` an entity's features.

    The first sum is that of the objective, so that an update of the map lets it fall as well. Only
    entities with observed pairs count; the vectors of the others are all that the map says.
    """

    def __init__(
        self, features: SideFeatures, penalties: Float64s, observed: Booleans, strength: float
    ) -> None:
        """Prepare the map of features that does not change.

        Args:
            features: ``f`` features of ``m`` entities.
            penalties: ``(m,)`` ``p`` of each entity.
            observed: ``(m,)`` which entities have observed pairs.
            strength: ``r``, in entities of a mean penalty.
        """
        self._offsets, self._entities = features.offsets, features.entities
        self._values = np.where(observed[features.entities], features.values, 0.0)
        self._penalties = penalties
        self.ridge = strength * float(penalties.mean())
        self._factor = np.zeros((features.size, features.size))
        by_entity = np.argsort(features.entities, kind="stable")
        feature_of = np.repeat(np.arange(features.size), np.diff(features.offsets))[by_entity]
        counts = np.bincount(features.entities, minlength=penalties.size)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        _add_products(offsets, feature_of, self._values[by_entity], penalties, self._factor)
        self._factor[np.diag_indices(features.size)] += self.ridge
        factorise(self._factor, ROUNDING)

    @property
    def size(self) -> int:
        """Number of features."""
        return int(self._offsets.size) - 1

    def fit(self, vectors: Float32s) -> Float64s:
        """Find the map ``(f, w)`` of vectors ``(m, w)``."""
        found = np.empty((self.size, vectors.shape[1]))
        weighted = vectors * self._penalties[:, None]
        _gather(self._offsets, self._entities, self._values, weighted, found)
        for column in range(found.shape[1]):
            pull = found[:, column].copy()
            substitute(self._factor, pull)
            found[:, column] = pull
        return found

    def priors(self, map_: Float64s) -> Float32s:
        """Map the features of every entity: ``(m, w)``; zero for those without observed pairs."""
        found = np.zeros((self._penalties.size, map_.shape[1]))
        _spread(self._offsets, self._entities, self._values, map_, found)
        return found.astype(np.float32)


@compiled
def _add_products(
    offsets: Integers, features: Integers, values: Float64s, penalties: Float64s, out: Float64s
) -> None:
    """Add ``p f f'`` of each entity to the upper half, and the lower one."""
    for entity in range(offsets.size - 1):
        for i in range(offsets[entity], offsets[entity + 1]):
            scaled = penalties[entity] * values[i]
            for j in range(offsets[entity], offsets[entity + 1]):
                out[features[i], features[j]] += scaled * values[j]


@compiled
def _gather(
    offsets: Integers, entities: Int32s, values: Float64s, vectors: Float64s, out: Float64s
) -> None:
    """Sum the vectors of each feature's entities."""
    out[:] = 0.0
    for feature in range(offsets.size - 1):
        for entry in range(offsets[feature], offsets[feature + 1]):
            for f in range(out.shape[1]):
                out[feature, f] += values[entry] * vectors[entities[entry], f]


@compiled
def _spread(
    offsets: Integers, entities: Int32s, values: Float64s, map_: Float64s, out: Float64s
) -> None:
    """Add each feature's row of the map to its entities."""
    for feature in range(offsets.size - 1):
        for entry in range(offsets[feature], offsets[feature + 1]):
            for f in range(out.shape[1]):
                out[entities[entry], f] += values[entry] * map_[feature, f]
