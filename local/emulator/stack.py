"""The laptop's AWS: emulator, SageMaker, and the template deployed to them."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from local.emulator import interruptions, sam_local
from local.emulator.processes import LOOPBACK, Server, answers, choose_port

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

ROOT = Path(__file__).parents[2]
STATE = ROOT / "build" / "local"
DATA = ROOT / "build" / "local-data"
"""What ``make up`` finds again: the emulator's state, objects of S3, SageMaker's registry."""
STACK_NAME = "matinee"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/factorization-machines:local"
"""Stands for Matinee's own image, as a user would have pushed it."""
REGION = "us-east-1"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_ARCHITECTURE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
_RUNTIME = {"PythonRuntime": f"python{_PYTHON}", "Architecture": _ARCHITECTURE}
_GRACE_SECONDS = 5.0
_SAVING_SECONDS = 60.0


class DeployError(RuntimeError):
    """``sam build`` or ``sam deploy`` failed; the message holds what it said."""


def build() -> None:
    """Build the template for this machine with ``sam build``.

    Raises:
        DeployError: the build failed.
    """
    _sam(
        "build",
        *_overrides(_RUNTIME),
        env={
            "LAMBDA_PYTHON": _PYTHON,
            "LAMBDA_ARCH": _ARCHITECTURE,
            "LAMBDA_PLATFORM": "host",
        },
    )


@dataclass
class Stack:
    """Both servers and the deployed template. Use as a context manager.

    Attributes:
        folder: where everything of the stack lies, such as ``events/``: what each function last
            received. Of a stack that was stopped, only logs are left there.
        data: where everything that outlives the stack lies; a stack started on it goes on with it.
            ``None``: nothing outlives it.
        host: the address to listen on. Docker's bridge lets containers in too.
        emulator_port: the port to take if it is free, else any other; so is ``sagemaker_port``.
    """

    folder: Path = STATE
    data: Path | None = None
    host: str = LOOPBACK
    settle_seconds: int = 2
    poll_seconds: int = 1
    emulator_port: int = 4566
    sagemaker_port: int = 4567
    outputs: dict[str, str] = field(default_factory=dict)
    _servers: list[Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.emulator_port = choose_port(self.emulator_port, self.host)
        self.sagemaker_port = choose_port(self.sagemaker_port, self.host)

    @property
    def events(self) -> Path:
        """Folder of the payloads that functions received: the last one of each."""
        return self.folder / "events"

    @property
    def endpoint_url(self) -> str:
        """Where the emulator listens."""
        return f"http://{self.host}:{self.emulator_port}"

    @property
    def sagemaker_url(self) -> str:
        """Where the local SageMaker listens."""
        return f"http://{self.host}:{self.sagemaker_port}"

    @property
    def api_base_url(self) -> str:
        """The deployed API's base URL on this machine."""
        return f"{self.endpoint_url}/restapis/{self.outputs['ApiId']}/api/_user_request_/v1"

    def environment(self) -> dict[str, str]:
        """What points any AWS client at this stack."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_SAGEMAKER": self.sagemaker_url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.sagemaker_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",  # the emulator takes any
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:  # boto3 makes clients of any kind
        """Make a boto3 client of this stack."""
        url = self.sagemaker_url if service.startswith("sagemaker") else self.endpoint_url
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  # the emulator takes any
        )

    def start(self) -> None:
        """Start both servers.

        Raises:
            StartError: one did not come up, or an endpoint of before did not come back in time.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.events.mkdir(parents=True)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        # Files of the emulator go where the rest of the stack lies.
        temporary = tempfile.mkdtemp(prefix="tmp-", dir=self.folder)
        emulator = Server(
            "the AWS emulator",
            [str(ROOT / ".venvs/emulator/bin/python"), "-m", "local.emulator.repairs"],
            inherited
            | self.environment()
            | {
                "GATEWAY_PORT": str(self.emulator_port),
                "BIND_HOST": self.host,
                "MINISTACK_HOST": self.host,
                "MATINEE_RECORD_EVENTS": str(self.events),
                "IOT_MTLS_ENABLED": "false",
                "TMPDIR": temporary,
                "LOG_LEVEL": "INFO",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": "",
                "LAMBDA_ACCOUNT_CONCURRENCY": "0",  # local.emulator.repairs.concurrency has places
                "LAMBDA_WARM_TTL_SECONDS": "60",
            }
            | self._kept(),
            self.folder / "emulator.log",
            ROOT,
        )
        self._servers.append(emulator)
        if self.data is not None:  # endpoints that come back fetch their models at once
            emulator.wait_until(lambda: answers(f"{self.endpoint_url}/_ministack/health"), 60)
        sagemaker = Server(
            "the local SageMaker",
            [
                sys.executable,
                "-m",
                "local.sagemaker",
                "--host",
                self.host,
                "--end-with-parent",
                "--port",
                str(self.sagemaker_port),
                "--state",
                str((self.data or self.folder) / "sagemaker"),
            ],
            inherited | self.environment(),
            self.folder / "sagemaker.log",
            ROOT,
        )
        self._servers.append(sagemaker)
        emulator.wait_until(lambda: answers(f"{self.endpoint_url}/_ministack/health"), 60)
        sagemaker.wait_until(lambda: answers(self.sagemaker_url), 60)
        if self.data is not None:
            sagemaker.wait_until(self._endpoints_are_back, 120)

    def _kept(self) -> dict[str, str]:
        """The emulator's settings of what outlives it, and where."""
        if self.data is None:
            return {}
        state = self.data / "state"
        state.mkdir(parents=True, exist_ok=True)
        self._move_urls(state)
        return {
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.data / "s3"),
        }

    def _move_urls(self, state: Path) -> None:
        """Let what was written down name the places where the servers listen this time."""
        note = state / "urls.txt"
        now = [self.endpoint_url, self.sagemaker_url]
        before = note.read_text().splitlines() if note.exists() else now
        moved = dict(zip(before, now, strict=True))
        old = re.compile("(" + "|".join(map(re.escape, moved)) + r")(?!\d)")
        for path in state.glob("*.json") if before != now else ():
            path.write_text(old.sub(lambda match: moved[match[1]], path.read_text()))
        note.write_text("\n".join(now))

    def _endpoints_are_back(self) -> bool:
        coming = self.client("sagemaker").list_endpoints(StatusEquals="SystemUpdating")
        return not coming["Endpoints"]

    def deploy(self) -> None:
        """Deploy the built template with plain ``sam deploy``.

        Raises:
            DeployError: the deployment failed.
        """
        _sam(
            "deploy",
            "--stack-name",
            STACK_NAME,
            "--resolve-s3",
            "--capabilities",
            "CAPABILITY_IAM",
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            *_overrides(self._parameters()),
            env=self.environment(),
        )
        stacks = self.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
        self.outputs = {row["OutputKey"]: row["OutputValue"] for row in stacks[0]["Outputs"]}

    def resume(self) -> None:
        """Run again what the end of an earlier stack interrupted."""
        machine, bucket = self.outputs["StateMachineArn"], self.outputs["RatingsBucketName"]
        catalogs = interruptions.interrupted(self.client("stepfunctions"), machine)
        functions = self.client("lambda")
        interruptions.run_again(functions, f"{STACK_NAME}-admit-upload", bucket, catalogs)

    def save(self) -> None:
        """Write down where everything is, for ``make down``, ``sam local`` and people."""
        sam_local.write(
            self.folder,
            ROOT / ".aws-sam/build/template.yaml",
            ROOT / ".venvs/sam/bin/python",
            self._parameters(),
            self._variables(),
        )
        facts = {
            "pid": os.getpid(),
            "environment": self.environment(),
            "api_base_url": self.api_base_url,
            "outputs": self.outputs,
        }
        (self.folder / "stack.json").write_text(json.dumps(facts, indent=2) + "\n")

    def _parameters(self) -> dict[str, str]:
        return _RUNTIME | {
            "SettleSeconds": str(self.settle_seconds),
            "PollSeconds": str(self.poll_seconds),
            "TrainingImage": IMAGE,
            # A shorter limit allows closer looks; see recommender.pipeline.training.poll_seconds.
            "TrainingMaxSeconds": "600",
        }

    def _variables(self) -> dict[str, dict[str, str]]:
        """Each function's environment by its logical id, as a container here needs it."""
        # Docker Desktop has a name for the machine whose loopback its containers cannot see.
        seen = "host.docker.internal" if self.host == LOOPBACK else self.host
        endpoints = {
            name: value.replace(f"//{self.host}:", f"//{seen}:")
            for name, value in self.environment().items()
        }
        functions = self.client("lambda")
        resources = self.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)
        return {
            one["LogicalResourceId"]: endpoints
            | functions.get_function_configuration(FunctionName=one["PhysicalResourceId"])[
                "Environment"
            ]["Variables"]
            for one in resources["StackResources"]
            if one["ResourceType"] == "AWS::Lambda::Function"
        }

    def stop(self) -> None:
        """Stop both servers and all that they started. Their logs stay, and ``data``."""
        # The emulator first: what it writes down is no trouble that the other's end makes.
        for server in self._servers:
            server.stop(_SAVING_SECONDS if self.data is not None else _GRACE_SECONDS)
        self._servers.clear()
        (self.folder / "stack.json").unlink(missing_ok=True)
        for left in [*self.folder.glob("tmp-*"), self.folder / "sagemaker", self.events]:
            shutil.rmtree(left, ignore_errors=True)

    def ended(self) -> str:
        """Say which server has ended by itself; an empty text while all are at work."""
        for server in self._servers:
            status = server.process.poll()
            if status is not None:
                return f"{server.name} ended with status {status}; see {server.log}"
        return ""

    def __enter__(self) -> "Self":
        try:
            self.start()
            self.deploy()
            if self.data is not None:
                self.resume()
            self.save()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self.stop()


def _overrides(parameters: dict[str, str]) -> list[str]:
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]


def _sam(*arguments: str, env: dict[str, str]) -> None:
    folder = ROOT / ".venvs/sam/bin"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    result = subprocess.run(
        [str(folder / "sam"), *arguments],
        cwd=ROOT,
        # The layer's Makefile calls python3: SAM's own environment has one with pip.
        env=inherited
        | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION}
        | {"PATH": f"{folder}:{os.environ['PATH']}"}
        | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        said = (result.stdout + result.stderr)[-4000:]
        raise DeployError(f"sam {arguments[0]} ended with status {result.returncode}:\n{said}")
