"""What every solver takes: the size of the machine, what it predicts, and who fits it.

``feature_dim``, ``num_factors`` and ``predictor_type`` are the built-in algorithm's and required.
Our own, none of which changes anything unless it is given:

- ``solver``: ``adam``, ``gibbs`` for the posterior's mean answer, ``als`` for lists of what users
  choose. What only steers another one is of no effect.
- ``seed`` of all randomness.
- ``like_threshold``: labels are ratings, and those from here on are likes. A classifier then
  learns from the ratings and predicts likes; a regressor predicts ratings and tells beside the
  model how they become probabilities of a like (gibbs).
"""

from recommender.hyperparameters.kinds import Choice, Integer, Kind, Number
from recommender.predictor_types import PREDICTOR_TYPES

ADAM, ALS, GIBBS = "adam", "als", "gibbs"

REQUIRED = ("feature_dim", "num_factors", "predictor_type")

TABLE: tuple[Kind, ...] = (
    Integer("feature_dim", None, 1, 2**31 - 1),
    Integer("num_factors", None, 1, 1000),
    Choice("predictor_type", None, PREDICTOR_TYPES),
    Choice("solver", ADAM, (ADAM, ALS, GIBBS)),
    Integer("seed", "0", 0, 2**32 - 1),
    Number("like_threshold", None, -1e9, 1e9),
)
