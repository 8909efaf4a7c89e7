"""Excel workbooks: the first sheet that holds something, as text that separates by commas."""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import IO, Any

from recommender.errors import InputError, Refuse

MOST_BYTES = 512 << 20  # unpacked: a full sheet of a million rows of ratings takes half of it
MOST_ROWS = 1 << 20
"""Of a sheet, as Excel has it."""
MOST_CELLS = 50_000_000
"""Empty ones before the last of a row included; a hostile sheet is wide and says little."""
_PIECE = 1 << 20
_ROWS_OF_A_PIECE = 4096
_EXACT = 1e15
_LINE_END = re.compile(r"\r\n|\r|\n")
_OTHERS = {
    "xl/workbook.bin": "a binary Excel workbook; save it as .xlsx or CSV",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
    "META-INF/manifest.xml": "an OpenDocument file; save it as .xlsx or CSV",
}
_WORKBOOK = "xl/workbook.xml"


def is_workbook(archive: zipfile.ZipFile, refuse: Refuse) -> bool:
    """Whether a zip archive is an Excel workbook.

    Raises:
        InputError: ``refuse``'s: it is another document of an office.
    """
    names = set(archive.namelist())
    for name, what in _OTHERS.items():
        if name in names:
            raise refuse(1, f"this is {what}")
    return _WORKBOOK in names


def text_of(
    file: IO[bytes], archive: zipfile.ZipFile, allowed: int, refuse: Refuse
) -> Iterator[bytes]:
    """Write the first visible sheet that is not empty as CSV: a row a line, so numbers stay.

    A whole number is written without a fraction, a date as ISO 8601, a formula as what it came to,
    an error as nothing. An end of line within a cell becomes a vertical tab: no id may hold
    either, and a row stays a line.

    Args:
        file: the workbook.
        archive: the same, as a zip archive.
        allowed: how many bytes it may unpack to; no more than `MOST_BYTES` ever.
        refuse: builds the error to raise.

    Raises:
        InputError: ``refuse``'s: it is damaged, too large, or has no such sheet.
    """
    _check_size(archive, min(allowed, MOST_BYTES), refuse)
    file.seek(0)
    told = False
    try:
        for piece in _lines(_rows(file), refuse):
            told = True
            yield piece
    except (InputError, MemoryError):
        raise
    except Exception as error:
        kind = type(error).__name__
        raise refuse(1, f"this is an Excel workbook that is damaged ({kind}: {error})") from None
    if not told:
        raise refuse(1, "this is an Excel workbook without a row in any visible sheet")


def _rows(file: IO[bytes]) -> Iterator[Sequence[Any]]:
    """The rows of the first visible sheet that has any; rows before and between are empty ones."""
    import openpyxl  # few files need it, and the others do not wait for it

    warnings.filterwarnings("ignore", module="openpyxl")  # of styles, which no rating has
    workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    for sheet in workbook.worksheets:
        if sheet.sheet_state != "visible":
            continue
        sheet.reset_dimensions()  # they may be wrong, or made to be
        rows = iter(sheet.iter_rows())
        blank: list[Sequence[Any]] = []
        for row in rows:
            if any(cell.value is not None for cell in row):
                yield from blank
                yield row
                yield from rows
                return
            blank.append(())


def _check_size(archive: zipfile.ZipFile, most: int, refuse: Refuse) -> None:
    """Unpack everything once, for what an archive says of its sizes may be wrong."""
    size = 0
    for member in archive.infolist():
        with archive.open(member) as stream:
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > most:
                    raise refuse(
                        1,
                        f"this is an Excel workbook that unpacks to more than {most >> 20} MiB; "
                        "save the sheet as CSV",
                    )


def _lines(rows: Iterable[Sequence[Any]], refuse: Refuse) -> Iterator[bytes]:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    cells_left = MOST_CELLS
    for number, row in enumerate(rows, 1):
        cells_left -= len(row)
        if number > MOST_ROWS or cells_left < 0:
            raise refuse(number, "an Excel sheet ends earlier than this; save it as CSV")
        cells = [_text(cell) for cell in row]
        if any(cells):
            writer.writerow(cells)
        else:
            out.write("\n")
        if number % _ROWS_OF_A_PIECE == 0:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    if out.tell():
        yield out.getvalue().encode()


def _text(cell: Any) -> str:
    value = cell.value
    if value is None or cell.data_type == "e":
        return ""
    if isinstance(value, str):
        return _LINE_END.sub("\v", value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)
