"""What functions import is what the layers hold."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from testbed import template
from testbed.template import ROOT

LAYERS = ROOT / "layers"
SOURCES = sorted([*(ROOT / "functions").rglob("*.py"), *(LAYERS / "recommender").rglob("*.py")])
OURS = {"recommender"}
LOCKED = sorted((LAYERS / "dependencies").glob("*.txt"))
"""All that is installed, and what only an older Python needs."""
RUNTIME = {"boto3", "botocore"}
"""What Lambda's own Python holds."""


def pinned(path: Path) -> dict[str, str]:
    """Packages and their versions; every line of a lock is pinned and hashed."""
    lock = path.read_text().replace("\\\n", " ")
    lines = [
        line for line in lock.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    found = {}
    for line in lines:
        match = re.match(r"([A-Za-z0-9_.-]+)==(\S+)(\s+;[^-]+)?\s+--hash=sha256:[0-9a-f]{64}", line)
        assert match, line
        found[match[1].lower()] = match[2]
    return found


def third_party() -> dict[str, set[str]]:
    """Every distribution that is imported at run time, and by which files."""
    known = packages_distributions()
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for name in runtime_imports(ast.parse(path.read_text())):
            root = name.split(".")[0]
            if root in sys.stdlib_module_names or root in OURS | RUNTIME:
                continue
            distributions = {re.sub("[._]", "-", one.lower()) for one in known[root]}
            if len(distributions) > 1:  # they share a namespace, as arro3-core and arro3-io do
                distributions &= {"-".join(name.split(".")[:2])}
            (distribution,) = distributions
            found.setdefault(distribution, set()).add(path.name)
    return found


def runtime_imports(node: ast.AST) -> set[str]:
    """Modules that are imported when the code runs: what type checkers alone see is left out."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return set()
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {node.module} if node.module and not node.level else set()
    return set().union(*map(runtime_imports, ast.iter_child_nodes(node)))


def test_everything_that_is_imported_is_in_the_layer() -> None:
    assert set(third_party()) <= {name for file in LOCKED for name in pinned(file)}


def test_everything_that_is_asked_for_is_imported() -> None:
    text = "\n".join(file.with_suffix(".in").read_text() for file in LOCKED)
    asked = {re.split(r"[<>=~\[; ]", line)[0] for line in text.splitlines() if line.strip()}
    assert asked == set(third_party())


@pytest.mark.parametrize("package", ["boto3", "scipy", "pandas", "pyarrow", "sagemaker"])
def test_the_layer_stays_small(package: str) -> None:
    assert package not in {name for file in LOCKED for name in pinned(file)}


def test_every_function_has_both_layers() -> None:
    for function in template.functions().values():
        assert function["Layers"] == [{"Ref": "DependenciesLayer"}, {"Ref": "RecommenderLayer"}]


def test_a_layer_is_built_by_the_makefile_beside_it() -> None:
    for name, layer in template.resources("AWS::Serverless::LayerVersion").items():
        folder = ROOT / layer["Properties"]["ContentUri"]
        assert layer["Metadata"]["BuildMethod"] == "makefile"
        assert f"build-{name}:" in (folder / "Makefile").read_text()


def test_functions_and_layers_are_built_for_the_same_python_and_processor() -> None:
    for function in template.functions().values():
        assert function["Runtime"] == {"Ref": "PythonRuntime"}
        assert function["Architectures"] == [{"Ref": "Architecture"}]
    for layer in template.resources("AWS::Serverless::LayerVersion").values():
        assert layer["Properties"]["CompatibleRuntimes"] == [{"Ref": "PythonRuntime"}]
        assert layer["Properties"]["CompatibleArchitectures"] == [{"Ref": "Architecture"}]
