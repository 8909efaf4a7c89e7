"""The first lines of a text file, from which the rest is understood."""

from collections.abc import Sequence
from itertools import islice

from recommender.formats.lines import lines_of
from recommender.ratings.values import read_rating

Sample = Sequence[tuple[int, str]]
"""Lines that are not blank, each with its number."""

SAMPLE_BYTES = 256 << 10
_SAMPLE_LINES = 100


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
