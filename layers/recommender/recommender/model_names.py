"""The two models of a run: how would she rate it, and what should she see."""

LIKE = "like"
"""Predicts how a user rates an item; the endpoint serves it."""
RANKING = "ranking"
"""Ranks items for a user; lists are made of it."""
MODELS = (LIKE, RANKING)
