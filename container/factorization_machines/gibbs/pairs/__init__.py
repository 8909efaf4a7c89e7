"""Rows that are pairs of a user and an item, each with features: whole vectors are drawn at once.

Imports what stands beside it in ``gibbs``, but ``fit`` and ``rows``.
"""
