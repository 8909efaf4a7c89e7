"""Parquet, read column by column: a file, its pages, what its columns mean.

Imports nothing of ours but ``errors`` and ``formats``.
"""
