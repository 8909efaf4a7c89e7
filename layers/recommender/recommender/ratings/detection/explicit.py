"""How a text file of ratings is written: its separator and its columns, told from its head."""

from collections.abc import Mapping

from recommender.formats.delimited import DELIMITERS, Layout
from recommender.ratings.detection.implicit import by_header, detect_interactions
from recommender.ratings.detection.layouts import layout_of
from recommender.ratings.detection.refusals import (
    missing_names,
    no_table,
    refuse_index,
    refuse_matrix,
    refuse_unknown_header,
)
from recommender.ratings.detection.samples import Sample, is_number
from recommender.ratings.form import RatingForm
from recommender.ratings.table import REQUIRED_COLUMNS


def detect_layout(key: str, sample: Sample, form: RatingForm) -> Layout:
    """Tell the delimiter and the columns from the first lines, as far as they are not given.

    Returns:
        A layout without a rating if the file is one without ratings: by the settings, or by its
        header, where the settings leave that to the file.

    Raises:
        MalformedRatingsError: no delimiter makes a table of them, or the header names no user, no
            item or no rating.
    """
    if form.is_implicit:
        return detect_interactions(key, sample, form)
    first_line, first_text = sample[0]
    delimiters = (form.separator,) if form.separator else DELIMITERS

    def layout(delimiter: str, positions: Mapping[str, int], *, header: bool) -> Layout:
        return layout_of(sample, delimiter, positions, REQUIRED_COLUMNS, form, header=header)

    beside = form.of_partitions(implicit=False)
    headers = {d: beside | form.find_columns(form.split(first_text, d)) for d in delimiters}
    if not form.has_positions:
        for delimiter, found in headers.items():
            if all(role in found for role in REQUIRED_COLUMNS):
                return layout(delimiter, found, header=True)
    without_ratings = by_header(sample, form) if form.may_lack_ratings else None
    if without_ratings is not None:
        return without_ratings
    positions = form.positions
    evidence = {
        delimiter: _evidence(sample, delimiter, positions, form) for delimiter in delimiters
    }
    delimiter = max(delimiters, key=lambda candidate: evidence[candidate])
    if form.names:
        raise missing_names(key, first_line, form.split(first_text, delimiter), form)
    if form.has_positions:
        cells = form.split(first_text, delimiter)
        header = not any(is_number(cell) for cell in cells) and len(sample) > 1
        return layout(delimiter, positions, header=header)
    refuse_matrix(key, sample, delimiter, form)
    ratings_follow = evidence[delimiter][0] > 0
    refuse_unknown_header(key, sample[0], delimiter, headers, form, ratings_follow=ratings_follow)
    if evidence[delimiter] == (0, 0):
        raise no_table(key, sample, delimiters, form)
    refuse_index(key, sample, delimiter, form)
    return layout(delimiter, positions, header=False)


def _evidence(
    sample: Sample, delimiter: str, positions: Mapping[str, int], form: RatingForm
) -> tuple[int, int]:
    """How many lines a delimiter turns into ratings, and how many into enough cells."""
    needed = 1 + max(positions[role] for role in REQUIRED_COLUMNS)
    rows = [form.split(line, delimiter) for _, line in sample]
    wide = [cells for cells in rows if len(cells) >= needed]
    return sum(is_number(cells[positions["rating"]]) for cells in wide), len(wide)
