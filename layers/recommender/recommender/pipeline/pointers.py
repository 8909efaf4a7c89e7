"""``current/<catalog>.json``: which runs serve a catalog."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from recommender.model_names import LIKE, RANKING


@dataclass(frozen=True)
class Pointer:
    """Which run each of a catalog's models is of.

    Attributes:
        catalog: whose.
        run_id: the run that was promoted last.
        promoted_at: when that was, ISO 8601 in UTC.
        like: the run whose like model serves, if one does.
        ranking: the run whose ranking model makes the lists, if one does.
        endpoint_name: the endpoint of the like model, if there is one.
        endpoint_config_name: what it is to serve.
    """

    catalog: str
    run_id: str
    promoted_at: str
    like: str | None
    ranking: str | None
    endpoint_name: str | None = None
    endpoint_config_name: str | None = None

    @property
    def lists(self) -> str:
        """The run that lists are made of: the like model's where no ranking model serves."""
        return self.ranking or self.like or self.run_id

    @property
    def models(self) -> dict[str, str | None]:
        """Model -> the run it serves from, if it serves."""
        return {LIKE: self.like, RANKING: self.ranking}

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        endpoint = {
            "endpointName": self.endpoint_name,
            "endpointConfigName": self.endpoint_config_name,
        }
        return {
            "catalog": self.catalog,
            "runId": self.run_id,
            "promotedAt": self.promoted_at,
            "models": self.models,
            **(endpoint if self.endpoint_name else {}),
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, object]) -> "Pointer":
        """Read a pointer. One from before there were two models is of a like model."""
        run_id = cast("str", facts["runId"])
        models = cast("Mapping[str, str | None]", facts.get("models", {LIKE: run_id}))
        return cls(
            cast("str", facts["catalog"]),
            run_id,
            cast("str", facts["promotedAt"]),
            models.get(LIKE),
            models.get(RANKING),
            cast("str | None", facts.get("endpointName")),
            cast("str | None", facts.get("endpointConfigName")),
        )

    @classmethod
    def moved(cls, record: Mapping[str, object], before: "Pointer | None") -> "Pointer":
        """Point at what a promoted run brings, and at what served before for the rest.

        A catalog that trains no like model any more, such as one whose ratings have become events,
        serves none: the old one would know nothing of what came since.

        Args:
            record: the run's manifest.
            before: where the pointer stood.
        """
        evaluation = cast("Mapping[str, Mapping[str, Mapping[str, str]]]", record["evaluation"])
        run_id = cast("str", record["runId"])
        models = evaluation["models"]
        promoted = {name for name in models if models[name]["verdict"] == "promoted"}
        endpoint = cast("Mapping[str, str]", record.get("endpoint", {}))
        ranking = before.ranking if before else None
        like = name = config = None
        if before and LIKE in cast("Mapping[str, object]", record.get("models", {LIKE: {}})):
            like, name = before.like, before.endpoint_name
            config = before.endpoint_config_name
        return cls(
            cast("str", record["catalog"]),
            run_id,
            cast("str", record["finishedAt"]),
            run_id if LIKE in promoted else like,
            run_id if RANKING in promoted else ranking,
            endpoint.get("endpointName", name),
            endpoint.get("endpointConfigName", config),
        )
