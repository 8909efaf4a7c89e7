"""Models: what to serve, by name, for endpoints and transform jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.sagemaker.account.answers import said_back
from local.sagemaker.account.listing import page
from local.sagemaker.account.registry import Caller, Record, Registry
from local.sagemaker.account.tags import tags_of
from local.sagemaker.faults import ValidationError
from local.sagemaker.storage.s3 import Location, Storage

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import (
        ContainerDefinitionUnionTypeDef,
        CreateModelInputTypeDef,
    )

_SAID_BACK = (
    "PrimaryContainer",
    "Containers",
    "InferenceExecutionConfig",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
)


@dataclass
class Model(Record):
    """What to serve: an image, its environment, and the archive of its files."""

    request: "CreateModelInputTypeDef"

    @property
    def container(self) -> "ContainerDefinitionUnionTypeDef":
        """The container that answers."""
        return container_of(self.request)

    @property
    def image(self) -> str:
        """The image's URI."""
        return self.container.get("Image", "")

    @property
    def data_uri(self) -> str | None:
        """Where the archive is; ``None`` for a container that brings its own model."""
        return self.container.get("ModelDataUrl")

    def description(self) -> dict[str, object]:
        """The answer of DescribeModel."""
        return {
            **self.summary(),
            **said_back(self.request, _SAID_BACK),
        }

    def summary(self) -> dict[str, object]:
        """The model in a list."""
        return {"ModelName": self.name, "ModelArn": self.arn, "CreationTime": self.created}


def container_of(request: "CreateModelInputTypeDef") -> "ContainerDefinitionUnionTypeDef":
    """The one container of a model.

    Raises:
        ValidationError: there is none, or a pipeline of several.
    """
    several = list(request.get("Containers", ()))
    primary = request.get("PrimaryContainer")
    if primary is not None and not several:
        return primary
    if primary is None and len(several) == 1:
        return several[0]
    raise ValidationError(
        "The local SageMaker serves one container: give PrimaryContainer, or Containers with one"
    )


class Models:
    """CreateModel and its companions."""

    def __init__(self, registry: Registry, storage: Storage) -> None:
        self._models = registry.table(Model)
        self._storage = storage

    def create(self, request: "CreateModelInputTypeDef", caller: Caller) -> dict[str, object]:
        """Name an image and its archive.

        Raises:
            ValidationError: the name is taken, the image missing, or nothing is at ModelDataUrl.
        """
        container = container_of(request)
        for refused in ("MultiModelConfig", "ModelDataSource", "ModelPackageName"):
            if refused in container:
                raise ValidationError(f"The local SageMaker cannot serve a {refused}")
        if container.get("Mode", "SingleModel") != "SingleModel":
            raise ValidationError("The local SageMaker serves single models only")
        if "Image" not in container:
            raise ValidationError("PrimaryContainer.Image is required")
        data = container.get("ModelDataUrl")
        if data is not None and not self._storage.exists(Location.parse(data)):
            raise ValidationError(f"Could not find model data at {data}.")
        name = request["ModelName"]
        tags = tags_of(request.get("Tags", ()))
        model = Model(name, caller.arn("model", name), request, tags=tags)
        if not self._models.add(model):
            raise ValidationError(f'Cannot create already existing model "{model.arn}".')
        return {"ModelArn": model.arn}

    def describe(self, request: Mapping[str, str], caller: Caller) -> dict[str, object]:
        """Say everything about a model."""
        return self.find(request["ModelName"], caller).description()

    def list(self, request: Mapping[str, object], _: Caller) -> dict[str, object]:
        """List models, the newest first unless asked otherwise."""
        return page(self._models.all(), request).answer("Models", Model.summary)

    def delete(self, request: Mapping[str, str], caller: Caller) -> dict[str, object]:
        """Forget a model. Endpoints that serve it go on."""
        self.find(request["ModelName"], caller)
        self._models.remove(request["ModelName"])
        return {}

    def find(self, name: str, caller: Caller) -> Model:
        """The model of that name.

        Raises:
            ValidationError: there is none.
        """
        model = self._models.get(name)
        if model is None:
            raise ValidationError(f'Could not find model "{caller.arn("model", name)}".')
        return model
