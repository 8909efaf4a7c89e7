"""Parquet files that say what is not so: each is refused by name, at once and at little cost."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from recommender.errors import MalformedRatingsError
from recommender.formats.parquet import pages
from recommender.formats.parquet.thrift import binary, struct

from testbed.ratings import hostile
from testbed.ratings.datasets import parse_ratings
from testbed.ratings.hostile import (
    BYTE_ARRAY,
    DELTA_LENGTHS,
    GZIP,
    NUMBERS,
    RLE_DICTIONARY,
    ROWS,
    dictionary,
    ended,
    page,
    parquet_of,
    parquet_of_empty_texts,
    parquet_of_many_rows,
    varint,
)

SECONDS = 5  # of a processor, the other process included
MEMORY = 256 << 20


@pytest.fixture(autouse=True)
def _little_memory_and_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pages, "MOST_MEMORY", MEMORY)
    begun = sum(os.times()[:4])
    yield
    assert sum(os.times()[:4]) - begun < SECONDS


def reason_of(data: bytes) -> str:
    with pytest.raises(MalformedRatingsError) as caught:
        parse_ratings("ratings/films/hostile.parquet", data, 1.0)
    return caught.value.reason


def test_a_file_that_is_as_it_says_is_read() -> None:
    found, rejects = parse_ratings("a.parquet", parquet_of(), 0.0)
    assert (list(found.users), rejects) == ([str(n) for n in range(ROWS)], [])


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"rows": 1 << 40}, "1,099,511,627,776 rows, which take"),
        ({"rows": 1 << 62}, "rows, which take"),
        ({"rows": 1 << 70}, "longer than 64 bits"),
        ({"rows": -1}, "row groups differ"),
        ({"values": 1 << 30}, "'user' has 1,073,741,824 values in 10 rows"),
        ({"start": 1 << 66}, "from byte 73,786,976,294,838,206,464 on"),
        ({"start": -4}, "from byte -4 on"),
        ({"packed": 1 << 40}, "said to take 1,099,511,627,776 bytes"),
        ({"packed": -1}, "said to take -1 bytes"),
        ({"unpacked": 1 << 40}, "which take 3,298,534,883,328 bytes"),
        ({"groups": 1000}, "columns overlap"),
        ({"codec": 3}, "LZO; use snappy"),
        ({"codec": 99}, "unknown codec"),
        ({"rows": 9}, "damaged: it has 10 rows instead of 9"),
        ({"rows": 11}, "damaged: "),
    ],
)
def test_a_footer_that_cannot_be_true_is_refused(claims: dict[str, int], words: str) -> None:
    assert words in reason_of(parquet_of(**claims))


@pytest.mark.parametrize(
    ("footer", "words"),
    [
        (b"\x29\xfc" + varint(1 << 31), "footer is cut"),
        (b"\x29\xfc" + varint(6_000_000) + bytes(6_000_000), "more than 4,000,000 values"),
        (b"\x29\xf1" + varint(6_000_000) + bytes(6_000_000), "more than 4,000,000 values"),
        (b"\x1c" * 1000, "nested too deeply"),
        (b"\x16" + b"\xff" * 30, "longer than 64 bits"),
        (b"", "footer is cut"),
    ],
)
def test_a_footer_that_would_fill_the_memory_is_refused(footer: bytes, words: str) -> None:
    assert words in reason_of(ended(b"PAR1" + bytes(100), footer))


def test_a_page_that_unpacks_to_gigabytes_ends_its_own_process() -> None:
    bomb = gzip.compress(bytes(64 << 20)) * 64
    told = reason_of(parquet_of(page(bomb, size=40), codec=GZIP))
    assert "out of memory" in told or "more memory or time than they may take" in told


@pytest.mark.parametrize("name", hostile.PARQUET)
def test_a_small_file_that_asks_for_much_is_refused(name: str) -> None:
    assert reason_of(hostile.PARQUET[name]())


def test_millions_of_rows_that_cannot_be_used_are_counted_by_their_values() -> None:
    """Each by itself they would take minutes, and the file is one of 47 KB."""
    told = reason_of(parquet_of_empty_texts(4_000_000))
    assert "none of the 4,000,000 rows can be used; this first one rating is empty" in told


@pytest.mark.parametrize("size", [(1 << 31) - 1, -5])
def test_a_page_that_claims_to_unpack_to_gigabytes_is_refused(size: int) -> None:
    assert "damaged: " in reason_of(parquet_of(page(gzip.compress(NUMBERS), size=size), codec=GZIP))


@pytest.mark.parametrize("count", [1 << 28, 1 << 40, (1 << 63) - 1])
def test_deltas_of_more_lengths_than_there_is_memory_are_refused(count: int) -> None:
    lengths = varint(128) + varint(4) + varint(count) + b"\0"
    told = reason_of(parquet_of(page(lengths, encoding=DELTA_LENGTHS), physical=BYTE_ARRAY))
    assert "damaged: " in told


def test_a_dictionary_of_more_values_than_it_has_is_refused() -> None:
    pair = dictionary(NUMBERS, (1 << 31) - 1) + page(b"\x04\x14\0\0", encoding=RLE_DICTIONARY)
    assert "damaged: " in reason_of(parquet_of(pair))
    text = (3).to_bytes(4, "little") + b"abc"
    pair = dictionary(text, (1 << 31) - 1) + page(b"\x01\x14\0", encoding=RLE_DICTIONARY)
    assert "damaged: " in reason_of(parquet_of(pair, physical=BYTE_ARRAY))


def test_a_long_text_that_stands_for_many_rows_is_refused() -> None:
    text = (1 << 20).to_bytes(4, "little") + b"x" * (1 << 20)
    rows = 1_000_000
    run = b"\x01" + varint(rows << 1) + b"\0"
    pair = dictionary(text, 1) + page(run, rows, RLE_DICTIONARY)
    assert "damaged: " in reason_of(parquet_of(pair, physical=BYTE_ARRAY, rows=rows))


def test_many_equal_rows_in_few_bytes_are_no_harm() -> None:
    rows = 1_000_000
    found, _ = parse_ratings("a.parquet", parquet_of_many_rows(rows), 0.0)
    assert (len(found), found.users.names, float(found.values.sum())) == (rows, ("7",), 7.0 * rows)


@pytest.mark.parametrize("index", [b"\x04\x14\x0f", b"\xff\x14\x01", b""])
def test_what_points_behind_the_end_of_a_dictionary_is_refused(index: bytes) -> None:
    pair = dictionary(NUMBERS, ROWS) + page(index, encoding=RLE_DICTIONARY)
    assert "damaged: " in reason_of(parquet_of(pair))


def test_chunks_that_are_elsewhere_or_encrypted_are_named() -> None:
    elsewhere = {1: binary(b"part-0.parquet")}
    assert "only an index of other Parquet files" in reason_of(parquet_of(beside=elsewhere))
    assert "'user' that is encrypted" in reason_of(parquet_of(beside={8: struct({})}))


def test_the_process_that_decodes_knows_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And if it does not start, that is no fault of the file."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/told\n")
    program.chmod(0o755)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(pages.sys, "executable", str(program))
    with pytest.raises(RuntimeError, match="does not start"):
        parse_ratings("a.parquet", parquet_of(), 0.0)
    told = (tmp_path / "told").read_text()
    assert "PYTHONPATH" in told
    assert "AWS" not in told
