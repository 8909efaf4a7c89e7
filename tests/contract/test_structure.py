"""Folders and files stay small enough to be read, and say what they are."""

import ast
from collections import Counter
from pathlib import Path

from testbed.template import ROOT

MOST_MODULES = 13
MOST_LINES = 400

RECOMMENDER = ROOT / "layers/recommender/recommender"
IMAGE = ROOT / "container/factorization_machines"
PACKAGES = [RECOMMENDER, IMAGE, *(ROOT / name for name in ("local", "bench", "testbed"))]
SOURCES = [
    path
    for root in (*PACKAGES, ROOT / "functions", ROOT / "tests")
    for path in sorted(root.rglob("*.py"))
]
OTHER_ROOMS = {"functions", "image", "local", "bench"}
"""Folders of unit tests whose subject is no package of the recommender."""


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def packages_of(root: Path) -> set[str]:
    return {path.parent.name for path in root.glob("*/__init__.py")}


def folders_of_tests(kind: str) -> set[str]:
    return {path.parent.name for path in (ROOT / "tests" / kind).glob("*/*.py")}


def holds_a_docstring_alone(path: Path) -> bool:
    module = ast.parse(path.read_text())
    return len(module.body) == 1 and bool((ast.get_docstring(module) or "").strip())


def test_no_folder_holds_more_modules_than_a_reader_keeps_in_mind() -> None:
    modules = Counter(place(path.parent) for path in SOURCES if path.name != "__init__.py")
    assert {folder: count for folder, count in modules.items() if count > MOST_MODULES} == {}


def test_no_file_is_longer_than_a_reader_takes_in() -> None:
    lines = {place(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for root in PACKAGES for path in root.rglob("*.py")}
    assert [place(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_a_package_says_what_it_is_and_hands_nothing_on() -> None:
    inits = [path for path in SOURCES if path.name == "__init__.py"]
    assert [place(path) for path in inits if not holds_a_docstring_alone(path)] == []


def test_unit_tests_stand_in_folders_of_packages_that_exist() -> None:
    assert folders_of_tests("unit") <= packages_of(RECOMMENDER) | OTHER_ROOMS


def test_tests_of_numbers_stand_in_folders_of_packages_that_exist() -> None:
    assert folders_of_tests("numerics") <= packages_of(RECOMMENDER) | packages_of(IMAGE)
