"""Rating files as their publishers write them, and as settings describe them."""

import gzip
import json
from collections.abc import Callable, Mapping

import pytest
from recommender.dataset.encoding import RunRows
from recommender.errors import MalformedRatingsError
from recommender.formats.moments import SECOND
from recommender.ratings.form import RatingForm
from recommender.ratings.reading import read_ratings

from testbed.ratings.datasets import Ratings, ids_of, parse_ratings

KEY = "ratings/films/file"
ROWS = [("196", "242", 3.0, 881250949), ("186", "302", 3.5, 891717742), ("22", "377", 0.5, 5)]

Row = tuple[str, str, float, int]


def rows_of(found: Ratings) -> list[Row]:
    columns = (found.users, found.items, found.values.tolist(), found.timestamps.tolist())
    return list(zip(*columns, strict=True))


def lines(form: str, header: str = "") -> bytes:
    names = ("user", "item", "rating", "time")
    rows = [form.format_map(dict(zip(names, row, strict=True))) for row in ROWS]
    return "".join(line + "\n" for line in ([header] if header else []) + rows).encode()


PUBLISHED = {
    "u.data of 100K": lines("{user}\t{item}\t{rating:g}\t{time}"),
    "ratings.dat of 1M": lines("{user}::{item}::{rating:g}::{time}"),
    "ratings.dat of 10M": lines("{user}::{item}::{rating}::{time}"),
    "ratings.csv of 20M": lines("{user},{item},{rating},{time}", "userId,movieId,rating,timestamp"),
    "ratings.csv of 25M, another order": lines(
        "{time},{rating},{item},{user}", "timestamp,rating,movieId,userId"
    ),
    "Amazon's CSV": lines("{item},{user},{rating},{time}", "parent_asin,user_id,rating,timestamp"),
    "Book-Crossing, quoted": lines(
        '"{user}";"{item}";"{rating}";"{time}"', '"User-ID";"ISBN";"Book-Rating";"Timestamp"'
    ),
    "R's write.csv": lines(
        '"{time}","{user}","{item}",{rating},{time}', '"","user","item","rating","timestamp"'
    ),
    "TSV with spaces": lines(" {user}\t{item} \t {rating}\t{time}", "user\titem\tscore\tts"),
    "trailing separators": lines("{user},{item},{rating},{time},", "user,item,rating,time,"),
    "trailing separators, no header": lines("{user};{item};{rating};{time};"),
    "JSON Lines": b"".join(
        json.dumps(dict(zip(("user", "item", "rating", "ts"), row, strict=True))).encode() + b"\n"
        for row in ROWS
    ),
}
WRAPPED: Mapping[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "gzipped": gzip.compress,
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "BOM": lambda data: b"\xef\xbb\xbf" + data,
    "blank lines": lambda data: data.replace(b"\n", b"\n\n"),
    "no end": lambda data: data.rstrip(b"\n"),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.parametrize("data", PUBLISHED.values(), ids=PUBLISHED)
def test_published_files_are_read_as_they_are(data: bytes, wrap: Callable[[bytes], bytes]) -> None:
    found, rejects = parse_ratings(KEY, wrap(data), 0.0)
    assert rejects == []
    assert rows_of(found) == ROWS


def test_a_rating_without_a_time_is_as_good() -> None:
    data = lines("{user},{item},{rating}", "user,item,rating")
    assert rows_of(parse_ratings(KEY, data, 0.0)[0]) == [(*row[:3], -1) for row in ROWS]


def test_large_integers_and_texts_are_ids_like_any_other() -> None:
    ids = ["33554431", "33554432", "99999999", "100000000", str(2**31), str(2**64), "007", "tt1"]
    data = "".join(f"{one},{one},4,1\n" for one in ids).encode()
    assert [row[0] for row in rows_of(parse_ratings(KEY, data, 0.0)[0])] == ids


# --- settings -------------------------------------------------------------------------------------


def read_with(form: RatingForm, data: bytes) -> list[Row]:
    parts = []
    rows = RunRows()
    into = rows.builder(KEY, is_test=False)
    into._take = parts.append  # looks at the rows on their way
    read_ratings(iter([data]), into, 0.0, form)
    return [
        (user, item, value, time)
        for part in parts
        for user, item, value, time in zip(
            ids_of(rows.users, part.users),
            ids_of(rows.items, part.items),
            part.values.tolist(),
            (part.timestamps // SECOND).tolist(),
            strict=True,
        )
    ]


NAMED = RatingForm(columns={"user": "who", "item": "what", "rating": "grade", "timestamp": "when"})


def test_settings_name_the_columns_of_a_header() -> None:
    data = lines("{time},{rating},{user},{item},9", "when,grade,who,what,rating")
    assert read_with(NAMED, data) == ROWS


def test_settings_name_the_fields_of_json_lines() -> None:
    names = ("who", "what", "grade", "when")
    data = b"\n".join(json.dumps(dict(zip(names, row, strict=True))).encode() for row in ROWS)
    assert read_with(NAMED, data) == ROWS


@pytest.mark.parametrize("header", ["", "time;grade;what;who"])
def test_settings_number_the_columns_with_a_header_or_without(header: str) -> None:
    form = RatingForm(columns={"timestamp": 1, "rating": 2, "item": 3, "user": 4})
    assert read_with(form, lines("{time};{rating};{item};{user}", header)) == ROWS


@pytest.mark.parametrize("separator", [" ", "~", "::", "\t", "/"])
def test_settings_give_the_separator(separator: str) -> None:
    data = lines(separator.join(["{user}", "{item}", "{rating}", "{time}"]))
    assert read_with(RatingForm(separator=separator), data) == ROWS


def test_settings_that_a_file_does_not_keep_are_named() -> None:
    with pytest.raises(MalformedRatingsError) as caught:
        read_with(NAMED, lines("{user},{item},{rating},{time}", "who,what,rating,when"))
    assert "'grade' for rating" in caught.value.reason
    assert "'who', 'what', 'rating', 'when'" in caught.value.reason
    with pytest.raises(MalformedRatingsError, match=r"separator '~' of config\.json"):
        read_with(RatingForm(separator="~"), lines("{user},{item},{rating},{time}"))
