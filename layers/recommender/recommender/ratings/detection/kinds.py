"""All files of a catalog are of one kind: with ratings, or without."""

from recommender.errors import MalformedRatingsError
from recommender.ratings.feedback import EXPLICIT, IMPLICIT, counts, ratings
from recommender.ratings.form import RatingForm
from recommender.ratings.table import RatingsBuilder

_SAY_SO = 'or say "feedback": "implicit" in config.json'
ONE_KIND = (
    "Either all files of a catalog hold ratings or none does: put one without them into a catalog "
    f"of its own, {_SAY_SO}"
)


def is_of_the_other_kind(error: MalformedRatingsError) -> bool:
    """Whether a file is refused for what the catalog's first file holds."""
    return _SAY_SO in error.reason


def understand(into: RatingsBuilder, feedback: str, form: RatingForm) -> None:
    """Settle what a file's rows say, before the first of them is read.

    Args:
        into: takes the rows.
        feedback: what the file holds.
        form: may say what the other files of the catalog hold.

    Raises:
        MalformedRatingsError: the catalog's first file is of the other kind.
    """
    if feedback == IMPLICIT and form.feedback == EXPLICIT:
        raise MalformedRatingsError(into.key, 1, f"no row has a rating. {ONE_KIND}")
    if feedback == EXPLICIT and form.first_file:
        raise MalformedRatingsError(
            into.key,
            1,
            f"the file holds ratings, and the catalog's first file, {form.first_file}, holds none: "
            f"put it into a catalog of its own, {_SAY_SO}, and its ratings are counts",
        )
    writing = form.writing
    if feedback == EXPLICIT:
        into.meaning = ratings(writing.missing, writing.decimal)
    else:
        into.meaning = counts(form.events, writing.decimal)
