"""A machine over pairs of one user and one item: the weights that lists are made of."""

from dataclasses import dataclass, replace

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.features import Float32s, Float64s, Integers
from recommender.model.machine import FactorizationMachine, LikeLink, link
from recommender.model.objective import ImplicitObjective
from recommender.model.seen_items import UNKNOWN
from recommender.predictor_types import REGRESSOR

_GATHERED_NUMBERS = 1 << 20


@dataclass(frozen=True)
class PairModel:
    """A factorization machine for one user and one item a row.

    A user or item of the number -1 is unknown and contributes nothing.

    Attributes:
        bias: the constant term.
        user_weights: ``(U,)`` float32.
        user_factors: ``(U, k)`` float32.
        item_weights: ``(I,)`` float32.
        item_factors: ``(I, k)`` float32.
        predictor_type: ``binary_classifier`` or ``regressor``.
        like_link: how ratings become likes, for a regressor that was trained with a threshold.
        objective: what a ranking model minimised, so that users can be folded in.
    """

    bias: float
    user_weights: Float32s
    user_factors: Float32s
    item_weights: Float32s
    item_factors: Float32s
    predictor_type: str
    like_link: LikeLink | None = None
    objective: ImplicitObjective | None = None

    @property
    def users(self) -> int:
        """Number of users ``U``."""
        return int(self.user_weights.size)

    @property
    def items(self) -> int:
        """Number of items ``I``."""
        return int(self.item_weights.size)

    def first(self, users: int, items: int) -> "PairModel":
        """The model of the first users and items alone, without a copy of its weights."""
        return replace(
            self,
            user_weights=self.user_weights[:users],
            user_factors=self.user_factors[:users],
            item_weights=self.item_weights[:items],
            item_factors=self.item_factors[:items],
        )

    def of_user(self, user: int) -> "PairModel":
        """The model of one user alone, whose number is 0 there, without a copy of its weights."""
        return replace(
            self,
            user_weights=self.user_weights[user : user + 1],
            user_factors=self.user_factors[user : user + 1],
        )

    def score_pairs(self, users: Integers, items: Integers) -> Float64s:
        """Score pairs, before any link function.

        Args:
            users: ``(n,)`` numbers of users, -1 for an unknown one.
            items: ``(n,)`` numbers of items, -1 for an unknown one.

        Returns:
            ``(n,)`` float64. A score depends on its own pair alone, to the last bit.

        Raises:
            ShapeMismatchError: the arrays differ in length, or a number is outside.
        """
        return self._linked_scores(users, items, REGRESSOR)

    def _linked_scores(self, users: Integers, items: Integers, predictor_type: str) -> Float64s:
        if users.ndim != 1 or users.shape != items.shape:
            raise ShapeMismatchError("items beside users", users.shape, items.shape)
        check_numbers("user number", users, self.users)
        check_numbers("item number", items, self.items)
        scores = np.empty(users.size, np.float64)
        step = max(1, _GATHERED_NUMBERS // max(1, self.user_factors.shape[1]))
        for first in range(0, users.size, step):
            block = slice(first, first + step)
            scores[block] = link(self._scores(users[block], items[block]), predictor_type)
        return scores

    def _scores(self, users: Integers, items: Integers) -> Float64s:
        linear = known_rows(self.user_weights, users) + known_rows(self.item_weights, items)
        left, right = known_rows(self.user_factors, users), known_rows(self.item_factors, items)
        return np.asarray(self.bias + linear + np.einsum("ij,ij->i", left, right), np.float64)

    def predict_pairs(self, users: Integers, items: Integers) -> Float64s:
        """Probability of a like for a classifier, the rating itself for a regressor.

        Args:
            users: ``(n,)`` numbers of users, -1 for an unknown one.
            items: ``(n,)`` numbers of items, -1 for an unknown one.

        Returns:
            ``(n,)`` float64.

        Raises:
            ShapeMismatchError: the arrays differ in length, or a number is outside.
        """
        return self._linked_scores(users, items, self.predictor_type)


def known_rows(table: Float32s, numbers: Integers) -> Float64s:
    """Look rows of a table up in float64; an unknown number has a row of zeros."""
    if not table.shape[0]:
        return np.zeros((numbers.size, *table.shape[1:]))
    rows = table[numbers].astype(np.float64)  # -1 takes the last row, for the moment
    rows[numbers == UNKNOWN] = 0.0
    return rows


def check_numbers(what: str, numbers: Integers, count: int) -> None:
    """Make sure that numbers are known ones or -1.

    Raises:
        ShapeMismatchError: they are not.
    """
    if numbers.size and not -1 <= int(numbers.min()) <= int(numbers.max()) < count:
        raise ShapeMismatchError(what, f"-1 to {count - 1}", f"{numbers.min()} to {numbers.max()}")


def split_machine(machine: FactorizationMachine, n_users: int, n_items: int) -> PairModel:
    """Cut a machine whose columns are users first, then items, and nothing else.

    Args:
        machine: the weights.
        n_users: number of user columns.
        n_items: number of item columns.

    Returns:
        The same model, without a copy of its weights.

    Raises:
        ShapeMismatchError: the machine has another number of columns.
    """
    if machine.dimension != n_users + n_items:
        raise ShapeMismatchError(
            "columns of the model", f"{n_users} users + {n_items} items", machine.dimension
        )
    return PairModel(
        bias=machine.bias,
        user_weights=machine.linear[:n_users],
        user_factors=machine.factors[:n_users],
        item_weights=machine.linear[n_users:],
        item_factors=machine.factors[n_users:],
        predictor_type=machine.predictor_type,
        like_link=machine.like_link,
        objective=machine.objective,
    )
