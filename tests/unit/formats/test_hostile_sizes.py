"""Files made to be costly: four times as much of them costs about four times as much, no more."""

import gzip
import time
import tracemalloc
from collections.abc import Callable, Sequence

import pytest
from recommender.catalog import sheets
from recommender.catalog.config import parse_config
from recommender.catalog.sheets import read_sheet
from recommender.errors import InvalidConfigError, MalformedItemsError, MalformedRatingsError
from recommender.formats import compression
from recommender.formats.quoting import Records

from testbed.ratings import hostile
from testbed.ratings.datasets import parse_ratings
from testbed.ratings.files import refusal

SMALL, FACTOR = 60_000, 4
OF_ROWS = {
    *("unpaired_marks", "marks_that_close_late", "marks_that_never_close"),
    *("bad_rows", "empty_cells"),
}
"""Those that are looked at row by row are long enough when they are small."""
MOST_TIMES = 2.5 * FACTOR
"""As much longer the larger one may take: the square of the factor would be more."""
LEAST_SECONDS = 0.05  # below it, what both have in common is most of it


def read(data: bytes) -> None:
    try:
        parse_ratings("ratings/films/hostile", data, 1.0)
    except MalformedRatingsError as refused:
        assert len(str(refused)) < 1000  # noqa: PT017


def seconds(act: Callable[[], object], tries: int = 2) -> float:
    """How long it takes a processor, at best."""
    taken = []
    for _ in range(tries):
        begun = time.process_time()
        act()
        taken.append(time.process_time() - begun)
    return max(min(taken), LEAST_SECONDS)


def assert_linear(act: Callable[[bytes], object], small: bytes, large: bytes) -> None:
    """See that `FACTOR` times as many bytes take about as many times as long."""
    most = MOST_TIMES * seconds(lambda: act(small))
    if seconds(lambda: act(large), tries=1) >= most:  # others may have been in the way
        assert seconds(lambda: act(large)) < most


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_the_time_of_a_file_grows_with_its_size_alone(name: str) -> None:
    size = 2 * SMALL if name in OF_ROWS else 10 * SMALL
    small, large = (hostile.TEXTS[name](one) for one in (size, FACTOR * size))
    assert_linear(read, small, large)


@pytest.mark.parametrize(
    "name",
    ["lone_mark", "wide_header_of_names", "wide_rows_of_nothing", "json_keys", "json_shapes"],
)
def test_the_memory_of_a_file_grows_with_its_size_alone(name: str) -> None:
    peaks = []
    for size in (SMALL, FACTOR * SMALL):
        data = hostile.TEXTS[name](size)
        tracemalloc.start()
        read(data)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < MOST_TIMES * max(peaks[0], 4 << 20)
    assert peaks[1] < 150 * FACTOR * SMALL


class _Counted(list[str]):
    """Lines that know how often one of them was looked at."""

    looks = 0

    def __getitem__(self, at):  # type: ignore[no-untyped-def]
        self.looks += 1
        return super().__getitem__(at)


@pytest.mark.parametrize(
    "lines",
    [
        ['"1,2,3'] * 2000,
        ['1","'] * 2000,
        ['1,"2,3', "4,5,1"] * 1000,
        [*['1","'] * 1000, 'a"b,"'] * 2,
        ['"x', *['""'] * 2000],
    ],
)
def test_no_line_is_followed_more_than_a_few_times_for_a_mark_that_closes_nothing(
    lines: Sequence[str],
) -> None:
    counted = _Counted(lines)
    found = list(Records(counted, ",", 1, fits=lambda cells: len(cells) == 3))
    assert sum(record.text.count("\n") + 1 for record in found) == len(lines)
    assert counted.looks < 5 * len(lines)


def test_a_member_of_a_packed_file_costs_its_own_bytes_and_not_those_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = 0

    class Counting(compression._Gzip):
        def decompress(self, data: compression.Bytes, max_length: int, /) -> bytes:
            nonlocal given
            given += len(data)
            return super().decompress(data, max_length)

    kinds = (compression._KINDS[0]._replace(member=Counting), *compression._KINDS[1:])
    monkeypatch.setattr(compression, "_KINDS", kinds)
    members = 20_000
    data = hostile.members(members * 20)
    read(data)
    assert len(data) <= given <= members * 5000


def test_large_members_are_still_undone_in_large_pieces() -> None:
    text = b"".join(b"%d,%d,3\n" % (n, n * 7919 % 1_000_003) for n in range(400_000))
    refuse = lambda line, reason: MalformedRatingsError("a", line, reason)  # noqa: E731
    sizes = [len(piece) for piece in compression.unpacked(iter([gzip.compress(text)]), refuse)]
    assert sum(sizes) == len(text)
    assert len(sizes) < 40


@pytest.mark.parametrize("make", [hostile.config_of_unknown_fields, hostile.config_of_repeats])
def test_settings_of_many_fields_are_refused_in_a_time_that_grows_with_them(
    make: Callable[[int], bytes],
) -> None:
    def refused(data: bytes) -> None:
        with pytest.raises(InvalidConfigError) as caught:
            parse_config("catalogs/films/config.json", data)
        assert len(str(caught.value)) < 1000

    small, large = make(3000), make(3000 * FACTOR)
    assert_linear(refused, small, large)


def test_settings_of_more_than_a_megabyte_are_not_read() -> None:
    with pytest.raises(InvalidConfigError, match=r"2,\d{3},\d{3} bytes long; at most 1,048,576"):
        parse_config("catalogs/films/config.json", b" " * (1 << 21) + b"x" * 50_000 + b"{}")


def test_a_first_line_that_is_longer_than_any_header_is_refused() -> None:
    assert "first line is longer" in refusal(hostile.wide_header_of_names(1_000_000)).reason


def test_a_line_that_fills_the_memory_is_refused() -> None:
    line = b"1,2,3" + b"," * (17 << 20)
    assert "a line is longer than 16,777,216 bytes" in refusal(b"1,2,3\n" * 9 + line).reason


def test_a_side_file_of_rows_that_each_have_other_columns_is_refused() -> None:
    rows = b"".join(b'{"item": %d, "k%d": 1}\n' % (n, n) for n in range(8000))
    with pytest.raises(MalformedItemsError, match=r"8,000 rows have 8,001 columns between them"):
        read_sheet("catalogs/films/items.jsonl", rows, "item")


def test_a_side_file_that_unpacks_to_more_than_there_is_memory_for_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sheets, "MOST_BYTES", 1 << 20)
    data = gzip.compress(b"item,title\n" + b"1,a\n" * (1 << 20))
    with pytest.raises(MalformedItemsError, match=r"more than 1,048,576 bytes of text"):
        read_sheet("catalogs/films/items.csv", data, "item")


def test_a_side_file_of_very_many_lines_is_refused() -> None:
    with pytest.raises(MalformedItemsError, match="more than 5,000,000 lines"):
        read_sheet("catalogs/films/items.csv", b"item,title\n" + b"\n" * 5_000_001, "item")
