"""The local stack, started once a session, and catalogs to try on it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.client.movielens import MovieLens, obtain
from local.emulator.processes import choose_port
from local.emulator.stack import ROOT, Stack, build
from testbed.catalogs import Catalog


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    build()
    folder = tmp_path_factory.mktemp("stack") / "local"
    with Stack(
        folder=folder,
        settle_seconds=1,
        poll_seconds=1,
        emulator_port=choose_port(0),
        sagemaker_port=choose_port(0),
    ) as running:
        yield running


@pytest.fixture(scope="session")
def notices(stack: Stack) -> Callable[[str | None], list[dict[str, Any]]]:
    """Every notice that was published of a catalog so far."""
    sqs, sns = stack.client("sqs"), stack.client("sns")
    queue = sqs.create_queue(QueueName="notices")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    sns.subscribe(TopicArn=stack.outputs["NoticeTopicArn"], Protocol="sqs", Endpoint=arn)
    found: list[dict[str, Any]] = []

    def read(catalog: str | None) -> list[dict[str, Any]]:
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                found.append(json.loads(json.loads(message["Body"])["Message"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [one for one in found if one.get("catalog") == catalog]

    return read


@pytest.fixture
def new_catalog(stack: Stack) -> Callable[..., Catalog]:
    """Make a catalog of a name that no other test has."""

    def make(name: str) -> Catalog:
        return Catalog(stack, name)

    return make


@pytest.fixture(scope="session")
def movielens() -> MovieLens:
    return obtain(ROOT / "build" / "data" / "ml-100k")
