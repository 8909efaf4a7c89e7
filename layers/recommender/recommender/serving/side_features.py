"""The side features of a run, as its later steps and the API need them."""

from recommender.aws import storage
from recommender.catalog.side_features import SideFeatures
from recommender.dataset.vocabulary import Vocabulary
from recommender.pipeline.run_files import RunFiles


def read(bucket: str, files: RunFiles, vocabulary: Vocabulary) -> SideFeatures:
    """Read the features of a run's users and items; there may be none."""
    if not vocabulary.features:
        return SideFeatures.none(len(vocabulary.users), len(vocabulary.items))
    arrays = storage.read_arrays(bucket, files.features)
    return SideFeatures.from_arrays(
        vocabulary.features, arrays, vocabulary.cold_users, vocabulary.cold_items
    )
