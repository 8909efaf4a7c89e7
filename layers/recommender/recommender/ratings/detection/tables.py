"""Where in a text file its table begins: behind comments and titles, with the header if any."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from recommender.errors import MalformedRatingsError, shown
from recommender.formats.delimited import DELIMITERS
from recommender.formats.openings import header_at, past_comments, said_separator
from recommender.ratings.detection.samples import Sample, is_number
from recommender.ratings.form import RatingForm
from recommender.ratings.table import INTERACTION_COLUMNS, REQUIRED_COLUMNS


def find_table(key: str, sample: Sample, form: RatingForm) -> tuple[Sample, RatingForm]:
    """Pass over what stands before the table: Excel's ``sep=``, comments, titles.

    Returns:
        The lines from the header on, or from the first row if no line is one; and the form, with
        the separator that the file itself names.

    Raises:
        MalformedRatingsError: there is nothing else, or a line names the columns and a row of
            ratings stands before it.
    """
    said = said_separator(sample[0][1])
    if said:
        if len(sample) == 1:
            raise MalformedRatingsError(
                key, sample[0][0], f"the file holds nothing but {shown(sample[0][1].strip())!r}"
            )
        sample = sample[1:]
        form = form if form.separator else replace(form, separator=said)
    separators = (form.separator,) if form.separator else DELIMITERS

    first = next((line for _, line in sample if not line.startswith("#")), "")

    def is_content(line: str) -> bool:
        """Whether it is a row, or as many cells as one: then perhaps names that we do not know."""
        for one in separators:
            cells, width = form.split(line, one), len(form.split(first, one))
            if _is_row(cells, form.positions) or len(cells) == width >= len(REQUIRED_COLUMNS):
                return True
        return False

    def is_header(cells: Sequence[str]) -> bool:
        return _names_columns(cells, form)

    header = None if form.has_positions else header_at(sample, separators, is_header)
    if header is None:
        return past_comments(sample, is_content), form
    place, separator = header
    columns = form.split(sample[place][1], separator)
    for line, text in sample[:place]:
        cells = form.split(text, separator)
        if len(cells) == len(columns) and _is_row(cells, _roles(columns, form)):
            raise MalformedRatingsError(
                key,
                sample[place][0],
                f"this line names the columns, and line {line} before it looks like a row; "
                "the header has to stand before the rows",
            )
    return sample[place:], form


def _roles(names: Sequence[str], form: RatingForm) -> dict[str, int]:
    """Which column is what, by names: of ratings, or of data without them if there are none."""
    found = {} if form.is_implicit else form.find_columns(names)
    if all(role in found for role in REQUIRED_COLUMNS):
        return found
    return form.find_interactions(names) if form.may_lack_ratings else found


def _names_columns(cells: Sequence[str], form: RatingForm) -> bool:
    """Whether cells are a header: they name user and item, and what the form says, no number."""
    found = _roles(cells, form)
    if not all(role in found for role in INTERACTION_COLUMNS) or any(map(is_number, cells)):
        return False
    return "rating" in found or form.may_lack_ratings


def _is_row(cells: Sequence[str], positions: Mapping[str, int]) -> bool:
    """Whether cells hold a user, an item and, where there is a column of them, a number."""
    ids = [positions[role] for role in INTERACTION_COLUMNS]
    number_at = positions.get("rating", positions.get("count"))
    if len(cells) <= max(*ids, number_at or 0) or not all(cells[at].strip() for at in ids):
        return False
    return number_at is None or is_number(cells[number_at])
