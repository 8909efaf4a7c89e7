"""What was decided of a pair list's scoring before its first row was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from recommender.catalog.config import CatalogConfig, config_from_dict
from recommender.pipeline.snapshots import SnapshotFile


@dataclass(frozen=True)
class ScoringPlan:
    """Which run scores which file, and how.

    Attributes:
        file: the version that is read.
        run_id: the run whose model scores.
        scored_by: which of its models, by name.
        config: the catalog's settings.
    """

    file: SnapshotFile
    run_id: str
    scored_by: str
    config: CatalogConfig

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "file": vars(self.file),
            "runId": self.run_id,
            "scoredBy": self.scored_by,
            "config": self.config.to_dict(),
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, object]) -> "ScoringPlan":
        """Read back what `to_dict` wrote."""
        return cls(
            SnapshotFile(**cast("dict[str, object]", facts["file"])),  # type: ignore[arg-type]
            cast("str", facts["runId"]),
            cast("str", facts["scoredBy"]),
            config_from_dict(cast("dict[str, object]", facts["config"])),
        )


def pair_settings(config: CatalogConfig) -> dict[str, object]:
    """The settings that decide how a pair list is read and told, for its manifest."""
    form = config.to_dict()["form"]
    return {"form": form, "titles": config.score_titles}
