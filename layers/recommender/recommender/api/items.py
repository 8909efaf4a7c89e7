"""Answers about items: one by its id, some by their titles, similar ones, the popular ones."""

import re
import unicodedata
from urllib.parse import unquote

import numpy as np

from recommender.api.answers import ServedRun, items_told, most_popular, names_of
from recommender.api.queries import Page
from recommender.errors import UnknownItemError
from recommender.features import Float32s, Float64s

_WORDS = re.compile(r"\w+")


def item(run: ServedRun, name: str) -> dict[str, object]:
    """Tell what a run knows of an item: title, and how many users like it.

    Args:
        run: the run whose lists serve.
        name: the item's id, as a path or a query has it.

    Raises:
        UnknownItemError: the run has no such item.
    """
    return {"model_version": run.run_id, **_told(run, _number(run, name))}


def search(run: ServedRun, text: str, page: Page) -> dict[str, object]:
    """Find items by their titles, or by their ids where there is no title.

    An item is found if each word of the text begins a word of its title; accents and capitals do
    not count. Titles that begin with the whole text come first, then those that more users like.

    Args:
        run: the run whose lists serve.
        text: what is looked for.
        page: which part of what is found.
    """
    wanted = _folded(text)
    words = _WORDS.findall(wanted)
    left_out = set(run.items_of(page.exclude).tolist())
    found: list[tuple[bool, int, int]] = []
    for number, name in enumerate(run.vocabulary.every_item if words else ()):
        title = _folded(run.titles.get(name) or name)
        # Most titles hold no such letters at all: what the words are is asked of few.
        if number in left_out or not all(word in title for word in words):
            continue
        there = _WORDS.findall(title)
        if all(any(one.startswith(word) for one in there) for word in words):
            found.append((not title.startswith(wanted), -int(run.item_likes[number]), number))
    found.sort()
    some = found[page.offset : page.offset + page.limit]
    return {
        "model_version": run.run_id,
        "found": len(found),
        "items": [_told(run, number) for _, _, number in some],
    }


def similar(run: ServedRun, name: str, page: Page) -> dict[str, object]:
    """Name the items that are most like another: by the cosine of their factors.

    Args:
        run: the run whose lists serve.
        name: the item's id, as a path or a query has it.
        page: which part of all other items.

    Returns:
        ``basis`` "factors", and items whose score is the cosine, -1 to 1; where no model makes
        lists, ``basis`` "popular".

    Raises:
        UnknownItemError: the run has no such item.
    """
    number = _number(run, name)
    left_out = np.union1d(run.items_of(page.exclude), [number]).astype(np.int64)
    machine = run.list_maker
    if machine is None:
        found = most_popular(run, left_out, page.limit, page.offset)
        scores, basis = run.item_likes[found].astype(np.float64), "popular"
    else:
        every = _cosines(machine.item_factors, number)
        order = np.argsort(-every, kind="stable")
        found = order[~np.isin(order, left_out)][page.offset : page.offset + page.limit]
        scores, basis = every[found], "factors"
    return {
        "item": names_of(run, np.array([number]))[0],
        "title": run.titles.get(run.vocabulary.every_item[number]),
        "model_version": run.run_id,
        "basis": basis,
        "items": items_told(run, names_of(run, found), scores, None),
    }


def popular(run: ServedRun, page: Page) -> dict[str, object]:
    """Name the items that most users like; the score is how many do."""
    found = most_popular(run, run.items_of(page.exclude), page.limit, page.offset)
    scores = run.item_likes[found].astype(np.float64)
    return {
        "model_version": run.run_id,
        "items": items_told(run, names_of(run, found), scores, None),
    }


def _told(run: ServedRun, number: int) -> dict[str, object]:
    name = run.vocabulary.every_item[number]
    return {
        "item": name,
        "title": run.titles.get(name),
        "item_known": name not in run.cold_items,
        "likes": int(run.item_likes[number]),
    }


def _number(run: ServedRun, name: str) -> int:
    """Look an item up by its id: as it stands, or with a path's percent-encoding undone."""
    numbers = run.vocabulary.item_numbers
    found = numbers.get(name, numbers.get(unquote(name)))
    if found is None:
        raise UnknownItemError(name)
    return found


def _cosines(factors: Float32s, item: int) -> Float64s:
    """``(I,)`` cosines of all items' factors with one's; 0 where one of them is no direction."""
    own = factors[item].astype(np.float64)
    products = np.einsum("ij,j->i", factors, own, dtype=np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", factors, factors, dtype=np.float64) * (own @ own))
    cosines: Float64s = np.zeros(factors.shape[0])
    np.divide(products, norms, out=cosines, where=norms > 0)
    return cosines


def _folded(text: str) -> str:
    """A text without capitals and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).strip()
