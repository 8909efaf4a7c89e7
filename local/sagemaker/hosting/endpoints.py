"""Endpoints: created, updated without a lost request, invoked, deleted."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.sagemaker.account.listing import page
from local.sagemaker.account.records_file import not_kept
from local.sagemaker.account.registry import Caller, Record, Registry
from local.sagemaker.account.tags import tags_of
from local.sagemaker.containers.machinery import Machinery
from local.sagemaker.containers.processes import ClosingError
from local.sagemaker.faults import InvocationError, JobError, ModelError, ValidationError
from local.sagemaker.hosting.deployment import Deployment, Plan
from local.sagemaker.hosting.endpoint_configs import EndpointConfigs
from local.sagemaker.hosting.model_server import ContainerAnswer, NoAnswerError
from local.sagemaker.hosting.models import Models

if TYPE_CHECKING:
    from typing import Self

    from mypy_boto3_sagemaker.type_defs import (
        CreateEndpointInputTypeDef,
        DeploymentConfigUnionTypeDef,
        UpdateEndpointInputTypeDef,
    )

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/Endpoints"
_CHANGING = ("Creating", "Updating", "SystemUpdating", "Deleting")
_MAX_ORIGINAL = 2_000


@dataclass
class Endpoint(Record):
    """An endpoint. Change it in the registry's ``changing``.

    Attributes:
        served: the plan of ``serving``, and after a restart of what is to serve again.
        wanted: the plan of ``pending``.
    """

    config_name: str
    status: str = "Creating"
    failure_reason: str | None = None
    last_deployment: "DeploymentConfigUnionTypeDef | None" = None
    served: Plan | None = None
    wanted: Plan | None = None
    serving: Deployment | None = field(default=None, metadata=not_kept)
    pending: Deployment | None = field(default=None, metadata=not_kept)

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> "Self":
        """The endpoint whose kept fields these are; nothing serves yet."""
        plans = {
            name: Plan.restored(kept[name]) if kept[name] is not None else None
            for name in ("served", "wanted")
        }
        return cls(**{**kept, **plans})

    def await_deployment(self, deployment: Deployment) -> None:
        """Take up what is to serve next."""
        self.pending, self.wanted = deployment, deployment.plan

    def serve(self, deployment: Deployment) -> None:
        """Serve what was prepared, in the place of anything before."""
        self.serving, self.served = deployment, deployment.plan
        self.config_name, self.failure_reason = deployment.config_name, None

    def settle(self, deployment: Deployment) -> None:
        """Take the status that follows when a deployment came up, or did not."""
        if self.pending is deployment:
            self.pending, self.wanted = None, None
        if self.pending is None:
            self.status = "InService" if self.serving is not None else "Failed"
        else:
            self.status = "Updating" if self.serving is not None else "Creating"
        self.modified = time.time()

    def description(self) -> dict[str, object]:
        """The answer of DescribeEndpoint. The configuration is the one that serves."""
        answer = {**self.summary(), "EndpointConfigName": self.config_name}
        if self.serving is not None:
            answer["ProductionVariants"] = [v.summary() for v in self.serving.variants]
        if self.failure_reason is not None:
            answer["FailureReason"] = self.failure_reason
        if self.last_deployment is not None:
            answer["LastDeploymentConfig"] = self.last_deployment
        if self.pending is not None and self.status == "Updating":
            answer["PendingDeploymentSummary"] = {
                "EndpointConfigName": self.pending.config_name,
                "ProductionVariants": [v.summary() for v in self.pending.variants],
                "StartTime": self.pending.started,
            }
        return answer

    def summary(self) -> dict[str, object]:
        """The endpoint in a list."""
        return {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "EndpointStatus": self.status,
        }


class Endpoints:
    """CreateEndpoint and its companions, and InvokeEndpoint.

    Args:
        registry: the account.
        models: the models of the account.
        configs: the endpoint configurations of the account.
        machinery: what model servers are made with.
        folder: the disk of the serving processes, and their logs.
    """

    def __init__(
        self,
        registry: Registry,
        models: Models,
        configs: EndpointConfigs,
        machinery: Machinery,
        folder: Path,
    ) -> None:
        self._registry, self._lock = registry, registry.lock
        self._endpoints = registry.table(Endpoint)
        self._models, self._configs = models, configs
        self._machinery, self._folder = machinery, folder
        self._numbers = itertools.count(1)

    def create(self, request: "CreateEndpointInputTypeDef", caller: Caller) -> dict[str, object]:
        """Bring an endpoint up, in the background.

        Raises:
            ValidationError: the name is taken, or the configuration or a model is missing.
        """
        name = request["EndpointName"]
        config_name = request["EndpointConfigName"]
        deployment = self._prepare(name, self._plan(config_name, caller))
        tags = tags_of(request.get("Tags", ()))
        endpoint = Endpoint(name, caller.arn("endpoint", name), config_name, tags=tags)
        endpoint.await_deployment(deployment)
        endpoint.last_deployment = request.get("DeploymentConfig")
        if not self._endpoints.add(endpoint):
            raise ValidationError(f'Cannot create already existing endpoint "{endpoint.arn}".')
        self._later(lambda: self._bring_up(endpoint, deployment))
        return {"EndpointArn": endpoint.arn}

    def update(self, request: "UpdateEndpointInputTypeDef", caller: Caller) -> dict[str, object]:
        """Serve another configuration, in the background; the old one answers until then.

        Raises:
            ValidationError: there is no such endpoint, configuration or model, or the endpoint is
                changing already.
        """
        plan = self._plan(request["EndpointConfigName"], caller)
        deployment = self._prepare(request["EndpointName"], plan)
        with self._lock:
            endpoint = self._find_settled(request["EndpointName"], caller)
            if endpoint.serving is None:
                raise ValidationError(
                    f'Cannot update endpoint "{endpoint.arn}" in status {endpoint.status}.'
                )
            with self._registry.changing(endpoint):
                endpoint.status, endpoint.modified = "Updating", time.time()
                endpoint.await_deployment(deployment)
                endpoint.last_deployment = request.get("DeploymentConfig")
        self._later(lambda: self._bring_up(endpoint, deployment))
        return {"EndpointArn": endpoint.arn}

    def delete(self, request: Mapping[str, str], caller: Caller) -> dict[str, object]:
        """Stop serving.

        Raises:
            ValidationError: there is no such endpoint, or it is changing.
        """
        with self._lock:
            endpoint = self._find_settled(request["EndpointName"], caller)
            with self._registry.changing(endpoint):
                retired, endpoint.serving = endpoint.serving, None
                endpoint.status, endpoint.modified = "Deleting", time.time()

        def finish() -> None:
            if retired is not None:
                retired.retire()
            self._endpoints.remove(endpoint.name)

        self._later(finish)
        return {}

    def describe(self, request: Mapping[str, str], caller: Caller) -> dict[str, object]:
        """Say everything about an endpoint."""
        with self._lock:
            return self._find(request["EndpointName"], caller).description()

    def list(self, request: Mapping[str, object], _: Caller) -> dict[str, object]:
        """List endpoints, the newest first unless asked otherwise."""
        with self._lock:
            found = page(self._endpoints.all(), request, status=lambda e: e.status)
            return found.answer("Endpoints", Endpoint.summary)

    def invoke(
        self,
        name: str,
        body: bytes,
        headers: Mapping[str, str],
        target_variant: str | None,
        caller: Caller,
    ) -> tuple[ContainerAnswer, str]:
        """Ask an endpoint's model.

        Args:
            name: the endpoint.
            body: the request as the container gets it.
            headers: the headers that the container gets.
            target_variant: the variant asked for, if any.
            caller: who asks.

        Returns:
            The container's answer and the name of the variant that gave it.

        Raises:
            InvocationError: no such endpoint is in service, or no such variant.
            ModelError: the container answered with an error, or not at all.
        """
        with self._lock:
            endpoint = self._endpoints.get(name)
            deployment = endpoint.serving if endpoint is not None else None
            if deployment is None:
                raise InvocationError(f"Endpoint {name} of account {caller.account} not found.")
            variant = deployment.enter(target_variant)
        group = caller.log_group_arn(f"{LOG_GROUP}/{name}")
        try:
            answer = variant.server.invoke(body, headers)
        except NoAnswerError as error:
            message = f"Received no response from primary: {error}. See {variant.server.log}"
            raise ModelError(message, 0, str(error), group) from error
        finally:
            deployment.leave()
        if answer.status >= 400:
            side = "client" if answer.status < 500 else "server"
            original = answer.body[:_MAX_ORIGINAL].decode("utf-8", "replace")
            raise ModelError(
                f"Received {side} error ({answer.status}) from primary with message "
                f'"{original}". See {variant.server.log}',
                answer.status,
                original,
                group,
            )
        return answer, variant.name

    def hang_up(self) -> None:
        """Let go of every model server: the processes are about to be stopped."""
        with self._lock:
            for endpoint in self._endpoints.all():
                for deployment in (endpoint.serving, endpoint.pending):
                    for variant in deployment.variants if deployment is not None else ():
                        variant.server.hang_up()

    def resume(self) -> None:
        """Go on, in the background, with what an earlier process did not end.

        What was in service comes back, a change goes on to its end, a deletion is ended.
        """
        for endpoint in self._endpoints.all():
            if endpoint.status == "Deleting":
                self._endpoints.remove(endpoint.name)
            elif endpoint.served is not None or endpoint.wanted is not None:
                # Its kept status stays, so that another end of this process changes nothing.
                endpoint.status = "SystemUpdating" if endpoint.served is not None else "Creating"
                self._later(partial(self._resume, endpoint))

    def _resume(self, endpoint: Endpoint) -> None:
        wanted: Deployment | None = None
        if endpoint.wanted is not None:
            wanted = self._prepare(endpoint.name, endpoint.wanted)
            with self._lock:
                endpoint.await_deployment(wanted)
        if endpoint.served is not None:
            self._bring_up(endpoint, self._prepare(endpoint.name, endpoint.served))
        if wanted is not None:
            self._bring_up(endpoint, wanted)

    def _plan(self, config_name: str, caller: Caller) -> Plan:
        config = self._configs.find(config_name, caller)
        names = [variant["ModelName"] for variant in config.variants]
        return Plan(config, {name: self._models.find(name, caller) for name in names})

    def _prepare(self, name: str, plan: Plan) -> Deployment:
        folder = self._folder / name / f"{next(self._numbers):04d}-{plan.config.name}"
        return Deployment.prepare(plan, folder, f"{LOG_GROUP}/{name}", self._machinery)

    def _bring_up(self, endpoint: Endpoint, deployment: Deployment) -> None:
        """Start the new processes, switch to them, retire the old; or keep the old and say why."""
        try:
            deployment.bring_up()
        except ClosingError:
            logger.info("endpoint %s goes on when the local SageMaker does", endpoint.name)
        except JobError as error:
            self._keep(endpoint, deployment, error.reason)
            deployment.retire()
        except Exception as error:
            logger.exception("endpoint %s", endpoint.name)
            reason = f"InternalServerError: {type(error).__name__}: {error}"
            self._keep(endpoint, deployment, reason)
            deployment.retire()
        else:
            self._switch(endpoint, deployment)

    def _keep(self, endpoint: Endpoint, failed: Deployment, reason: str) -> None:
        """Go on with what served before, if anything did."""
        if self._machinery.processes.closing:  # that is why, and the next start goes on
            return
        with self._registry.changing(endpoint):
            endpoint.failure_reason = reason
            endpoint.settle(failed)
        logger.warning("endpoint %s: %s", endpoint.name, reason)

    def _switch(self, endpoint: Endpoint, deployment: Deployment) -> None:
        """From one request to the next, serve the new deployment; then end the old one."""
        with self._registry.changing(endpoint):
            retired = endpoint.serving
            endpoint.serve(deployment)
            endpoint.settle(deployment)
        logger.info("endpoint %s serves %s", endpoint.name, deployment.config_name)
        if retired is not None:
            retired.retire()

    def _find(self, name: str, caller: Caller) -> Endpoint:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise ValidationError(f'Could not find endpoint "{caller.arn("endpoint", name)}".')
        return endpoint

    def _find_settled(self, name: str, caller: Caller) -> Endpoint:
        endpoint = self._find(name, caller)
        if endpoint.status in _CHANGING:
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        return endpoint

    @staticmethod
    def _later(work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="hosting", daemon=True).start()
