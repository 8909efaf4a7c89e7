"""The two kinds of feedback: ratings, and what somebody did, counted and weighed by its kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recommender.ratings.values import checked_count, checked_rating, read_count, read_rating

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
        read: reads a cell; raises a ``ValueError`` that says why it cannot.
        check: checks a number that is read already, likewise.
        events: type of event -> how much one counts; none if all count 1.
    """

    feedback: str
    noun: str
    read: Callable[[str], float]
    check: Callable[[float], float]
    events: Mapping[str, float] = field(default_factory=dict)

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


RATINGS = Meaning(EXPLICIT, "rating", read_rating, checked_rating)


def counts(events: Mapping[str, float]) -> Meaning:
    """Rows that say what somebody did, whose events count so much."""
    return Meaning(IMPLICIT, "count", read_count, checked_count, events)
