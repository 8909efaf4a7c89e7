"""Short ways to fit, for tests of the solvers."""

from factorization_machines.fitted import Fitted
from factorization_machines.solve import solve
from recommender.features import FeatureRows, Float32s
from recommender.hyperparameters.parsing import parse_hyperparameters
from recommender.hyperparameters.settings import Hyperparameters


def hyperparameters_of(rows: FeatureRows, predictor_type: str, **others: object) -> Hyperparameters:
    """Check hyperparameters for rows; values of any type are given as their texts."""
    return parse_hyperparameters(
        {
            "feature_dim": str(rows.dimension),
            "predictor_type": predictor_type,
            **{name: str(value) for name, value in others.items()},
        }
    )


def sampled(rows: FeatureRows, labels: Float32s, predictor_type: str, **others: object) -> Fitted:
    """Fit by ``gibbs``, four factors unless told otherwise, and say nothing."""
    settings = hyperparameters_of(
        rows, predictor_type, **{"num_factors": 4, "solver": "gibbs", **others}
    )
    return solve(rows, labels, settings, quietly, quietly)


def quietly(_said: object) -> None:
    """Take what a solver says, for nobody."""
