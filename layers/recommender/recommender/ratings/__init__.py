"""Rating files: which cell is what, which rows are ratings, and why the others are not.

Imports ``formats`` and what stands beside the packages.
"""
