"""Models behind HTTP: models, endpoint configurations, endpoints, and the processes that serve.

Imports ``account``, ``containers``, ``storage`` and what stands beside the packages.
"""
