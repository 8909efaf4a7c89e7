"""``tests/events/``: what each deployed function really receives, still."""

import json
from typing import Any

import pytest

from local.demo.events import EVENTS, collect
from local.emulator.stack import Stack
from testbed.catalogs import Catalog, planted


@pytest.fixture(scope="module")
def fresh(stack: Stack) -> dict[str, dict[str, Any]]:
    """Payloads of a run that has just ended well, and of calls of the API after it."""
    catalog = Catalog(stack, "events")
    catalog.configure()
    catalog.put("ratings.tsv", planted())
    catalog.settle(1)
    return collect(stack, catalog.name, user="1", item="2")


def form(value: object) -> object:
    """What a JSON value is made of: keys and types, all the way down."""
    if isinstance(value, dict):
        return {key: form(one) for key, one in value.items()}
    if isinstance(value, list):
        return [form(value[0])] if value else []
    if isinstance(value, bool) or value is None:
        return type(value)
    return float if isinstance(value, int | float) else type(value)


def test_every_payload_on_disk_is_one_that_the_local_stack_sends(
    fresh: dict[str, dict[str, Any]],
) -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == fresh.keys()


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_payload_on_disk_has_the_keys_and_types_of_a_fresh_one(
    path: Any, fresh: dict[str, dict[str, Any]]
) -> None:
    assert form(json.loads(path.read_text())) == form(fresh[path.stem])
