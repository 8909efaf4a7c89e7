"""The gate for lists: who is let through, and the sentences that say why."""

import math

import numpy as np
import pytest
from recommender.errors import ShapeMismatchError
from recommender.evaluation.figures import FEWEST as FEWEST_USERS
from recommender.evaluation.figures import PerUser, paired_difference
from recommender.evaluation.list_verdict import lists_verdict
from recommender.evaluation.verdict import Verdict


def reaching(mean: float, *, users: int = 400, spread: float = 0.0, first: int = 0) -> PerUser:
    """NDCG@10 of a mean, exactly; half of the users are above it and half below by the spread."""
    signs = np.where(np.arange(users) % 2, 1.0, -1.0)
    return PerUser(np.arange(first, first + users), {"ndcg@10": mean + spread * signs})


def judged(ours: PerUser, popular: PerUser, champion: PerUser | None = None) -> Verdict:
    return lists_verdict(ours, popular, champion, length=10, tolerance=0.01)


def test_the_first_lists_that_beat_the_popular_items_are_promoted() -> None:
    verdict = judged(reaching(0.3214), reaching(0.127))
    assert verdict.promoted
    assert verdict.reasons == (
        "The new model's lists reach NDCG@10 0.3214, better than the most popular items' 0.1270.",
        "No ranking model serves yet.",
    )


@pytest.mark.parametrize(
    ("ours", "promoted", "words"),
    [
        (0.127, True, "0.1270, as much as the most popular items' 0.1270."),
        (0.1180, True, "worse than the most popular items' 0.1270 by no more than one standard"),
        (0.1160, False, "worse than the most popular items' 0.1270 by more than one standard"),
    ],
)
def test_worse_than_the_popular_items_by_a_standard_error_is_too_bad(
    ours: float, words: str, *, promoted: bool
) -> None:
    # A spread of 0.2 over 400 users is a standard error of 0.0100.
    verdict = judged(reaching(ours, spread=0.2 if ours != 0.127 else 0.0), reaching(0.127))
    assert verdict.promoted is promoted
    assert words in verdict.reasons[0]
    if ours != 0.127:
        assert "of the difference 0.0100." in verdict.reasons[0]


@pytest.mark.parametrize(
    ("ours", "spread", "promoted", "words"),
    [
        (0.32, 0.2, True, "0.3200, no worse than the serving one's 0.3000."),
        (0.30, 0.0, True, "no worse than"),
        (0.2971, 0.0, True, "0.2971, at most 1.0% worse than the serving one's 0.3000."),
        (0.285, 0.2, True, "more than 1.0% worse than the serving one's 0.3000, which may be"),
        (0.275, 0.2, False, "more than 1.0% worse than the serving one's 0.3000, and by more than"),
        (0.2969, 0.0, False, "more than 1.0% worse"),
    ],
)
def test_worse_than_the_champion_takes_the_tolerance_and_more_than_chance(
    ours: float, spread: float, words: str, *, promoted: bool
) -> None:
    verdict = judged(reaching(ours, spread=spread), reaching(0.1), reaching(0.3))
    assert verdict.promoted is promoted
    assert words in verdict.reasons[-1]
    if "chance" in verdict.reasons[-1] and spread:
        assert verdict.reasons[-1].endswith("standard error of the difference 0.0100.")


def test_differences_are_within_users() -> None:
    rng = np.random.default_rng(0)
    taste = rng.random(500)
    users = np.arange(500)
    champion = PerUser(users, {"ndcg@10": taste})
    ours = PerUser(users, {"ndcg@10": taste - 0.02})
    unpaired = ours.figure("ndcg@10").standard_error
    assert unpaired is not None
    assert unpaired > 0.01
    assert paired_difference(ours, champion, "ndcg@10").standard_error == pytest.approx(0, abs=1e-9)
    assert not judged(ours, reaching(0.1, users=500), champion).promoted


def test_everything_that_is_wrong_is_said() -> None:
    verdict = judged(reaching(0.1, spread=0.1), reaching(0.2), reaching(0.3))
    assert not verdict.promoted
    assert len(verdict.reasons) == 2


def test_a_champion_is_compared_with_on_the_users_whom_both_know() -> None:
    champion = reaching(0.3, first=100)
    ours = reaching(0.31)
    ours.values["ndcg@10"][:100] = 0.0
    verdict = judged(ours, reaching(0.1), champion)
    assert verdict.promoted
    assert verdict.reasons[-1] == (
        "The new model's lists reach NDCG@10 0.3100, no worse than the serving one's 0.3000 "
        "for the 300 users whom both know."
    )
    strangers = judged(ours, reaching(0.1), reaching(0.9, first=1000))
    assert strangers.promoted
    assert "knows none of the users" in strangers.reasons[-1]


@pytest.mark.parametrize("users", [1, 2, FEWEST_USERS - 1])
def test_too_few_users_reject_nothing_and_the_verdict_says_so(users: int) -> None:
    many = (reaching(mean, users=users) for mean in (0.1, 0.4, 0.5))
    verdict = judged(*many)
    assert verdict.promoted
    noun = "1 user is" if users == 1 else f"{users} users are"
    for reason in verdict.reasons:
        assert reason.endswith(f"{noun} too few to tell whether that is chance.")
    assert not judged(*(reaching(mean, users=FEWEST_USERS) for mean in (0.1, 0.4, 0.5))).promoted


def test_nobody_to_judge_by_rejects_nothing() -> None:
    nobody = reaching(0.0, users=0)
    verdict = judged(nobody, nobody, nobody)
    assert verdict.promoted
    assert verdict.reasons == (
        "No user of the test set has a list and a like: lists cannot be compared.",
    )


def test_figures_that_are_not_finite_reject_the_challenger_and_not_for_the_champion() -> None:
    broken = reaching(math.nan)
    assert judged(broken, reaching(0.1)).reasons == ("The new model's NDCG@10 is not finite.",)
    assert not judged(broken, reaching(0.1)).promoted
    verdict = judged(reaching(0.3), reaching(0.1), broken)
    assert verdict.promoted
    assert verdict.reasons[-1] == "The serving model's NDCG@10 is not finite."


def test_figures_without_the_length_asked_for_are_a_mistake() -> None:
    other = PerUser(np.arange(2), {"ndcg@5": np.zeros(2)})
    for three in ((other, reaching(0.1), None), (reaching(0.1), other, None)):
        with pytest.raises(ShapeMismatchError, match="ndcg@10"):
            judged(*three)
    with pytest.raises(ShapeMismatchError, match="ndcg@10"):
        judged(reaching(0.1), reaching(0.1), other)
