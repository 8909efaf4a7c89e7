"""Benchmarks: a package each, run as ``python -m bench.NAME``, against a peer in the same run.

What several share stands beside the packages. Imports the product, ``local`` and ``testbed``.
"""
