"""Training jobs: what the API says about them, and what happens in them.

Imports ``jobs``, ``account``, ``containers``, ``storage`` and what stands beside the packages.
"""
