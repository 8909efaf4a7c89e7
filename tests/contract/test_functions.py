"""``app.py`` is wiring: it defines handlers and routes, and leaves AWS and its neighbours alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.template import ROOT

APPS = {path.parent.name: path for path in sorted((ROOT / "functions").glob("*/*.py"))}
ROUTES = {"get", "post", "put", "delete", "patch", "exception_handler", "not_found"}
RECOMMENDER = ROOT / "layers" / "recommender" / "recommender"
MODULES = sorted(RECOMMENDER.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level <= 1
            found.add("." * node.level + (node.module or ""))
    return found


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def decorators(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        node = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(node, ast.Attribute):
            yield node.attr


def test_a_function_is_one_file() -> None:
    files = [path for path in (ROOT / "functions").rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts]
    assert sorted(files) == sorted(APPS.values())
    assert {path.name for path in files} == {"app.py"}
    assert len(APPS) == 16


@pytest.mark.parametrize("name", APPS)
def test_a_function_defines_a_handler_its_routes_and_small_helpers_of_theirs(name: str) -> None:
    defined = ast.parse(APPS[name].read_text()).body
    assert not any(isinstance(node, (ast.ClassDef, ast.AsyncFunctionDef)) for node in defined)
    functions = [node for node in defined if isinstance(node, ast.FunctionDef)]
    public = [node for node in functions if not node.name.startswith("_")]
    routes = [node for node in public if ROUTES & set(decorators(node))]
    assert [node.name for node in public if node not in routes] == ["lambda_handler"]
    helpers = [node for node in functions if node.name.startswith("_")]
    assert bool(helpers) <= bool(routes), "logic belongs into the layer"
    assert all(len(node.body) <= 2 for node in helpers)


@pytest.mark.parametrize("name", APPS)
def test_a_handler_logs_its_context(name: str) -> None:
    (handler,) = (
        node
        for node in ast.parse(APPS[name].read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "lambda_handler"
    )
    assert "inject_lambda_context" in set(decorators(handler))


@pytest.mark.parametrize("name", APPS)
def test_a_function_that_counts_also_sends_what_it_counted(name: str) -> None:
    text = APPS[name].read_text()
    assert ("metrics.add_metric(" in text) == ("@metrics.log_metrics" in text)


@pytest.mark.parametrize("name", APPS)
def test_a_function_calls_neither_aws_itself_nor_another_function(name: str) -> None:
    assert not roots(APPS[name]) & {"boto3", "botocore", "functions", *APPS}


@pytest.mark.parametrize("name", APPS)
def test_a_function_does_nothing_when_it_is_imported(name: str) -> None:
    harmless = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    rest = [
        node for node in ast.parse(APPS[name].read_text()).body if not isinstance(node, harmless)
    ]
    docstring, *rest = rest
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
    # The API's router is the one thing that must be there before its routes.
    made = [ast.unparse(node) for node in rest]
    assert made in ([], ["app = APIGatewayRestResolver()"])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(RECOMMENDER)))
def test_only_the_adapters_call_aws(path: Path) -> None:
    if path.parent.name != "aws":
        assert not roots(path) & {"boto3", "botocore"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(RECOMMENDER)))
def test_only_the_functions_know_powertools(path: Path) -> None:
    if path.name != "observability.py":
        assert "aws_lambda_powertools" not in roots(path)


def test_clients_are_made_in_one_place() -> None:
    assert [path.name for path in MODULES if "boto3" in roots(path)] == ["clients.py"]
