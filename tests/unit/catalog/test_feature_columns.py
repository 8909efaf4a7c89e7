"""Which columns of a side file become features when nobody said so."""

import pytest
from recommender.catalog.feature_columns import FeatureColumn, columns_of, infer_columns, number_of
from recommender.catalog.sheets import read_sheet
from recommender.catalog.side_tables import SideTable, table_of

ROWS = 200


def table(**columns: list[str]) -> SideTable:
    rows = {str(n): [cells[n] for cells in columns.values()] for n in range(ROWS)}
    return SideTable("items.csv", tuple(columns), rows)


def kinds(found: list[FeatureColumn]) -> dict[str, str]:
    return {column.name: column.kind for column in found}


def test_columns_that_rows_share_are_features_and_names_of_single_rows_are_not() -> None:
    found, others = infer_columns(
        table(
            title=[f"Film {n % 3}" for n in range(ROWS)],
            genres=["Comedy|Drama" if n % 2 else "War" for n in range(ROWS)],
            studio=[f"studio {n % 20}" for n in range(ROWS)],
            year=[str(1950 + n % 50) for n in range(ROWS)],
            premiere=[f"{1 + n % 28:02}-Jan-{1950 + n % 50}" for n in range(ROWS)],
            price=[f"{n * 1.37:.2f}" for n in range(ROWS)],
            imdb=[str(100_000 + 7 * n) for n in range(ROWS)],
            slogan=[f"the film number {n}" for n in range(ROWS)],
            blank=[""] * ROWS,
            country=["US"] * ROWS,
        )
    )
    assert kinds(found) == {
        "genres": "several",
        "studio": "category",
        "year": "number",
        "premiere": "number",
        "price": "number",
    }
    assert others == {
        "title": "it is the title",
        "imdb": "its 200 whole numbers hardly repeat: they are rather names",
        "slogan": "it has 200 distinct values in 200 rows",
        "blank": "it is empty",
        "country": "all rows have the same value",
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12.0),
        ("-1.5e3", -1500.0),
        ("01-Jan-1995", 1995.0),
        ("31/12/1987", 1987.0),
        ("2001-09-11", 2001.0),
        ("2001-09-11T08:46:00Z", 2001.0),
        ("", None),
        ("nan", None),
        ("1995-", None),
        ("Heat (1995)", None),
    ],
)
def test_a_date_counts_as_its_year(text: str, number: float | None) -> None:
    assert number_of(text) == number


def test_what_is_declared_is_all_there_is() -> None:
    people = table_of(
        read_sheet("u.user", b"1|24|M|technician|85711\n2|53|F|other|94043\n", "user")
    )
    wanted = (FeatureColumn("gender"),)
    assert columns_of({"user": people}, {"user": wanted}) == ({"user": (people, wanted)}, [])
    assert columns_of({}, {}) == ({}, [])


def test_every_column_that_is_left_out_is_told() -> None:
    people = table_of(
        read_sheet("u.user", b"1|24|M|technician|85711\n2|53|F|other|94043\n", "user")
    )
    found, told = columns_of({"user": people}, None)
    named = {str(one["column"]) for one in told} | {one.name for one in found["user"][1]}
    assert named == {"age", "gender", "occupation", "zip"}
    assert {str(one["side"]) for one in told} == {"user"}
