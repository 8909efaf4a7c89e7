"""The solver ``adam``: mini-batches, for rows of any shape.

Imports ``compiled``, ``errors``, ``fitted`` and ``hyperparameters``; no other solver.
"""
