"""A catalog's own files: its settings, its items and users, and the features made of them.

Imports ``ratings``, ``formats``, ``recordio`` and what stands beside the packages.
"""
