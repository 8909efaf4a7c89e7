"""The processes behind an endpoint at one time: a model server for each variant."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.sagemaker.containers.machinery import Machinery
from local.sagemaker.faults import InvocationError
from local.sagemaker.hosting.endpoint_configs import EndpointConfig
from local.sagemaker.hosting.model_server import STARTUP_TIMEOUT, ModelServer
from local.sagemaker.hosting.models import Model

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import ProductionVariantUnionTypeDef

DRAIN_TIMEOUT = 65.0
"""Seconds to wait for requests in flight: longer than the longest invocation."""


@dataclass(frozen=True)
class Plan:
    """What is to be served: a configuration and its models as they were when it was asked for.

    Both may be deleted later; the endpoint goes on, over the end of this process too.
    """

    config: EndpointConfig
    models: dict[str, Model]

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> "Plan":
        """The plan whose fields these are."""
        models = {name: Model.restored(model) for name, model in kept["models"].items()}
        return cls(EndpointConfig.restored(kept["config"]), models)


@dataclass
class Variant:
    """A production variant and its process. One process, whatever the instance count says."""

    config: "ProductionVariantUnionTypeDef"
    model: Model
    server: ModelServer
    resolved: float
    credit: float = 0.0

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.config["VariantName"]

    @property
    def weight(self) -> float:
        """Its share of the traffic, relative to the other variants'."""
        return self.config.get("InitialVariantWeight", 1.0)

    def summary(self) -> dict[str, object]:
        """The variant as DescribeEndpoint shows it."""
        image = {
            "SpecifiedImage": self.model.image,
            "ResolvedImage": self.model.image,
            "ResolutionTime": self.resolved,
        }
        answer: dict[str, object] = {
            "VariantName": self.name,
            "DeployedImages": [image],
            "CurrentWeight": self.weight,
            "DesiredWeight": self.weight,
        }
        if "ServerlessConfig" in self.config:
            serverless = self.config["ServerlessConfig"]
            answer["CurrentServerlessConfig"] = answer["DesiredServerlessConfig"] = serverless
        else:
            count = self.config.get("InitialInstanceCount", 1)
            answer["CurrentInstanceCount"] = answer["DesiredInstanceCount"] = count
        return answer


@dataclass
class Deployment:
    """One endpoint configuration, running.

    Requests ``enter`` and ``leave``; ``retire`` waits for those inside. Enter under the lock that
    also switches deployments, and none can come in after its successor took over.
    """

    plan: Plan
    variants: list[Variant]
    started: float = field(default_factory=time.time)
    _inside: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def config_name(self) -> str:
        """The endpoint configuration's name."""
        return self.plan.config.name

    @classmethod
    def prepare(
        cls,
        plan: Plan,
        folder: Path,
        log_group: str,
        machinery: Machinery,
    ) -> "Deployment":
        """Describe the processes; nothing is started.

        Args:
            plan: what they serve.
            folder: where the processes get their disks, and beside it their logs.
            log_group: the CloudWatch log group of the endpoint.
            machinery: the server's shared parts.
        """
        variants: list[Variant] = []
        for variant in plan.config.variants:
            model = plan.models[variant["ModelName"]]
            name = variant["VariantName"]
            log = folder.with_name(f"{folder.name}-{name}.log")
            server = ModelServer(name, model, folder / name, log, log_group, machinery)
            variants.append(Variant(variant, model, server, time.time()))
        return cls(plan, variants)

    def bring_up(self) -> None:
        """Start every process and wait until each answers pings.

        Raises:
            JobError: one did not; call ``retire`` for the others.
        """
        for variant in self.variants:
            variant.server.launch()
        for variant in self.variants:
            timeout = variant.config.get(
                "ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_TIMEOUT
            )
            variant.server.wait_ready(timeout)

    def enter(self, target: str | None) -> Variant:
        """Choose the variant of a request and count the request in.

        Args:
            target: the variant asked for; ``None`` chooses by weight, in smooth rotation.

        Raises:
            InvocationError: there is no such variant.
        """
        with self._changed:
            variant = self._choose(target)
            self._inside += 1
            return variant

    def leave(self) -> None:
        """Count a request out."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def retire(self) -> None:
        """Wait for the requests inside, then stop every process."""
        with self._changed:
            self._changed.wait_for(lambda: not self._inside, DRAIN_TIMEOUT)
        for variant in self.variants:
            variant.server.stop()

    def _choose(self, target: str | None) -> Variant:
        if target is not None:
            for variant in self.variants:
                if variant.name == target:
                    return variant
            raise InvocationError(f"Variant {target} not found for Request")
        total = sum(variant.weight for variant in self.variants)
        for variant in self.variants:
            variant.credit += variant.weight
        chosen = max(self.variants, key=lambda variant: (variant.credit, variant.weight))
        chosen.credit -= total
        return chosen
