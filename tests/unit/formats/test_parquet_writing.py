"""Parquet that we write, read back by pyarrow."""

import io

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from recommender.formats.parquet.writing import WrittenColumn, read_written, write_parquet

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
rows = st.lists(
    st.tuples(
        texts,
        st.none() | texts,
        st.integers(-(2**31), 2**31 - 1),
        st.none() | st.floats(allow_nan=False),
        st.booleans(),
    ),
    max_size=40,
)


def columns_of(found: list[tuple[object, ...]]) -> dict[str, WrittenColumn]:
    text, title, rank, score, flag = zip(*found, strict=True) if found else ((),) * 5
    return {
        "text": WrittenColumn("string", text),
        "title": WrittenColumn("string", title, nullable=True),
        "rank": WrittenColumn("int32", rank),
        "score": WrittenColumn("float64", score, nullable=True),
        "flag": WrittenColumn("bool", flag),
    }


@given(rows)
def test_another_reader_finds_what_was_written(found: list[tuple[object, ...]]) -> None:
    columns = columns_of(found)
    data = write_parquet(columns)
    wanted = {name: list(column.values) for name, column in columns.items()}
    assert pq.read_table(io.BytesIO(data)).to_pydict() == wanted
    assert read_written(data) == wanted
    assert write_parquet(columns) == data


def test_columns_say_what_they_hold_and_whether_a_row_may_have_nothing() -> None:
    schema = pq.read_schema(io.BytesIO(write_parquet(columns_of([("a", None, 1, 0.5, True)]))))
    assert {one.name: (str(one.type), one.nullable) for one in schema} == {
        "text": ("string", False),
        "title": ("string", True),
        "rank": ("int32", False),
        "score": ("double", True),
        "flag": ("bool", False),
    }


def test_half_of_a_surrogate_pair_is_spelled_out() -> None:
    data = write_parquet({"title": WrittenColumn("string", ["\ud800x"])})
    assert pq.read_table(io.BytesIO(data)).to_pydict() == {"title": ["\\ud800x"]}
