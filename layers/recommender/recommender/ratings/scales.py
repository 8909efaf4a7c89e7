"""Which scale a catalog's ratings are on, and from where on one is a like, unless settings say it.

Ratings go from 1 to 5, to 10 or to 100, are 0 and 1, or stand on both sides of 0. A like is then
what reaches seven tenths of the scale, or is positive. A few values beyond a scale are slips of the
pen; of ratings on no known scale the better half or so are likes.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

_TOPS = (1, 2, 3, 4, 5, 6, 7, 10, 20, 100)
_SLIPS = 0.001
"""Largest share of the ratings that may lie beyond their scale."""
_LIKED = 0.7
_USUAL_SHARE = 0.55
"""Of likes, in MovieLens at four stars; on no known scale the threshold is where this is so."""
_MOST_KEPT = 100_000


@dataclass(frozen=True)
class Scale:
    """What ratings are like.

    Attributes:
        threshold: from here on a rating is a like.
        told: how that is known, as the end of a sentence.
        beyond: how many ratings lie beyond the scale.
    """

    threshold: float
    told: str
    beyond: int = 0


class ScaleFinder:
    """Looks at ratings, some at a time; their order does not matter while they are on a scale."""

    def __init__(self) -> None:
        self._rows, self._negative, self._broken = 0, 0, 0
        self._lowest, self._highest = math.inf, -math.inf
        self._above = np.zeros(len(_TOPS), np.int64)
        self._kept: list[Floats] = []
        self._kept_rows, self._step = 0, 1

    def add(self, ratings: Floats) -> None:
        """Look at ``(n,)`` ratings."""
        if not ratings.size:
            return
        lowest, highest = float(ratings.min()), float(ratings.max())
        self._lowest, self._highest = min(self._lowest, lowest), max(self._highest, highest)
        for at, top in enumerate(_TOPS):
            if highest <= top:
                break
            self._above[at] += np.count_nonzero(ratings > top)
        if lowest < 0:
            self._negative += int(np.count_nonzero(ratings < 0))
        self._broken += int(np.count_nonzero(ratings != np.floor(ratings)))
        self._rows += ratings.size
        if highest > _TOPS[-1]:
            self._keep(ratings)

    def _keep(self, ratings: Floats) -> None:
        """Keep some of the ratings, evenly: enough to tell a share."""
        self._kept.append(ratings[:: self._step].copy())
        self._kept_rows += self._kept[-1].size
        if self._kept_rows > _MOST_KEPT:
            every = np.concatenate(self._kept)[::2]
            self._kept, self._kept_rows, self._step = [every], every.size, 2 * self._step

    def find(self) -> Scale | None:
        """Say which scale the ratings are on; None if there are none."""
        if not self._rows:
            return None
        slips = _SLIPS * self._rows
        is_whole = self._broken <= slips
        seen = f"ratings go from {self._lowest:g} to {self._highest:g}"
        if self._negative > slips:
            return Scale(1.0 if is_whole else 0.0, f"{seen}, so positive ones are likes")
        for top, above in zip(_TOPS, self._above.tolist(), strict=True):
            if above > slips:
                continue
            if top == 1:
                return Scale(1.0 if is_whole else _LIKED, seen, above)
            return Scale(float(math.ceil(_LIKED * top)), f"{seen}, a scale up to {top}", above)
        kept = np.concatenate(self._kept)
        quantile = float(np.quantile(kept, 1 - _USUAL_SHARE))
        threshold = float(f"{quantile:.2g}") or quantile
        return Scale(threshold, f"{seen}, which is no usual scale, and about half are so high")
