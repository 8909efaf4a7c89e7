"""The solver ``adam``: mini-batches, for rows of any shape.

Imports ``compiled`` and what stands beside the packages.
"""
