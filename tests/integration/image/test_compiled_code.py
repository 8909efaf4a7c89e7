"""Compiled code that an image brings along: complete, used, portable, and left as it is."""

import ast
import os
import platform
from pathlib import Path

import factorization_machines
import llvmlite.binding
import pytest
from factorization_machines import warm_up
from factorization_machines.compiled import cache as compiled_code

from testbed.image import run_python

BASELINE = {"x86_64": b"x86-64-v3", "aarch64": b"generic"}[platform.machine()]


def run(arguments, **others):
    process = run_python("-m", *arguments, seconds=200, **others)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """The folder that the image's build makes."""
    folder = tmp_path_factory.mktemp("image") / "compiled"
    run(["factorization_machines.warm_up", folder])
    return folder


def compiled_functions():
    """``module.function`` of everything that is decorated, as the compiler names it."""
    for path in Path(factorization_machines.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(by, ast.Name) and by.id == "compiled" for by in node.decorator_list
            ):
                yield f"{path.stem}.{node.name}"


def test_every_compiled_function_is_in_it(code):
    expected = set(compiled_functions())

    found = {path.name.rsplit("-", 1)[0] for path in code.rglob("*.nbc")}

    assert len(expected) > 20
    assert found == expected


def test_it_is_made_for_the_baseline_whatever_processor_made_it(code):
    indices = list(code.rglob("*.nbi"))
    assert indices
    assert all(BASELINE in index.read_bytes() for index in indices)
    own = llvmlite.binding.get_host_cpu_name().encode()
    assert not any(own in index.read_bytes() for index in indices)


JOBS = ("adam-classifier", "gibbs-classifier-of-stars", "gibbs-mixed-regressor", "als-described")


def another_job(root, name):
    """As the small job of that name, with other sizes and two files a channel."""
    warm_up.lay_out(root, name)
    settings = root / "input/config/hyperparameters.json"
    settings.write_text(settings.read_text().replace('"num_factors": "4"', '"num_factors": "7"'))
    for channel in ("train", "test"):
        folder = root / "input/data" / channel
        (folder / "part-1").write_bytes((folder / "part-0").read_bytes())


@pytest.mark.parametrize("name", JOBS)
def test_a_job_takes_all_from_it_compiles_nothing_and_leaves_it_as_it_is(code, tmp_path, name):
    another_job(tmp_path, name)
    before = {path: path.read_bytes() for path in code.rglob("*") if path.is_file()}

    log = run(
        ["factorization_machines", "train"],
        OPT_ML=str(tmp_path),
        MATINEE_COMPILED_CODE=str(code),
        NUMBA_DEBUG_CACHE="1",
    )

    assert "[cache] data loaded" in log
    assert "[cache] data saved" not in log
    assert before == {path: path.read_bytes() for path in code.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", JOBS)
def test_it_trains_the_bytes_that_code_for_this_very_processor_trains(code, tmp_path, name):
    models = []
    for number, others in enumerate(({}, {"MATINEE_COMPILED_CODE": str(code)})):
        root = tmp_path / str(number)
        root.mkdir()
        another_job(root, name)
        run(["factorization_machines", "train"], OPT_ML=str(root), **others)
        models.append((root / "model/model_algo-1").read_bytes())

    assert models[0] == models[1]


def test_a_processor_below_the_baseline_compiles_for_itself(monkeypatch, tmp_path):
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", lambda: {"sse2": True})
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MATINEE_COMPILED_CODE", str(tmp_path))

    compiled_code.choose_cache_folder()

    assert "NUMBA_CPU_NAME" not in os.environ
    assert os.environ.get("NUMBA_CACHE_DIR") != str(tmp_path)
    assert not compiled_code.use_portable_code()
