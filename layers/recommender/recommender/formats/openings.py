"""What stands before a table in its file: Excel's word on the separator, comments, titles."""

import re
from collections.abc import Callable, Sequence

from recommender.formats.delimited import DELIMITERS
from recommender.formats.quoting import cells_of

Numbered = Sequence[tuple[int, str]]
"""Lines that are not blank, each with its number."""

_MOST_LINES_BEFORE = 30
_SEPARATOR_LINE = re.compile(r'"?sep=(::|\\t|[^\w\s"]|\t)"?[,;\s]*', re.IGNORECASE)


def said_separator(line: str) -> str:
    """Read Excel's ``sep=;`` line; an empty text for any other line."""
    found = _SEPARATOR_LINE.fullmatch(line)
    return found.group(1).replace("\\t", "\t") if found else ""


def header_at(
    lines: Numbered, separators: Sequence[str], is_header: Callable[[Sequence[str]], bool]
) -> tuple[int, str] | None:
    """Find the first of the lines that is a header.

    Args:
        lines: the first ones of a file.
        separators: those that may stand between names; none: `DELIMITERS`.
        is_header: whether cells are names of columns that are wanted.

    Returns:
        Its place among the lines, and the separator that makes it one; None if there is none.
    """
    for place, (_, line) in enumerate(lines[:_MOST_LINES_BEFORE]):
        for separator in separators or DELIMITERS:
            if is_header(cells_of(line, separator)):
                return place, separator
    return None


def past_comments(lines: Numbered, is_content: Callable[[str], bool]) -> Numbered:
    """Leave out the lines before the table that begin with ``#``, unless they are content."""
    place = 0
    while place < len(lines) - 1 and lines[place][1].startswith("#"):
        if is_content(lines[place][1]):
            break
        place += 1
    return lines[place:]
