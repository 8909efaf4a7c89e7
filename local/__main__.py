"""``python -m local demo | up | env | status | down | events``: the laptop's AWS, for make."""

import argparse
import os
import signal
import sys
from types import FrameType
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.client.status import sentences, status
from local.demo import events
from local.demo.run import run
from local.demo.screen import Screen
from local.demo.summary import tell
from local.emulator import background
from local.emulator.processes import LOOPBACK, StartError, docker_bridge
from local.emulator.stack import ROOT, STACK_NAME, DeployError


def main() -> int:
    """Run one command; its status is the process's."""
    parser = argparse.ArgumentParser(prog="local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demonstration = commands.add_parser("demo", help="run MovieLens-100K through a local stack")
    demonstration.add_argument(
        "--exit", action="store_true", help="stop everything at the end, on a terminal too"
    )
    up = commands.add_parser(
        "up", help="start a stack in the background, with what it held when it was stopped"
    )
    commands.add_parser("env", help="print what points a shell at the stack that is up")
    asked = commands.add_parser("status", help="tell what every catalog is at")
    asked.add_argument(
        "--stack",
        default="",
        help="the name of a stack in the account and region that the shell's AWS settings name; "
        "left out, the local stack that is up",
    )
    down = commands.add_parser("down", help="stop the stack that up started; what it holds is kept")
    up.add_argument("--fresh", action="store_true", help="start empty: delete what was kept")
    down.add_argument("--fresh", action="store_true", help="delete what it holds")
    serve = commands.add_parser("serve", help="run a stack until this process is told to stop")
    commands.add_parser("events", help="capture tests/events from a run on a stack of its own")
    for command in (demonstration, up, serve):
        command.add_argument(
            "--docker",
            action="store_true",
            help="listen on Docker's bridge instead of loopback, so that `sam local` containers "
            "on Linux reach the stack; no other machine can",
        )
    arguments = parser.parse_args()
    # Ctrl-C, a plain kill and a closed terminal all end in the same clean-up.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130
    except (BotoCoreError, ClientError, DeployError, StartError, RuntimeError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # a handler's form
    raise KeyboardInterrupt


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "demo":
            stay = sys.stdout.isatty() and sys.stdin.isatty() and not arguments.exit
            return _demo(_host(arguments), stay=stay)
        case "up":
            return _up(docker=arguments.docker, fresh=arguments.fresh)
        case "env":
            return _env()
        case "status":
            return _status(arguments.stack)
        case "serve":
            print(f"{background.serve(_host(arguments))}; the rest of the stack is stopped")
            return 1
        case "events":
            return _events()
        case _:
            return _down(fresh=arguments.fresh)


def _host(arguments: argparse.Namespace) -> str:
    return docker_bridge() if arguments.docker else LOOPBACK


def _demo(host: str, *, stay: bool) -> int:
    _refuse_if_up()
    screen = Screen()
    stack, facts = run(screen, host)
    try:
        tell(stack, facts, screen)
        if stay:
            print("\nUp until Ctrl-C.", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print("\nStopping ...")
    finally:
        stack.stop()
    print("Stopped: no process or port is left.")
    return 0


def _events() -> int:
    for path in events.capture():
        print(path.relative_to(ROOT))
    return 0


def _up(*, docker: bool, fresh: bool) -> int:
    if (facts := background.running()) is not None:
        if fresh:
            raise RuntimeError("A local stack is up already; stop it with: make down ARGS=--fresh")
        print("# It is up already.")
        _show(facts)
        return 0
    if fresh:
        background.forget()
    print("# Building, starting and deploying ...", flush=True)
    kept = background.kept()
    _show(background.start(["--docker"] if docker else []))
    if kept:
        print("# It goes on with what it held. To start empty: make up ARGS=--fresh")
    return 0


def _show(facts: dict[str, Any]) -> None:
    """Print what a shell needs, and for people what there is."""
    for name, value in facts["environment"].items():
        print(f"export {name}={value}")
    print(f"export MATINEE_API={facts['api_base_url']}")
    for name, value in facts["outputs"].items():
        print(f"# {name}: {value}")
    print('# In another terminal: eval "$(make -s env)"\n# Stop it with: make down')


def _env() -> int:
    facts = background.running()
    if facts is None:
        return _not_up()
    _show(facts)
    return 0


def _status(stack: str) -> int:
    facts = background.running()
    if not stack and facts is None:
        return _not_up()
    if not stack and facts is not None:
        os.environ.update(facts["environment"])
    found = boto3.client("cloudformation").describe_stacks(StackName=stack or STACK_NAME)
    outputs = {row["OutputKey"]: row["OutputValue"] for row in found["Stacks"][0]["Outputs"]}
    for line in sentences(*status(_client, outputs)):
        print(line)
    return 0


def _client(service: str) -> Any:  # boto3 makes clients of any kind
    return boto3.client(service)  # type: ignore[call-overload]


def _down(*, fresh: bool) -> int:
    said = background.absence() if background.running() is None else "Down."
    background.stop()
    if fresh:
        background.forget()
    print(said, end=" ")
    if background.kept():
        print("The next `make up` goes on with what it held; make down ARGS=--fresh deletes that.")
    else:
        print("The next `make up` starts empty.")
    return 0


def _not_up() -> int:
    print(f"{background.absence()} Start it with: make up", file=sys.stderr)
    return 1


def _refuse_if_up() -> None:
    if background.running() is not None:
        raise RuntimeError("A local stack is up already; stop it with: make down")


if __name__ == "__main__":
    sys.exit(main())
