"""Storms of events: as many processes as there are places, and no files left of any."""

import threading
from pathlib import Path

from local.emulator.repairs.concurrency import MOST_AT_WORK, MOST_OF_ONE
from local.emulator.stack import ROOT, Stack
from testbed.catalogs import Catalog, planted
from testbed.local_sagemaker.server import process_table

FILES = 60
_MOST_LEFT = 4_000_000
"""Bytes of logs and the like; code and layers of one process alone are a hundred megabytes."""


def workers(stack: Stack) -> list[str]:
    """The commands of the processes that run functions."""
    commands = (row.command.split() for row in process_table())
    return [
        Path(words[1]).parent.name.removeprefix("ministack-lambda-").rpartition("-")[0]
        for words in commands
        if len(words) == 2 and words[1].startswith(str(stack.folder)) and "_worker" in words[1]
    ]


def size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_storm_of_uploads_is_admitted_by_few_processes_that_leave_nothing(stack: Stack) -> None:
    catalog = Catalog(stack, "storm")
    catalog.configure()
    catalog.put("first.tsv", planted())
    catalog.settle(1)
    before = size(stack.folder)

    over = threading.Event()
    seen: list[list[str]] = []

    def watch() -> None:
        while not over.wait(0.1):
            seen.append(workers(stack))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        rows = [f"{60 + n}\t{n % 40 + 1}\t5\t890000000\n".encode() for n in range(FILES)]
        uploads = [
            threading.Thread(target=catalog.put, args=(f"{n}.tsv", row))
            for n, row in enumerate(rows)
        ]
        for one in uploads:
            one.start()
        for one in uploads:
            one.join()
        ended = catalog.settle(2)
    finally:
        over.set()
        watcher.join()

    assert {one["status"] for one in ended} == {"SUCCEEDED"}
    assert catalog.manifests()[-1]["counts"]["files"] == FILES + 1
    functions = len(list((ROOT / "functions").glob("*/app.py")))
    most = max(map(len, seen))
    assert 2 <= most <= MOST_AT_WORK + functions
    assert max(names.count("matinee-admit-upload") for names in seen) <= MOST_OF_ONE
    assert size(stack.folder) - before < _MOST_LEFT
