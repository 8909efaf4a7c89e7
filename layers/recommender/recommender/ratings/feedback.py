"""The two kinds of feedback: ratings, and what somebody did, counted and weighed by its kind."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from recommender.ratings.values import (
    checked_count,
    checked_rating,
    is_one_of,
    number_in,
    read_count,
    read_rating,
)

EXPLICIT = "explicit"
"""Rows say how much a user likes an item."""
IMPLICIT = "implicit"
"""Rows say that a user did something with an item; how often, and what."""


@dataclass(frozen=True)
class Meaning:
    """What the rows of a file say, and how their numbers are read.

    Attributes:
        feedback: `EXPLICIT` or `IMPLICIT`.
        noun: "rating" or "count", which begins the reason for a refused cell.
        read: reads a cell; raises a ``ValueError`` that says why it cannot, and gives NaN for a
            rating that is none.
        check: checks a number that is read already, likewise.
        events: type of event -> how much one counts; none if all count 1.
        missing: ratings that say that there is none.
    """

    feedback: str
    noun: str
    read: Callable[[str], float]
    check: Callable[[float], float]
    events: Mapping[str, float] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def missing_numbers(self) -> list[float]:
        """Those of ``missing`` that are numbers."""
        return [number for number in map(number_in, self.missing) if number is not None]

    def event_weight(self, cell: str) -> float:
        """Tell how much an event counts.

        Raises:
            ValueError: the settings know no such event.
        """
        event = cell.strip()
        weight = self.events.get(event)
        if weight is None:
            if not event:
                raise ValueError("event is empty")
            shown = event if len(event) <= 40 else event[:37] + "..."
            raise ValueError(f"event {shown!r} is none of those in config.json")
        return weight


def ratings(missing: Sequence[str] = (), decimal: str = "") -> Meaning:
    """Rows that say how much somebody likes something.

    Args:
        missing: ratings that say that there is none: texts, or numbers in any spelling.
        decimal: what stands before a fraction, if that is said.
    """

    def read(cell: str) -> float:
        return math.nan if is_one_of(missing, cell) else read_rating(cell, decimal)

    def check(value: float) -> float:
        return math.nan if is_one_of(missing, repr(value)) else checked_rating(value)

    if not missing:
        return Meaning(EXPLICIT, "rating", partial(read_rating, decimal=decimal), checked_rating)
    return Meaning(EXPLICIT, "rating", read, check, missing=tuple(missing))


RATINGS = ratings()


def counts(events: Mapping[str, float], decimal: str = "") -> Meaning:
    """Rows that say what somebody did, whose events count so much."""
    return Meaning(IMPLICIT, "count", partial(read_count, decimal=decimal), checked_count, events)
