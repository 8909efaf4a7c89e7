"""The first lines of a text file, from which the rest is understood."""

from collections.abc import Sequence
from itertools import islice

from recommender.formats.lines import lines_of
from recommender.ratings.values import read_rating

Sample = Sequence[tuple[int, str]]
"""Lines that are not blank, each with its number."""

SAMPLE_BYTES = 256 << 10
_SAMPLE_LINES = 100
_MOST_DISTINCT_RATINGS = 21  # of a hundred rows: from 0 to 10 by halves
_GREATEST_RATING = 100


def sample_of(head: bytes, *, whole: bool) -> list[tuple[int, str]]:
    """The first lines that are not blank, with their numbers."""
    lines = lines_of(head[:SAMPLE_BYTES])
    if not (whole or head.endswith(b"\n")) and len(lines) > 1:
        lines.pop()  # cut off by the end of the sample
    filled = ((n, line) for n, line in enumerate(lines, 1) if line and not line.isspace())
    return list(islice(filled, _SAMPLE_LINES))


def is_number(cell: str) -> bool:
    """Whether a cell could be a rating or a count."""
    try:
        read_rating(cell)
    except ValueError:
        return False
    return True


def numbers_in(cells: Sequence[str]) -> int:
    """How many of some cells could be ratings or counts."""
    return sum(map(is_number, cells))


def may_be_ratings(cells: Sequence[str]) -> bool:
    """Whether most of a column are numbers of the size of ratings, and few distinct ones."""
    numbers = [read_rating(cell) for cell in cells if is_number(cell)]
    return (
        2 * len(numbers) > len(cells)
        and len(set(numbers)) <= _MOST_DISTINCT_RATINGS
        and max(map(abs, numbers)) <= _GREATEST_RATING
    )
