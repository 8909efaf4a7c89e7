"""The trained machine: its arithmetic, its archive, and the best items of a user.

Imports ``catalog`` (the side features that are folded away) and what stands beside the packages.
"""
