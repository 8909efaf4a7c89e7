"""The files that let ``sam local`` run a function against the running stack.

SAM CLI gives a function what the template declares, overridden by ``--env-vars``; no container is
started here.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from local.emulator.stack import ROOT, Stack
from testbed import template

FUNCTIONS = sorted(template.functions())


def read(stack: Stack, name: str) -> dict[str, Any]:
    return dict(json.loads((stack.folder / name).read_text()))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_variable_of_a_function_is_declared_and_given(stack: Stack, function: str) -> None:
    copy, given = read(stack, "template.json"), read(stack, "env.json")[function]
    declared = copy["Resources"][function]["Properties"]["Environment"]["Variables"]
    assert declared.keys() == given.keys()
    assert given.keys() == template.environment(function).keys() | stack.environment().keys()


def test_a_function_is_given_the_names_that_the_deployment_made(stack: Stack) -> None:
    given = read(stack, "env.json")["EncodeRatings"]
    assert given["RATINGS_BUCKET"] == stack.outputs["RatingsBucketName"]
    assert given["ARTIFACTS_BUCKET"] == stack.outputs["ArtifactsBucketName"]
    assert given["STATE_TABLE"] == stack.outputs["StateTableName"]


def test_a_container_never_looks_for_the_stack_on_its_own_loopback(stack: Stack) -> None:
    for given in read(stack, "env.json").values():
        assert given["AWS_ENDPOINT_URL"] == f"http://host.docker.internal:{stack.emulator_port}"
        for name in ("AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"):
            assert given[name] == f"http://host.docker.internal:{stack.sagemaker_port}"


def test_code_and_layers_are_found_from_where_the_copy_lies(stack: Stack) -> None:
    resources = read(stack, "template.json")["Resources"]
    for function in FUNCTIONS:
        code = Path(resources[function]["Properties"]["CodeUri"])
        assert code == ROOT / template.functions()[function]["CodeUri"]
    for layer, package in (("DependenciesLayer", "numpy"), ("RecommenderLayer", "recommender")):
        folder = Path(resources[layer]["Properties"]["ContentUri"])
        assert (folder / "python" / package).is_dir()


def test_the_copy_runs_what_the_layers_were_built_for(stack: Stack) -> None:
    parameters = read(stack, "template.json")["Parameters"]
    deployed = stack.client("lambda").get_function_configuration(FunctionName="matinee-predict")
    assert parameters["PythonRuntime"]["Default"] == deployed["Runtime"]
    assert parameters["Architecture"]["Default"] in deployed["Architectures"]
