"""Names of what a run makes in SageMaker."""

import re

import pytest
from recommender.pipeline.jobs import endpoint_name, resource_name, run_of_variant, variant_name

RUN = "20260921t101502-3f9a0c11d2"
STACKS = ["m", "matinee", "Matinee-Prod-2", "a" * 30, "a" * 48, "a-" * 24, "a" * 128]
SAGEMAKER_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def test_a_name_begins_with_the_stack_and_says_what_it_is_of() -> None:
    assert resource_name("matinee", RUN) == f"matinee-{RUN}"
    assert endpoint_name("matinee", "films") == "matinee-films"


@pytest.mark.parametrize("stack", STACKS)
def test_sagemaker_takes_every_name(stack: str) -> None:
    catalogs = ["f", "films", "x" * 32, "a-" * 15 + "a"]
    names = [endpoint_name(stack, catalog) for catalog in catalogs]
    names += [resource_name(stack, run) for run in (RUN, f"{RUN}-2", f"{RUN}-117")]
    for name in names:
        assert len(name) <= 63
        assert SAGEMAKER_NAME.fullmatch(name)


@pytest.mark.parametrize("stack", STACKS)
def test_catalogs_never_share_an_endpoint(stack: str) -> None:
    catalogs = [f"{'x' * 31}{letter}" for letter in "abc"] + ["films", "films-noir"]
    assert len({endpoint_name(stack, catalog) for catalog in catalogs}) == len(catalogs)


@pytest.mark.parametrize("stack", STACKS)
def test_attempts_never_share_a_job(stack: str) -> None:
    runs = [RUN, f"{RUN}-2", f"{RUN}-3", RUN.replace("3f9", "4f9")]
    assert len({resource_name(stack, run) for run in runs}) == len(runs)


@pytest.mark.parametrize("stack", [stack for stack in STACKS if len(stack) <= 48])
def test_every_name_lies_under_the_prefix_that_permissions_are_given_for(stack: str) -> None:
    # Lambda's 64 characters for "<stack>-update-endpoint" keep stacks to 48.
    assert resource_name(stack, f"{RUN}-2").startswith(f"{stack}-")
    assert endpoint_name(stack, "x" * 32).startswith(f"{stack}-")


def test_a_name_is_the_same_each_time() -> None:
    assert resource_name("a" * 48, RUN) == resource_name("a" * 48, RUN)


def test_the_variant_tells_which_run_answers() -> None:
    assert run_of_variant(variant_name(RUN)) == RUN
    assert SAGEMAKER_NAME.fullmatch(variant_name(f"{RUN}-117"))
