"""Batch transform jobs: what the API says about them, and what happens in them.

Imports ``jobs``, ``hosting``, ``account``, ``containers``, ``storage`` and what stands beside
the packages.
"""
