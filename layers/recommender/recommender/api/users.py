"""Answers about users: what a run knows that they rated."""

from urllib.parse import unquote

import numpy as np

from recommender.api.answers import ServedRun, names_of
from recommender.api.queries import Page
from recommender.api.sessions import Known


def name_of(run: ServedRun, user: str) -> str:
    """A user's id: as a path or a query has it or, if that is unknown, percent-decoded."""
    return user if user in run.vocabulary.user_numbers else unquote(user)


def user(run: ServedRun, name: str, known: Known, page: Page) -> dict[str, object]:
    """Tell what a user rated: what counts most for the lists first.

    Args:
        run: the run whose lists serve.
        name: the user's id.
        known: what the ranking model knows of the user, if there is one.
        page: which part.

    Returns:
        ``found``, how many items the user rated, and of a page of them title and ``weight``: how
        much the rating counts for the ranking model, 0 for what it was not told (the test set).
    """
    weights = dict(zip(known.items.tolist(), known.weights.tolist(), strict=True))
    rated = np.union1d(run.seen.of(run.number_of(name)), known.items).astype(np.int64).tolist()
    left_out = set(run.items_of(page.exclude).tolist())
    rated = [item for item in rated if item not in left_out]
    rated.sort(key=lambda item: (-weights.get(item, 0.0), item))
    some = np.array(rated[page.offset :][: page.limit], np.int64)
    return {
        "user": name,
        "user_known": run.has_rated(name),
        "model_version": run.run_id,
        "found": len(rated),
        "items": [
            {"item": item, "title": run.titles.get(item), "weight": weights.get(number, 0.0)}
            for item, number in zip(names_of(run, some), some.tolist(), strict=True)
        ],
    }
