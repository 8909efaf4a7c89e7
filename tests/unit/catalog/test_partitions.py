"""Folders whose names are columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.catalog.keys import by_product_of, partitions_of


@pytest.mark.parametrize(
    ("folders", "columns"),
    [
        ("dt=2024-01-31", {"dt": "2024-01-31"}),
        ("region=EU/dt=2024-01-31", {"region": "EU", "dt": "2024-01-31"}),
        ("at=2024-01-31 10%3A00%3A00", {"at": "2024-01-31 10:00:00"}),
        ("event=a%2Fb", {"event": "a/b"}),
        ("dt=__HIVE_DEFAULT_PARTITION__", {"dt": ""}),
        ("2024/01/31", {}),
        ("=x/plain", {}),
        ("a=b=c", {"a": "b=c"}),
        (
            "year=2024/month=1/day=31",
            {"year": "2024", "month": "1", "day": "31", "date": "2024-01-31T00:00:00"},
        ),
        (
            "Year=2024/Month=01/Day=31/Hour=07",
            {
                "Year": "2024",
                "Month": "01",
                "Day": "31",
                "Hour": "07",
                "date": "2024-01-31T07:00:00",
            },
        ),
        ("year=2024/month=2", {"year": "2024", "month": "2"}),
        ("year=2024/month=2/day=31", {"year": "2024", "month": "2", "day": "31"}),
        ("day=31", {"day": "31"}),
    ],
)
def test_a_folders_name_is_a_column(folders: str, columns: dict[str, str]) -> None:
    assert partitions_of(f"ratings/shop/{folders}/part-0.csv") == columns


def test_the_files_own_name_and_the_catalogs_are_none() -> None:
    assert partitions_of("ratings/shop/a=b.csv") == {}
    assert partitions_of("ratings/a=b/part.csv") == {}


@given(st.text(max_size=30))
def test_any_folder_has_columns_or_none(folder: str) -> None:
    assert all(name for name in partitions_of(f"ratings/shop/{folder}/part.csv"))


def test_a_partition_is_no_by_product() -> None:
    assert by_product_of("ratings/shop/_day=31/part-0.csv") is None
