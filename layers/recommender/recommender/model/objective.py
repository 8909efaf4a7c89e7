"""What a factorization of implicit feedback minimises: all that folding a user in needs to know."""

import math
from dataclasses import dataclass

from recommender.errors import ShapeMismatchError


@dataclass(frozen=True)
class ImplicitObjective:
    """The loss of a ranking model, in which unobserved pairs count too.

    With weights ``c`` of the observed pairs, scores ``s``, and ``n`` observed pairs of an entity
    that has ``m`` possible partners::

        sum_observed c (1 - s)^2 + a sum_all s^2 + sum_entities r (n + a m)^e |v|^2

    Attributes:
        unobserved_weight: ``a``, the weight of every pair, observed or not; above 0.
        regularization: ``r``, at least 0.
        exponent: ``e``: 1 regularises by how much there is to learn from, 0 all alike.

    Source:
        Rendle, Krichene, Zhang, Koren, *Revisiting the performance of iALS on item recommendation
        benchmarks*, RecSys 2022, eq. 5 and section 3.2.
    """

    unobserved_weight: float
    regularization: float
    exponent: float

    def __post_init__(self) -> None:
        values = (self.unobserved_weight, self.regularization, self.exponent)
        if not all(map(math.isfinite, values)) or values[0] <= 0 or values[1] < 0:
            raise ShapeMismatchError(
                "implicit objective", "an unobserved weight above 0, finite numbers", values
            )

    def penalty(self, observed: int, partners: int) -> float:
        """Weight of the squared norm of an entity.

        Args:
            observed: how many pairs of it are observed.
            partners: how many entities there are on the other side.
        """
        amount = observed + self.unobserved_weight * partners
        return float(self.regularization * amount**self.exponent)
