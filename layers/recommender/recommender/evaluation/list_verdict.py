"""The gate for lists: whether a ranking model may serve, by those it would replace."""

from collections.abc import Iterator

import numpy as np

from recommender.errors import ShapeMismatchError
from recommender.evaluation.figures import (
    BEYOND_CHANCE,
    Figure,
    PerUser,
    can_tell,
    paired_difference,
)
from recommender.evaluation.verdict import Verdict, told_apart

_Finding = tuple[bool, str]
"""Whether something speaks for the challenger, and the sentence that says so."""


def lists_verdict(
    challenger: PerUser,
    popularity: PerUser,
    champion: PerUser | None,
    *,
    length: int,
    tolerance: float,
) -> Verdict:
    """Decide by NDCG whether a new ranking model's lists may replace those that are served.

    They may not if they are worse than the most popular items by more than the standard error of
    the difference, or worse than the champion's by more than the tolerance and by more than chance
    makes: :data:`~recommender.evaluation.figures.BEYOND_CHANCE` standard errors. Differences are
    within users: see :func:`~recommender.evaluation.figures.paired_difference`. Few users reject
    less: see :func:`~recommender.evaluation.figures.can_tell`.

    Args:
        challenger: ``ndcg@length`` of each user's list by the new model.
        popularity: the same of the most popular items.
        champion: the same of the model that serves; None if there is none. It need not know all of
            the users.
        length: length of the lists.
        tolerance: by which share of the champion's NDCG the challenger's may be worse.

    Returns:
        Promoted with what it is better than, or not promoted with everything that is wrong.

    Raises:
        ShapeMismatchError: one of them has no NDCG at that length.
    """
    name = f"ndcg@{length}"
    for one in (challenger, popularity, *(() if champion is None else (champion,))):
        if name not in one.values:
            raise ShapeMismatchError("name of a metric", name, sorted(one.values))
    if not bool(np.isfinite(challenger.values[name]).all()):
        return Verdict(promoted=False, reasons=(f"The new model's NDCG@{length} is not finite.",))
    if not challenger.users.size:
        return Verdict(
            promoted=True,
            reasons=("No user of the test set has a list and a like: lists cannot be compared.",),
        )
    findings = [
        *_beside_popularity(challenger, popularity, length),
        *_beside_champion(challenger, champion, length, tolerance),
    ]
    against = tuple(reason for is_good, reason in findings if not is_good)
    return Verdict(promoted=not against, reasons=against or tuple(r for _, r in findings))


def _beside_popularity(challenger: PerUser, popularity: PerUser, length: int) -> Iterator[_Finding]:
    start, difference, ours, theirs = _compared(challenger, popularity, length)
    peer = f"the most popular items' {theirs}"
    error = difference.standard_error
    if difference.mean == 0:
        yield True, f"{start} {ours}, as much as {peer}."
    elif difference.mean > 0:
        yield True, f"{start} {ours}, better than {peer}."
    elif not _can_tell(difference):
        yield True, f"{start} {ours}, worse than {peer}. {_too_few(difference.users)}"
    elif difference.mean >= -(error or 0.0):
        yield True, f"{start} {ours}, worse than {peer} by no more than one {_told(error)}."
    else:
        yield False, f"{start} {ours}, worse than {peer} by more than one {_told(error)}."


def _beside_champion(
    challenger: PerUser, champion: PerUser | None, length: int, tolerance: float
) -> Iterator[_Finding]:
    if champion is None:
        yield True, "No ranking model serves yet."
        return
    if not bool(np.isfinite(champion.values[f"ndcg@{length}"]).all()):
        yield True, f"The serving model's NDCG@{length} is not finite."
        return
    common = champion.among(challenger.users)
    if not common.users.size:
        yield True, "The serving model knows none of the users whose lists can be judged."
        return
    start, difference, ours, theirs = _compared(challenger, common, length)
    peer = f"than the serving one's {theirs}"
    if common.users.size < challenger.users.size:
        peer += f" for the {common.users.size:,} users whom both know"
    share, error = f"{tolerance:.1%}", difference.standard_error
    if difference.mean >= 0:
        yield True, f"{start} {ours}, no worse {peer}."
    elif difference.mean >= -tolerance * common.figure(f"ndcg@{length}").mean:
        yield True, f"{start} {ours}, at most {share} worse {peer}."
    else:
        told = f"{start} {ours}, more than {share} worse {peer}"
        if not _can_tell(difference):
            yield True, f"{told}. {_too_few(difference.users)}"
        elif difference.mean >= -BEYOND_CHANCE * (error or 0.0):
            users = f"{difference.users:,} users"
            yield True, f"{told}, which may be chance with {users}: {_told(error)}."
        else:
            yield False, f"{told}, and by more than chance makes: {_told(error)}."


def _compared(challenger: PerUser, other: PerUser, length: int) -> tuple[str, Figure, str, str]:
    """How a sentence begins, the difference, and the means of the users that both have."""
    name = f"ndcg@{length}"
    difference = paired_difference(challenger, other, name)
    ours = challenger.among(other.users).figure(name).mean
    theirs = other.among(challenger.users).figure(name).mean
    return (
        f"The new model's lists reach NDCG@{length}",
        difference,
        *told_apart(ours, theirs),
    )


def _can_tell(difference: Figure) -> bool:
    """Whether there are users enough to say that a difference is no chance."""
    return can_tell(-difference.mean, difference.standard_error, difference.users)


def _told(error: float | None) -> str:
    return f"standard error of the difference {error or 0.0:.4f}"


def _too_few(users: int) -> str:
    noun = "user is" if users == 1 else "users are"
    return f"{users} {noun} too few to tell whether that is chance."
