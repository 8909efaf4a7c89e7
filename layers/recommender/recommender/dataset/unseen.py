"""Which users a ranking model is judged by, which it never sees, and how much of them is told it.

All of it follows from ids alone: no order of files, no other user and no other item changes it.
"""

import numpy as np
import numpy.typing as npt

from recommender.dataset.draws import Draw, digests
from recommender.dataset.vocabulary import Vocabulary

Numbers = npt.NDArray[np.int64]

_ROUNDING = 1e-9
"""So that four fifths of five are four, whatever the share is as a float."""


def unseen_users(vocabulary: Vocabulary, share: float = 0.1, most: int = 10_000) -> Numbers:
    """Choose users to keep out of a ranking model's training.

    A user who was chosen is chosen again from a larger vocabulary, and for a larger share, unless
    ``most`` is reached: then the users whose hashes are smallest are taken.

    Args:
        vocabulary: the users.
        share: of all users, in [0, 1].
        most: how many at most.

    Returns:
        Their numbers, ascending.

    Source:
        Users apart as in Liang, Krishnan, Hoffman, Jebara, *Variational Autoencoders for
        Collaborative Filtering*, WWW 2018, section 4.2; at most as many as there.
    """
    drawn = digests(vocabulary.users, b"unseen user")
    limit = np.uint64(min(int(share * 2**64), 2**64 - 1))
    return _smallest(np.flatnonzero(drawn < limit), drawn, most)


def sampled_users(
    vocabulary: Vocabulary, users: npt.NDArray[np.integer], most: int = 20_000
) -> Numbers:
    """Choose users to make means over: all of them, or so many where there are more.

    Args:
        vocabulary: the ids of the users.
        users: ``(n,)`` numbers of users to choose from, in any order.
        most: how many at most; whose hashes are smallest are taken.

    Returns:
        Distinct numbers, ascending.
    """
    candidates = np.unique(users).astype(np.int64)
    if candidates.size <= most:
        return candidates
    drawn = digests([vocabulary.users[user] for user in candidates.tolist()], b"judged user")
    return candidates[_smallest(np.arange(candidates.size), drawn, most)]


def _smallest(candidates: Numbers, drawn: npt.NDArray[np.uint64], most: int) -> Numbers:
    if candidates.size > most:
        candidates = np.sort(candidates[np.argsort(drawn[candidates], kind="stable")[:most]])
    return candidates


def known_places(
    vocabulary: Vocabulary,
    users: npt.NDArray[np.integer],
    items: npt.NDArray[np.integer],
) -> Numbers:
    """Shuffle what each user rated, by the hashes of the pairs.

    Args:
        vocabulary: the ids.
        users: ``(n,)`` user numbers, in any order.
        items: ``(n,)`` item numbers; no pair twice.

    Returns:
        ``(n,)`` the place of each pair among those of its user, from 0: what is told of a user
        first, second and so on.
    """
    drawn = Draw(vocabulary, b"known ").numbers(users, items)
    order = np.lexsort((drawn, users))
    counts = np.bincount(users)
    counts = counts[counts > 0]
    places = np.empty(users.size, np.int64)
    places[order] = np.arange(users.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return places


def known_pairs(
    vocabulary: Vocabulary,
    users: npt.NDArray[np.integer],
    items: npt.NDArray[np.integer],
    share: float = 0.8,
) -> npt.NDArray[np.bool_]:
    """Choose what is told of users; the rest is kept to judge by.

    Of ``n`` pairs of a user, ``floor((1 - share) n)`` are kept: of fewer than five none, as far as
    the share is four fifths.

    Args:
        vocabulary: the ids.
        users: ``(n,)`` user numbers, in any order.
        items: ``(n,)`` item numbers; no pair twice.
        share: of each user's pairs, in [0, 1].

    Returns:
        ``(n,)`` True for a pair that is told.

    Source:
        Liang et al. 2018, section 4.2, and the code that they published.
    """
    counts = np.bincount(users)
    told = np.ceil(share * counts - _ROUNDING)
    return np.asarray(known_places(vocabulary, users, items) < told[users], np.bool_)
