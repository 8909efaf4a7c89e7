"""Endpoint configurations: which models an endpoint serves, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.sagemaker.account.answers import said_back
from local.sagemaker.account.listing import page
from local.sagemaker.account.registry import Caller, Record, Registry
from local.sagemaker.account.tags import tags_of
from local.sagemaker.faults import ValidationError
from local.sagemaker.hosting.models import Models

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import (
        CreateEndpointConfigInputTypeDef,
        ProductionVariantUnionTypeDef,
    )

_SAID_BACK = (
    "ProductionVariants",
    "DataCaptureConfig",
    "KmsKeyId",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
)
_REFUSED = ("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants")


@dataclass
class EndpointConfig(Record):
    """Which models an endpoint serves, and how much of the traffic each gets."""

    request: "CreateEndpointConfigInputTypeDef"

    @property
    def variants(self) -> "list[ProductionVariantUnionTypeDef]":
        """The production variants."""
        return list(self.request["ProductionVariants"])

    def description(self) -> dict[str, object]:
        """The answer of DescribeEndpointConfig."""
        return {
            **self.summary(),
            **said_back(self.request, _SAID_BACK),
        }

    def summary(self) -> dict[str, object]:
        """The configuration in a list."""
        return {
            "EndpointConfigName": self.name,
            "EndpointConfigArn": self.arn,
            "CreationTime": self.created,
        }


class EndpointConfigs:
    """CreateEndpointConfig and its companions."""

    def __init__(self, registry: Registry, models: Models) -> None:
        self._configs = registry.table(EndpointConfig)
        self._models = models

    def create(
        self, request: "CreateEndpointConfigInputTypeDef", caller: Caller
    ) -> dict[str, object]:
        """Name a set of variants.

        Raises:
            ValidationError: the name is taken, a model is missing, or a laptop cannot serve it.
        """
        for refused in _REFUSED:
            if refused in request:
                raise ValidationError(f"The local SageMaker has no {refused}")
        names = [variant["VariantName"] for variant in request["ProductionVariants"]]
        if len(set(names)) < len(names):
            raise ValidationError("ProductionVariants must have distinct VariantName values")
        for variant in request["ProductionVariants"]:
            if "ModelName" not in variant:
                raise ValidationError(f"{variant['VariantName']}: ModelName is required")
            self._models.find(variant["ModelName"], caller)
            if "ServerlessConfig" not in variant and "InstanceType" not in variant:
                raise ValidationError(
                    f"{variant['VariantName']}: InstanceType or ServerlessConfig is required"
                )
        name = request["EndpointConfigName"]
        tags = tags_of(request.get("Tags", ()))
        config = EndpointConfig(name, caller.arn("endpoint-config", name), request, tags=tags)
        if not self._configs.add(config):
            raise ValidationError(
                f'Cannot create already existing endpoint configuration "{config.arn}".'
            )
        return {"EndpointConfigArn": config.arn}

    def describe(self, request: Mapping[str, str], caller: Caller) -> dict[str, object]:
        """Say everything about a configuration."""
        return self.find(request["EndpointConfigName"], caller).description()

    def list(self, request: Mapping[str, object], _: Caller) -> dict[str, object]:
        """List configurations, the newest first unless asked otherwise."""
        found = page(self._configs.all(), request)
        return found.answer("EndpointConfigs", EndpointConfig.summary)

    def delete(self, request: Mapping[str, str], caller: Caller) -> dict[str, object]:
        """Forget a configuration. Endpoints that came up with it go on."""
        self.find(request["EndpointConfigName"], caller)
        self._configs.remove(request["EndpointConfigName"])
        return {}

    def find(self, name: str, caller: Caller) -> EndpointConfig:
        """The configuration of that name.

        Raises:
            ValidationError: there is none.
        """
        config = self._configs.get(name)
        if config is None:
            arn = caller.arn("endpoint-config", name)
            raise ValidationError(f'Could not find endpoint configuration "{arn}".')
        return config
