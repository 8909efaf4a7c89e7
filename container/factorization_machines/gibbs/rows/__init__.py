"""Rows of any shape: one number of one column is drawn at a time.

Imports what stands beside it in ``gibbs``, but ``fit`` and ``pairs``.
"""
