"""What the emulator lacks, repaired: as far as that needs no emulator."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from local.emulator.repairs.concurrency import Places
from local.emulator.repairs.deliveries import Deliveries
from local.emulator.repairs.listings import encoded

ARN = "arn:aws:lambda:us-east-1:000000000000:function:admit"


class Emulator:
    """As much of MiniStack as deliveries touch."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str, str, Any]] = []
        self.saved: list[dict[str, Any]] = []
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.scope = {"account": "1", "region": "here"}
        self.app = self.module("ministack.app", save_all=self.saved.append)
        self.eventbridge = self.module("ministack.services.eventbridge", _dispatch_to_lambda=None)
        self.responses = self.module(
            "ministack.core.responses",
            get_account_id=lambda: self.scope["account"],
            get_region=lambda: self.scope["region"],
            set_request_account_id=lambda value: self.scope.update(account=value),
            set_request_region=lambda value: self.scope.update(region=value),
        )
        self.functions = self.module(
            "ministack.services.lambda_svc",
            _get_func_record_for_ref=lambda arn: ({"arn": arn}, {"arn": arn}, arn),
            _execution_record_for_config=lambda function, _: function,
            _execute_function_with_config_scope=self.give,
        )
        services = self.module(
            "ministack.services", eventbridge=self.eventbridge, lambda_svc=self.functions
        )
        core = self.module("ministack.core", responses=self.responses)
        self.module("ministack", app=self.app, services=services, core=core)

    def module(self, name: str, **members: object) -> Any:
        made = ModuleType(name)
        vars(made).update(members)
        sys.modules[name] = made
        return made

    def give(self, function: dict[str, str], event: object) -> None:
        self.goes_on.wait(10)
        self.given.append((self.scope["account"], self.scope["region"], function["arn"], event))


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    for name in ("", ".app", ".core", ".core.responses", ".services"):
        monkeypatch.setitem(sys.modules, f"ministack{name}", ModuleType("absent"))
    for name in ("eventbridge", "lambda_svc"):
        monkeypatch.setitem(sys.modules, f"ministack.services.{name}", ModuleType("absent"))
    return Emulator()


def join_all(work: Callable[[], None]) -> None:
    """Do it, and wait for the threads that it started."""
    before = set(threading.enumerate())
    work()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


def test_an_event_is_kept_until_what_it_did_is_saved(emulator: Emulator, tmp_path: Path) -> None:
    Deliveries(tmp_path).keep_from_now_on()
    join_all(lambda: emulator.eventbridge._dispatch_to_lambda(ARN, json.dumps({"n": 1})))
    assert emulator.given == [("1", "here", ARN, {"n": 1})]
    assert len(list(tmp_path.iterdir())) == 1
    emulator.app.save_all({"dynamodb": {}})
    assert list(tmp_path.iterdir()) == []
    assert emulator.saved == [{"dynamodb": {}}]


def test_an_event_that_a_function_still_has_survives_a_save(
    emulator: Emulator, tmp_path: Path
) -> None:
    deliveries = Deliveries(tmp_path)
    deliveries.keep_from_now_on()
    emulator.goes_on.clear()

    def give_and_save() -> None:
        deliveries.deliver(ARN, json.dumps({"n": 2}))
        emulator.app.save_all({})
        assert len(list(tmp_path.iterdir())) == 1
        emulator.goes_on.set()

    join_all(give_and_save)


def test_what_was_left_is_given_again_in_its_own_account(
    emulator: Emulator, tmp_path: Path
) -> None:
    join_all(lambda: Deliveries(tmp_path).deliver(ARN, json.dumps({"n": 3})))
    emulator.given.clear()
    emulator.scope = {"account": "2", "region": "there"}
    join_all(Deliveries(tmp_path).deliver_what_was_left)
    assert emulator.given == [("1", "here", ARN, {"n": 3})]


def test_places_are_bounded_for_each_function_and_for_all() -> None:
    places = Places(most=3, most_of_one=2)
    assert [places.take("a", 0), places.take("a", 0), places.take("a", 0)] == [True, True, False]
    assert [places.take("b", 0), places.take("b", 0)] == [True, False]
    places.give_back("a")
    assert places.take("b", 0)


def test_who_waits_for_a_place_gets_the_next_one() -> None:
    places = Places(most=1, most_of_one=1)
    assert places.take("a")
    taken: list[bool] = []
    waiting = threading.Thread(target=lambda: taken.append(places.take("b", 10)))
    waiting.start()
    places.give_back("a")
    waiting.join(10)
    assert taken == [True]


def test_keys_in_a_list_of_versions_are_percent_encoded() -> None:
    body = (
        "<ListVersionsResult><Prefix>a/</Prefix><Version><Key>a/\x01&amp; &lt;é\n</Key>"
        "<VersionId>x+y</VersionId></Version></ListVersionsResult>"
    )
    root = ET.fromstring(encoded(body.encode()))  # noqa: S314  # our own
    assert root.findtext("Version/Key") == "a/%01%26%20%3C%C3%A9%0A"
    assert root.findtext("Version/VersionId") == "x+y"
    assert root.findtext("EncodingType") == "url"
