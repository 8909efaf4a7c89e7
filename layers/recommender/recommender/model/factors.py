"""A model cut into user and item parts, as named arrays that can be kept in one file."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recommender.model.machine import LikeLink
from recommender.model.objective import ImplicitObjective
from recommender.model.pair_model import PairModel

_LIKE_LINK, _OBJECTIVE = "like_link", "objective"


def to_arrays(model: PairModel) -> dict[str, NDArray[np.generic]]:
    """Name a model's parts."""
    link, objective = model.like_link, model.objective
    return {
        "bias": np.asarray(model.bias, dtype=np.float64),
        "user_weights": model.user_weights,
        "user_factors": model.user_factors,
        "item_weights": model.item_weights,
        "item_factors": model.item_factors,
        "predictor_type": np.asarray(model.predictor_type),
        **({} if link is None else {_LIKE_LINK: _numbers(link)}),
        **({} if objective is None else {_OBJECTIVE: _numbers(objective)}),
    }


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> PairModel:
    """Put a model together again."""
    return PairModel(
        bias=float(arrays["bias"]),
        user_weights=arrays["user_weights"].astype(np.float32, copy=False),
        user_factors=arrays["user_factors"].astype(np.float32, copy=False),
        item_weights=arrays["item_weights"].astype(np.float32, copy=False),
        item_factors=arrays["item_factors"].astype(np.float32, copy=False),
        predictor_type=str(arrays["predictor_type"]),
        like_link=LikeLink(*arrays[_LIKE_LINK].tolist()) if _LIKE_LINK in arrays else None,
        objective=ImplicitObjective(*arrays[_OBJECTIVE].tolist()) if _OBJECTIVE in arrays else None,
    )


def _numbers(part: LikeLink | ImplicitObjective) -> NDArray[np.float64]:
    return np.array([*vars(part).values()], np.float64)
