"""The compiler's cache: one folder for each state of the sources, and always one to write to."""

import os
from pathlib import Path

import pytest
from factorization_machines.compiled import cache as compiled_code


@pytest.fixture
def package(tmp_path: Path, monkeypatch):
    """A package of two files, and no folder given."""
    (tmp_path / "one.py").write_text("first")
    (tmp_path / "other.py").write_text("second")
    monkeypatch.setattr(compiled_code, "__file__", str(tmp_path / "compiled" / "cache.py"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    return tmp_path


def chosen() -> Path:
    compiled_code.choose_cache_folder()
    return Path(os.environ["NUMBA_CACHE_DIR"])


def chosen_anew(monkeypatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    return chosen()


def test_a_change_of_any_source_changes_the_folder_and_nothing_else_does(package, monkeypatch):
    before = chosen()
    again = chosen_anew(monkeypatch)
    (package / "other.py").write_text("changed")
    after = chosen_anew(monkeypatch)

    assert before == again
    assert before != after
    assert before.is_relative_to(package)


def test_a_folder_that_was_given_is_kept_whether_it_is_there_or_not(package, monkeypatch):
    for given in (package, package / "not-yet"):
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(given))

        assert chosen() == given


@pytest.mark.parametrize("given", ["", "."])
def test_where_nothing_can_be_written_a_temporary_folder_is_made(package, monkeypatch, given):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(package) if given else "")
    monkeypatch.setattr(compiled_code.os, "access", lambda *_: False)
    forgotten = []
    monkeypatch.setattr(
        compiled_code.atexit, "register", lambda *what, **how: forgotten.append((what, how))
    )

    found = chosen()

    assert found.is_dir()
    assert not found.is_relative_to(package)
    ((remove, folder), how) = forgotten[0]
    remove(folder, **how)
    assert not found.exists()
