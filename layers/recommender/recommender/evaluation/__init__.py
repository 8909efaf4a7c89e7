"""How good a model is: metrics, baselines, and whether it may serve.

Imports ``model``, ``dataset``, ``catalog`` and what stands beside the packages.
"""
